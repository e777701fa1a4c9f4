"""How a study is executed: devices, batch sizes, limits, retries. None of it bears identity."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator, model_validator

from study.results.recorded_spec import RENAMED
from study.settings.part import Part

Kind = Literal["base", "finetune", "reinforce", "unlearn", "relearn", "pretrained", "embedded", "served"]
"""The kinds of stage, see ``study.planning.stages``."""

WITHOUT_TRAINING = ("pretrained", "embedded", "served")

LEAST_SHARE = 0.0001
"""Of a GPU: Ray counts in units of it."""
Seconds = Annotated[float, Field(gt=0, le=1e9)]
"""No longer than thirty years, which a clock can wait."""


class Resources(Part):
    """What a stage asks for on one node.

    Attributes:
        cpus: cores of each process; also its threads.
        gpus: below 1, several stages share a GPU; with more than 1, as many processes train all weights together, or
            one spreads the layers of a model over them that gets an adapter or is only evaluated.
        processes: that train all weights together on the CPU. More than one processor's memory may be near to them; the
            numbers are those of one process with a smaller micro_batch.
        offload: ``cpu`` keeps the layers of a model in main memory that gets an adapter or is only evaluated, and
            copies each to the GPU for its pass: for what fits no card; slower.
    """

    cpus: PositiveInt = 1
    gpus: float = Field(default=0, ge=0)
    processes: PositiveInt = 1
    offload: Literal["none", "cpu"] = "none"

    @field_validator("gpus")
    @classmethod
    def _a_share_or_whole(cls, gpus: float) -> float:
        if (gpus > 1 and gpus != int(gpus)) or 0 < gpus < LEAST_SHARE:
            raise ValueError(
                f"expected a share of one GPU ({LEAST_SHARE} to 1) or a whole number of them, got {gpus:g}"
            )
        return gpus

    @model_validator(mode="after")
    def _a_process_for_each_gpu(self) -> "Resources":
        if self.gpus and self.processes > 1:
            raise ValueError(
                f"processes={self.processes} is for stages that compute on the CPU; with gpus={self.gpus:g} there is "
                "one process for each GPU: leave processes out"
            )
        return self

    @model_validator(mode="after")
    def _offloaded_to_one_gpu(self) -> "Resources":
        if self.offload == "cpu" and self.gpus > 1:
            raise ValueError(
                f"offload=cpu is for what fits no card, and computes on one; with gpus={self.gpus:g} the layers are "
                "spread over the cards: give gpus=1, or offload=none"
            )
        return self

    @property
    def members(self) -> int:
        """Processes that train all weights together."""
        return int(self.gpus) if self.gpus > 1 else self.processes

    @property
    def cores(self) -> int:
        """Of all processes."""
        return self.cpus * self.members


class ServiceLimits(Part):
    """What a study through a fine-tuning API may take of its service.

    Attributes:
        at_once: stages that ask it at a time: a job that is waited for, or a model that is asked.
        most_jobs: jobs of the whole study; a study that needs more is refused before any begins.
        most_training_tokens: of all its jobs together, as ``relearn plan`` estimates them, and the service counts those
            that ended.
        price_per_million_tokens: of training, in any money; shown by ``relearn plan``.
    """

    at_once: PositiveInt = 1
    most_jobs: PositiveInt | None = None
    most_training_tokens: PositiveInt | None = None
    price_per_million_tokens: PositiveFloat | None = None


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
        deterministic: on a GPU only kernels that give the same bits again, where torch has them; slower. A CPU does so
            anyway.
        keep_relearned: whether relearned weights are kept too.
        checkpoint_every_steps: optimiser steps between two states, from which a trajectory goes on that was cut off;
            None keeps none. A state takes three times the trained weights on disk, until its stage ends.
        checkpoint_share: how much of the time that training took may go into states, up to 1; one that would take more
            is left out. None: as often as the steps say.
        time_limit_seconds: how long one attempt at a stage may take.
        memory_limit_gb: main memory that a worker may hold, in units of 10⁹ bytes.
        patience_seconds: how long no worker may be there until the cluster counts as lost.
        service: of a study through a fine-tuning API.
    """

    of_kind: dict[Kind, Resources] = Field(default={})
    retries: NonNegativeInt = 2
    evaluation_batch: PositiveInt = 64
    micro_batch: PositiveInt = 32
    activation_checkpointing: bool = False
    deterministic: bool = False
    keep_relearned: bool = False
    checkpoint_every_steps: PositiveInt | None = 100
    checkpoint_share: Annotated[float, Field(gt=0, le=1)] | None = 0.05
    time_limit_seconds: Seconds | None = None
    memory_limit_gb: PositiveFloat | None = None
    patience_seconds: Seconds = 300
    service: ServiceLimits = ServiceLimits()

    @model_validator(mode="before")
    @classmethod
    def _units_stand_in_the_keys(cls, fields: Any) -> Any:
        for old, new in RENAMED.items():
            if isinstance(fields, Mapping) and old in fields:
                raise ValueError(f"{old} is now called {new}: give {new}={fields[old]}")
        return fields

    @property
    def asks_for_gpus(self) -> bool:
        """Whether stages of any kind compute on a GPU."""
        return any(each.gpus > 0 for each in (self, *self.of_kind.values()))

    def batches(self) -> dict[str, int]:
        """What decides how much memory a stage takes at a time."""
        return {"micro_batch": self.micro_batch, "evaluation_batch": self.evaluation_batch}

    def with_half_batches(self) -> "Execution | None":
        """The same with half as much at a time; None where both are 1 already."""
        if self.micro_batch == self.evaluation_batch == 1:
            return None
        return self.model_copy(update={name: max(1, size // 2) for name, size in self.batches().items()})

    def resources(self, kind: str) -> Resources:
        """What a stage of a kind asks for; one that only evaluates is one process on the CPU."""
        found: Resources = self.of_kind.get(kind, self)  # type: ignore[call-overload]  # any other: the default
        return found.model_copy(update={"processes": 1}) if kind in WITHOUT_TRAINING else found
