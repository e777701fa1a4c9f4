"""How weights are changed: AdamW at a rate that does not know the horizon, on all or on an adapter."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator

from study.settings.part import Part


class LoRA(Part):
    """Low-rank adaptation (Hu et al. 2022): W + (alpha / rank) B A, of which only A and B are trained.

    A checkpoint keeps A and B. They are merged into the weights, in bfloat16 added to the layers' outputs, where it is
    evaluated or attacked.

    Attributes:
        targets: names of the linear layers that get an adapter (``q_proj``, ``v_proj``, …), or
            ``all-linear``: every one but the output layer.
    """

    rank: PositiveInt = 16
    alpha: PositiveInt = 32
    targets: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    dropout: float = Field(default=0, ge=0, lt=1)

    @field_validator("targets")
    @classmethod
    def _some_target(cls, targets: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if not targets:
            raise ValueError("expected `all-linear` or the names of some linear layers, got none")
        return targets


class Optimiser(Part):
    """AdamW at a rate that does not know the horizon: constant, after ``warmup_steps`` of linear warm-up.

    Attributes:
        gradient_clip: the greatest norm of the whole gradient; None clips nothing.
        lora: trains an adapter instead of all weights.
    """

    learning_rate: PositiveFloat
    batch_size: PositiveInt
    weight_decay: float = Field(default=0.01, ge=0)
    warmup_steps: NonNegativeInt = 0
    gradient_clip: PositiveFloat | None = None
    lora: LoRA | None = None


class Training(Part):
    """A finetuning of a fixed length."""

    steps: PositiveInt
    optimiser: Optimiser
