"""What a fine-tuning service can do, however it is spelled: start, checkpoints, answers, close."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from study.planning.served_nodes import Job
from study.planning.stages import Evaluation


@dataclass(frozen=True)
class Ended:
    """A job that has succeeded.

    Attributes:
        models: step → the name of the model there, for the checkpoints that the service still has.
        seconds: from its creation to its end, as the service says it; None where it does not.
        facts: what the service says of it, to be written down.
    """

    models: Mapping[int, str]
    seconds: float | None
    facts: Mapping[str, Any]


Answers = list[dict[str, Any]]
"""Rows of ``answers_file``; what the service does not give is None."""


Order = TypeVar("Order", contravariant=True)
"""What is ordered of a service: a ``Job``, or ``Steps``."""


class FineTuning(Protocol[Order]):
    """A service. Its methods wait for an answer, and repeat what is safe to repeat."""

    def start(self, job: Order, note: Callable[[str, str], None]) -> str:
        """A job's id: of one for this key that has not failed, else of a new one, which is paid for.

        Args:
            note: hears of every id before it is waited for: what it is of, and the id.

        Raises:
            ServiceRefusedError: the service does not take the text or the job.
            ServiceSilentError: it does not answer.
        """
        ...

    def stands(self, known: str) -> bool:
        """Whether what an earlier command began goes on or has succeeded; otherwise it is begun again.

        Raises:
            ServiceSilentError: the service does not answer.
        """
        ...

    def checkpoints(
        self, job: Order, known: Sequence[str], steps: Sequence[int], note: Callable[[str, str], None]
    ) -> Ended:
        """Waits until a job has ended.

        Args:
            known: every id that was noted for it.
            steps: at which checkpoints are wanted.
            note: as of ``start``.

        Raises:
            ServiceRefusedError: it failed, was cancelled or is gone.
            ServiceSilentError: the service does not answer.
        """
        ...

    def answers(self, model: str, evaluation: Evaluation) -> Answers:
        """What a model makes of the probes, in their order.

        Raises:
            ServiceRefusedError: the model is gone, or its answers are refused.
            ServiceSilentError: the service does not answer.
        """
        ...

    def close(self) -> None:
        """Gives connections back."""
        ...


class Dialect(Protocol):
    """How a service spells jobs: paths and fields. Plain JSON in and out."""

    key_variable: str
    """The environment variable that holds the key."""
    jobs: str
    """The path of jobs, to which a job is posted and below which it is read."""
    upload: str
    """The path to which a file is posted."""

    def body(self, job: Job, file: str) -> Mapping[str, Any]:
        """What is posted to create a job, the key of the job in it."""
        ...

    def is_of(self, found: Mapping[str, Any], key: str) -> bool:
        """Whether a job of the service's list is the one of this key."""
        ...

    def outcome(self, found: Mapping[str, Any]) -> str | None:
        """None while a job goes on; an empty text where it succeeded; else why it did not."""
        ...

    def models(self, found: Mapping[str, Any], checkpoints: list[Mapping[str, Any]]) -> dict[int, str]:
        """Step → model, from an ended job and the list of its checkpoints."""
        ...

    def prompt_tokens(self, choice: Mapping[str, Any], answer: Mapping[str, Any], index: int) -> Any:
        """The log-probabilities of a prompt that was echoed: tokens, token_logprobs, top_logprobs, text_offset."""
        ...
