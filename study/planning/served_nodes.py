"""The nodes of a study through an API: a model that a service holds, and a fine-tuning there, by a job or by steps.

Their keys hold what the service is and what was sent to it. Unlike a trajectory's, a job's key holds how many epochs it
takes: a job cannot be gone on with, and its rate may follow a schedule over its whole length. Steps are a trajectory
like others, and their key holds no horizon.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from study.identity import key
from study.settings.relearning import Hyperparameters, StepHyperparameters
from study.text.examples import Corpus

if TYPE_CHECKING:  # which has these nodes among its own
    from study.planning.stages import Embedded, Pretrained


@dataclass(frozen=True)
class ServedModel:
    """A model as a service names it.

    Attributes:
        provider, dialect: which service.
        model: its name there.
        snapshot: what the service says of its content: a version, or when it was made.
        form: how it is asked: ``text`` or ``messages``.
        base_url: where the service is; no part of the identity.
        tokenizer: the model whose tokenizer it has, where it is asked by tokens.
    """

    provider: str
    dialect: str
    model: str
    snapshot: str
    form: str
    base_url: str
    tokenizer: "Pretrained | Embedded | None" = None
    kind = "served"

    def identity(self) -> dict[str, str]:
        tokenizer = {} if self.tokenizer is None else {"tokenizer": self.tokenizer.key}
        return {
            **tokenizer,
            "provider": self.provider,
            "dialect": self.dialect,
            "model": self.model,
            "snapshot": self.snapshot,
            "form": self.form,
        }

    @cached_property
    def key(self) -> str:
        return key(self)


@dataclass(frozen=True)
class Job:
    """A relearning by the service, from a model of the service."""

    start: ServedModel
    data: Corpus
    sent: Hyperparameters
    seed: int
    kind = "relearn"

    @cached_property
    def key(self) -> str:
        return key(self)


@dataclass(frozen=True)
class Steps:
    """A relearning whose every step the attacker orders from the service.

    Attributes:
        max_length: where texts are cut off, in tokens.
    """

    start: ServedModel
    data: Corpus
    sent: StepHyperparameters
    seed: int
    max_length: int | None
    kind = "relearn"

    @cached_property
    def key(self) -> str:
        return key(self)
