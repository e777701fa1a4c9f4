"""What the embedded model took on one kind of machine: a first plan's estimate, where nothing is measured yet.

The numbers are those of the recorded names study (docs/names), whole and in one run. They hold for the embedded model
as it is by default, on a CPU; of any other model nothing is said, since seconds do not follow from its size alone.
"""

from typing import NamedTuple

from study.planning.plan import Plan
from study.planning.stages import Embedded
from study.planning.step_times import StepTimes
from study.settings.model import Architecture

MACHINE = "two cores of an AMD EPYC, a stage on each"
START_UP_SECONDS = 15.0


class Measured(NamedTuple):
    """One kind of stage: its text in characters a step; optimiser steps, evaluations of ``PROBES``, seconds of both."""

    kind: str
    method: str
    characters: float
    steps: int
    train_seconds: float
    evaluations: int
    evaluation_seconds: float


PROBES = 124
MEASURED = (
    Measured("base", "", 6390, 900, 388.2, 3, 3.4),
    Measured("finetune", "", 2470, 3_000, 368.4, 15, 11.4),
    Measured("unlearn", "gradient_ascent", 915, 144, 4.3, 60, 25.6),
    Measured("relearn", "", 252, 9_240, 211.4, 924, 393.1),
)


def shipped_step_times(plan: Plan) -> StepTimes | None:
    """Step times from the table; None for a plan of other models, or of stages that ask for a GPU."""
    sources = [stage.source for stage in plan.stages.values()]
    alike = all(isinstance(each, Embedded) and each.architecture == Architecture() for each in sources)
    if not alike or plan.spec.execution.asks_for_gpus:
        return None
    times = StepTimes()
    times.started(START_UP_SECONDS)
    for each in MEASURED:
        described = {"kind": each.kind, "method": {"name": each.method}, "characters": each.characters}
        times.trained(each.kind, described, each.steps, each.train_seconds)
        times.asked(each.kind, each.evaluations * PROBES, each.evaluation_seconds)
    return times
