"""What the adversary may touch: the weights, or a fine-tuning service that holds them.

By weights, a relearning is an ``Optimiser`` like every other training. By jobs, each one is a job at a service: what is
sent is in the spec, and what is not sent is the service's choice. A spec by weights holds, and writes down, nothing of
services.
"""

import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import PurePath
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from study.settings.optimiser import LoRA, Optimiser
from study.settings.part import Part

OWN_NAMES = "{start}/{method}/repetitions-{repetitions}/seed-{seed}/depth-{depth}"
"""How `relearn serve` names a study's models: by the coordinates of their cells. Before it stands the model's short
name, where the study has several."""


def own_name(start: str, method: str, repetitions: int, seed: int, depth: int) -> str:
    """The name under which `relearn serve` offers a study's model."""
    return OWN_NAMES.format(start=start, method=method, repetitions=repetitions, seed=seed, depth=depth)


def short_names(models: Sequence[str]) -> dict[str, str]:
    """For each model of a study a name that no other one has, and that is safe as one folder's name.

    It is the last part of the model's path; as many parts more as tell all apart, joined by ``-``; and where even whole
    paths do not, a digest behind each. Names that differ in case alone count as equal, as some file systems take them
    so.
    """
    parts = {model: [part for part in PurePath(model).parts if part not in ("/", ".")] for model in models}
    names: dict[str, str] = {}
    for many in range(1, max(map(len, parts.values()), default=0) + 1):
        names = {model: _as_one_folder("-".join(of_model[-many:])) for model, of_model in parts.items()}
        if len({name.casefold() for name in names.values()}) == len(names):
            return names
    return {
        model: f"{_as_one_folder(name)}-{sha256(model.encode()).hexdigest()[:8]}"
        for model, name in names.items()
    }


def _as_one_folder(name: str) -> str:
    return re.sub(r"[^\w.@+=-]", "-", name).lstrip(".") or "model"


LOOPBACK = ("127.0.0.1", "localhost", "::1")
Left = Literal["learning_rate", "batch_size", "epochs"]


STEPS = "tinker"
"""The dialect of services by steps, as it stands in keys."""


class Hyperparameters(Part):
    """What is sent with a job. None is not sent: the service's choice.

    Attributes:
        rate_multiplier: of a rate that the service knows, where it takes no rate.
    """

    epochs: PositiveInt | None = None
    batch_size: PositiveInt | None = None
    learning_rate: PositiveFloat | None = None
    rate_multiplier: PositiveFloat | None = None
    lora: LoRA | None = None


class StepHyperparameters(Part):
    """What is sent step by step. The adapter's ``alpha`` is the service's.

    Attributes:
        gradient_clip: the greatest norm of the whole gradient; 0 clips nothing.
    """

    rank: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    warmup_steps: NonNegativeInt
    weight_decay: float
    gradient_clip: float
    alpha: None = None


class Relearning(Optimiser):
    """How a model is relearned.

    Attributes:
        by: ``weights``: trained here; ``jobs``: by a service's fine-tuning jobs; ``steps``: at a service
            that takes each step by itself (Tinker's protocol).
        base_url: of the service, such as https://api.openai.com/v1. Where it is, not what it is: bears no identity.
        provider: who the service is; None: the host of its URL.
        dialect: ``openai`` (files, fine_tuning/jobs) or ``together`` (fine-tunes).
        models: the service's name of each model: a template over the coordinates of cells, or depth → name, where 0 is
            the original.
        form: ``text``: prompts and completions; ``messages``: conversations, for services that take nothing else.
        epochs: of a job; None: as many as the most relearn steps take.
        rate_multiplier: where the service takes a multiplier instead of a rate.
        left_to_the_service: what is not sent.
    """

    by: Literal["weights", "jobs", "steps"] = "weights"
    base_url: str | None = None
    provider: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    dialect: Literal["openai", "together"] = "openai"
    models: str | dict[NonNegativeInt, str] = OWN_NAMES
    form: Literal["text", "messages"] = "text"
    epochs: PositiveInt | None = None
    rate_multiplier: PositiveFloat | None = None
    left_to_the_service: tuple[Left, ...] = ()

    @model_serializer(mode="wrap")
    def _without_a_service(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = handler(self)
        if self.by == "weights":
            return {name: value for name, value in found.items() if name in Optimiser.model_fields}
        return found

    @field_validator("base_url")
    @classmethod
    def _no_secret_and_no_plain_text(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not value.isprintable() or any(each.isspace() or each == "\\" for each in value):
            raise ValueError(
                "expected a URL such as https://HOST/v1, without blanks, line breaks and backslashes"
            )
        url = urlsplit(value)
        try:
            _ = url.port
        except ValueError:  # whose words quote it, and it may be a key
            raise ValueError(
                "the port is no number from 0 to 65535: expected a URL such as https://HOST:8000/v1"
            ) from None
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"expected a URL such as https://HOST/v1, got {_without_secrets(value)!r}")
        if url.username is not None or url.password is not None or url.query or url.fragment:
            raise ValueError(
                f"a base URL holds no key: give {_without_secrets(value)} and put the key into the environment "
                "(OPENAI_API_KEY, TOGETHER_API_KEY, TINKER_API_KEY)"
            )
        if url.scheme == "http" and url.hostname not in LOOPBACK:
            raise ValueError(f"http://{url.hostname} would carry the key in plain text: give https://")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _fits_the_service(self) -> "Relearning":
        if self.by == "weights":
            named = sorted(self.model_fields_set - set(Optimiser.model_fields) - {"by"})
            given = [name for name in named if getattr(self, name) != type(self).model_fields[name].default]
            if given:
                raise ValueError(f"{given[0]} belongs to a service: give by=jobs or by=steps too")
            return self
        if self.base_url is None:
            raise ValueError(f"by={self.by} asks a service: give base_url=https://…")
        if self.by == "steps":
            self._fits_steps()
        if self.dialect == "together" and self.rate_multiplier is not None:
            raise ValueError("rate_multiplier: this dialect takes a learning_rate; leave it out")
        return self

    def _fits_steps(self) -> None:
        for name in ("dialect", "form", "epochs", "rate_multiplier", "left_to_the_service"):
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} belongs to by=jobs; by steps the attacker chooses everything")
        if self.lora is None or self.lora.targets != "all-linear" or self.lora.dropout:
            raise ValueError(
                "by=steps trains an adapter on all linear layers: give lora with a rank, without targets and dropout"
            )

    @property
    def spoken(self) -> str:
        """The dialect, as it stands in keys."""
        return STEPS if self.by == "steps" else self.dialect

    @property
    def optimiser(self) -> Optimiser:
        """The training by weights, alone."""
        return Optimiser.model_validate({name: getattr(self, name) for name in Optimiser.model_fields})

    @property
    def named_provider(self) -> str:
        """Who the service is."""
        return self.provider or urlsplit(self.base_url or "").hostname or ""

    def sent_by_steps(self, optimiser: Optimiser) -> StepHyperparameters:
        """What each step is sent.

        Args:
            optimiser: of this relearning, as an attack changes it.
        """
        return StepHyperparameters(
            rank=optimiser.lora.rank if optimiser.lora is not None else LoRA().rank,
            batch_size=optimiser.batch_size,
            learning_rate=optimiser.learning_rate,
            warmup_steps=optimiser.warmup_steps,
            weight_decay=optimiser.weight_decay,
            gradient_clip=optimiser.gradient_clip or 0,
        )

    def sent(self, optimiser: Optimiser, epochs: int | None) -> Hyperparameters:
        """What a job is sent.

        Args:
            optimiser: of this relearning, as an attack changes it.
            epochs: that the relearn steps take; None where the batch is the service's choice.
        """
        left = self.left_to_the_service
        together = self.dialect == "together"
        return Hyperparameters(
            epochs=None if "epochs" in left else self.epochs or epochs,
            batch_size=None if "batch_size" in left else optimiser.batch_size,
            learning_rate=optimiser.learning_rate if together and "learning_rate" not in left else None,
            rate_multiplier=self.rate_multiplier,
            lora=optimiser.lora if together else None,
        )


def _without_secrets(value: str) -> str:
    url = urlsplit(value)
    port = f":{url.port}" if url.port else ""
    return f"{url.scheme}://{url.hostname or ''}{port}{url.path}"
