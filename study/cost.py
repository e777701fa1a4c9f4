"""What a plan costs: steps and evaluations with and without sharing, disk, and time once it is known."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from study.artifacts import Address
from study.plan import Plan
from study.stages import Checkpoint, Embedded, Stage, Trajectory

FLOAT_BYTES = 4


@dataclass(frozen=True)
class Cost:
    """All counts are of optimiser steps, evaluations of a checkpoint, bytes, or wall seconds.

    ``alone`` counts what running every cell by itself would take. ``seconds`` is what is missing, on
    ``slots`` stages at once; None while no stage of this store has been measured.
    """

    cells: int
    stages: dict[str, int]
    train_steps: int
    train_steps_alone: int
    evaluations: int
    evaluations_alone: int
    kept_checkpoints: int
    disk_bytes: int
    artifacts: int
    artifacts_published: int
    stages_published: int
    seconds: float | None
    slots: int

    @property
    def steps_factor(self) -> float:
        """How many times fewer optimiser steps sharing takes."""
        return self.train_steps_alone / self.train_steps if self.train_steps else 1.0

    @property
    def evaluations_factor(self) -> float:
        """How many times fewer evaluations sharing takes."""
        return self.evaluations_alone / self.evaluations if self.evaluations else 1.0


def wanted(stage: Stage) -> list[Address]:
    """Every artifact that a stage publishes."""
    return [
        *(Address.of_weights(stage.key, step) for step in stage.keep),
        *(Address.of_answers(stage.key, step, e.key) for step, e in stage.evaluate),
    ]


def cost(
    plan: Plan,
    published: Iterable[Address],
    measured: Mapping[str, "Throughput"],
    weight_bytes: Mapping[str, int],
    slots: int,
) -> Cost:
    """The cost of a plan over a store.

    Args:
        published: what the store holds.
        measured: throughput by kind of stage, see ``throughput``.
        weight_bytes: bytes of one checkpoint by model location, for models that are not embedded.
        slots: how many stages run at once.
    """
    there = set(published)
    missing = {
        key: [address for address in wanted(stage) if address not in there]
        for key, stage in plan.stages.items()
    }
    kept = 0
    disk = 0
    for stage in plan.stages.values():
        for step in stage.keep:
            kept += 1
            if Address.of_weights(stage.key, step) not in there:
                disk += _bytes_of_weights(stage, weight_bytes)
    return Cost(
        cells=len(plan.cells),
        stages=dict(Counter(stage.kind for stage in plan.stages.values())),
        train_steps=sum(_steps(stage) for stage in plan.stages.values()),
        train_steps_alone=sum(_steps_alone(cell.checkpoint) for cell in plan.cells),
        evaluations=sum(len(stage.evaluate) for stage in plan.stages.values()),
        evaluations_alone=len(plan.cells),
        kept_checkpoints=kept,
        disk_bytes=disk,
        artifacts=sum(len(wanted(stage)) for stage in plan.stages.values()),
        artifacts_published=sum(len(wanted(stage)) - len(missing[key]) for key, stage in plan.stages.items()),
        stages_published=sum(1 for addresses in missing.values() if not addresses),
        seconds=remaining_seconds(plan, missing, measured, slots),
        slots=slots,
    )


@dataclass(frozen=True)
class Throughput:
    """Measured wall seconds of one optimiser step and of one evaluation, for a kind of stage."""

    step_seconds: float
    evaluation_seconds: float


class Meter:
    """Adds up what stages of each kind took."""

    def __init__(self) -> None:
        self._sums: dict[str, list[float]] = {}

    def add(
        self, kind: str, train_seconds: float, steps: int, evaluation_seconds: float, evaluations: int
    ) -> None:
        """One more measurement."""
        sums = self._sums.setdefault(kind, [0.0, 0.0, 0.0, 0.0])
        for index, amount in enumerate((train_seconds, steps, evaluation_seconds, evaluations)):
            sums[index] += amount

    def throughput(self) -> dict[str, Throughput]:
        """Means by kind of stage; kinds that were never measured are absent."""
        return {
            kind: Throughput(
                seconds / steps if steps else 0.0, evaluation / evaluations if evaluations else 0.0
            )
            for kind, (seconds, steps, evaluation, evaluations) in self._sums.items()
        }


def meter_of_records(records: Iterable[Mapping[str, Any]]) -> Meter:
    """What the records of published answers say."""
    meter = Meter()
    for record in records:
        facts = record.get("facts", {})
        if "evaluation_seconds" in facts:
            meter.add(
                str(record["stage"]["kind"]),
                facts["train_seconds"],
                facts["train_steps"],
                facts["evaluation_seconds"],
                1,
            )
    return meter


def _steps(stage: Stage) -> int:
    return stage.last_step if isinstance(stage.node, Trajectory) else 0


def _steps_alone(checkpoint: Checkpoint) -> int:
    steps = 0
    while isinstance(checkpoint.of, Trajectory):
        steps += checkpoint.step
        checkpoint = checkpoint.of.parent
    return steps


def _bytes_of_weights(stage: Stage, weight_bytes: Mapping[str, int]) -> int:
    node = stage.node
    source = node.source if isinstance(node, Trajectory) else node
    if not isinstance(source, Embedded):
        return weight_bytes.get(source.location, 0)
    shape = source.architecture
    words = len(source.vocabulary) + 3
    layer = 4 * shape.width**2 + 3 * 4 * shape.width**2 + 2 * shape.width
    return FLOAT_BYTES * (2 * words * shape.width + shape.layers * layer + shape.width)


def remaining_seconds(
    plan: Plan,
    missing: Mapping[str, list[Address]],
    measured: Mapping[str, Throughput],
    slots: int,
) -> float | None:
    """Wall seconds that the missing artifacts will take; None before anything was measured.

    A kind of stage that was never measured is taken to be like the mean of those that were.
    """
    if not any(missing.values()):
        return 0.0
    if not measured:
        return None
    steps = [known.step_seconds for known in measured.values() if known.step_seconds]
    evaluations = [known.evaluation_seconds for known in measured.values()]
    typical = Throughput(sum(steps) / len(steps) if steps else 0.0, sum(evaluations) / len(evaluations))
    total = 0.0
    for key, addresses in missing.items():
        if addresses:
            known = measured.get(plan.stages[key].kind, typical)
            total += max(address.step for address in addresses) * known.step_seconds
            total += known.evaluation_seconds * sum(
                address.what.startswith("answers") for address in addresses
            )
    return total / slots
