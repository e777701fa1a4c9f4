"""How a study is executed: devices, batch sizes, limits, retries. None of it bears identity."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

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
        checkpoint_every: optimiser steps between two states that a trajectory which is cut off goes on from;
            None keeps none. A state takes three times the trained weights on disk, until its stage ends.
        time_limit: seconds that one attempt at a stage may take.
        memory_limit: gigabytes of main memory that a worker may hold.
        patience: seconds without any worker after which the cluster counts as lost.
    """

    of_kind: dict[Kind, Resources] = Field(default={})
    retries: NonNegativeInt = 2
    evaluation_batch: PositiveInt = 64
    micro_batch: PositiveInt = 32
    activation_checkpointing: bool = False
    keep_relearned: bool = False
    checkpoint_every: PositiveInt | None = 100
    time_limit: PositiveFloat | None = None
    memory_limit: PositiveFloat | None = None
    patience: PositiveFloat = 300

    def resources(self, kind: str) -> Resources:
        """What a stage of a kind asks for."""
        found: Resources = self.of_kind.get(kind, self)  # type: ignore[call-overload]  # any other: the default
        return found
