"""How a study is executed: devices, batch sizes, limits, retries. None of it bears identity."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from study.results.recorded_spec import RENAMED
from study.settings.part import Part

Kind = Literal["base", "finetune", "reinforce", "unlearn", "relearn", "pretrained", "embedded"]
"""The kinds of stage, see ``study.planning.stages``."""


class Resources(Part):
    """What a stage asks for on one node. ``gpus`` below 1 lets several stages share a GPU."""

    cpus: PositiveInt = 1
    gpus: float = Field(default=0, ge=0)


class Execution(Resources):
    """How stages run. Bears no identity.

    ``cpus`` is also the number of threads of a stage: on a CPU, sums in another order can differ in the
    last bit, so rows are compared to the bit only between runs with equal ``cpus``.

    Attributes:
        of_kind: what stages of a kind ask for instead, such as ``{relearn: {gpus: 0.25}}``: an adapter needs
            less of a GPU than a finetuning.
        retries: how often a stage is tried again whose worker was lost.
        evaluation_batch: probes that are answered at a time.
        micro_batch: training sequences in one forward pass; gradients are accumulated up to the batch.
        activation_checkpointing: computes activations twice instead of keeping them: less memory, more time.
        keep_relearned: whether relearned weights are kept too.
        checkpoint_every_steps: optimiser steps between two states, from which a trajectory goes on that was cut off;
            None keeps none. A state takes three times the trained weights on disk, until its stage ends.
        time_limit_seconds: how long one attempt at a stage may take.
        memory_limit_gb: main memory that a worker may hold, in units of 10⁹ bytes.
        patience_seconds: how long no worker may be there until the cluster counts as lost.
    """

    of_kind: dict[Kind, Resources] = Field(default={})
    retries: NonNegativeInt = 2
    evaluation_batch: PositiveInt = 64
    micro_batch: PositiveInt = 32
    activation_checkpointing: bool = False
    keep_relearned: bool = False
    checkpoint_every_steps: PositiveInt | None = 100
    time_limit_seconds: PositiveFloat | None = None
    memory_limit_gb: PositiveFloat | None = None
    patience_seconds: PositiveFloat = 300

    @model_validator(mode="before")
    @classmethod
    def _units_stand_in_the_keys(cls, fields: Any) -> Any:
        for old, new in RENAMED.items():
            if isinstance(fields, Mapping) and old in fields:
                raise ValueError(f"{old} is now called {new}: give {new}={fields[old]}")
        return fields

    def resources(self, kind: str) -> Resources:
        """What a stage of a kind asks for."""
        found: Resources = self.of_kind.get(kind, self)  # type: ignore[call-overload]  # any other: the default
        return found
