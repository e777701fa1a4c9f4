"""What a plan costs: steps and evaluations with and without sharing, disk, and time once it is known."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from study.artifacts.address import Address
from study.planning.makespan import makespan
from study.planning.plan import Plan
from study.planning.stages import Checkpoint, Embedded, Node, Pretrained, Stage, Trajectory
from study.planning.step_times import StepTimes, seconds_of
from study.settings.optimiser import LoRA

FLOAT_BYTES = 4
"""Of a weight of an embedded model, and of an adapter's in any precision."""
ATTENTION, INNER = ("q_proj", "k_proj", "v_proj", "o_proj"), ("gate_proj", "up_proj", "down_proj")
"""The linear layers of a decoder's layer, as nearly all families name them."""


def adapter_weights(lora: LoRA, layers: int, width: int, inner: int, key_width: int) -> int:
    """Weights of an adapter; where its targets are named otherwise, as if it were on all linear layers.

    Args:
        width, inner, key_width: hidden_size, intermediate_size, and the width of a layer's keys.
    """
    rows_and_columns = {
        **dict.fromkeys(ATTENTION, 2 * width),
        **dict.fromkeys(("k_proj", "v_proj"), width + key_width),
        **dict.fromkeys(INNER, width + inner),
    }
    named: Collection[str] = rows_and_columns if isinstance(lora.targets, str) else lora.targets
    if not set(named) <= set(rows_and_columns):
        named = rows_and_columns
    return layers * lora.rank * sum(rows_and_columns[name] for name in named)


@dataclass(frozen=True)
class Cost:
    """All counts are of optimiser steps, evaluations of a checkpoint, bytes, or wall seconds.

    ``alone`` counts what running every cell by itself would take. ``read_bytes`` is what the stages that are missing
    read of checkpoints, each by itself. ``seconds`` is what is missing, on ``slots`` stages at once, with
    ``start_up_seconds`` before the first; None while no stage of this store has been measured.
    """

    cells: int
    stages: dict[str, int]
    train_steps: int
    train_steps_alone: int
    evaluations: int
    evaluations_alone: int
    kept_checkpoints: int
    disk_bytes: int
    read_bytes: int
    artifacts: int
    artifacts_published: int
    stages_published: int
    seconds: float | None
    start_up_seconds: float
    slots: int

    @property
    def steps_factor(self) -> float:
        """How many times fewer optimiser steps sharing takes."""
        return self.train_steps_alone / self.train_steps if self.train_steps else 1.0

    @property
    def evaluations_factor(self) -> float:
        """How many times fewer evaluations sharing takes."""
        return self.evaluations_alone / self.evaluations if self.evaluations else 1.0


def cost(
    plan: Plan,
    published: Iterable[Address],
    step_times: StepTimes,
    weight_bytes: Callable[[Pretrained, LoRA | None], int],
    slots: int,
) -> Cost:
    """The cost of a plan over a store.

    Args:
        published: what the store holds.
        step_times: what steps and evaluations take, as measured.
        weight_bytes: what a checkpoint of a model that is not embedded takes: of an adapter, or of all weights.
        slots: how many stages run at once.
    """
    there = set(published)
    missing = {
        key: [address for address in stage.publishes if address not in there]
        for key, stage in plan.stages.items()
    }
    kept = 0
    disk = 0
    for stage in plan.stages.values():
        for step in stage.keep:
            kept += 1
            if Address.of_weights(stage.key, step) not in there:
                disk += _bytes_of_weights(stage.node, weight_bytes)
    read = sum(
        _bytes_of_weights(link.of, weight_bytes)
        for key, stage in plan.stages.items()
        if missing[key]
        for link in _links(stage)
    )
    left = remaining_seconds(plan, missing, step_times, slots)
    return Cost(
        cells=len(plan.cells),
        stages=dict(Counter(stage.kind for stage in plan.stages.values())),
        train_steps=sum(_steps(stage) for stage in plan.stages.values()),
        train_steps_alone=sum(train_steps_alone(cell.checkpoint) for cell in plan.cells),
        evaluations=sum(len(stage.evaluate) for stage in plan.stages.values()),
        evaluations_alone=len(plan.cells),
        kept_checkpoints=kept,
        disk_bytes=disk,
        read_bytes=read,
        artifacts=sum(len(stage.publishes) for stage in plan.stages.values()),
        artifacts_published=sum(
            len(stage.publishes) - len(missing[key]) for key, stage in plan.stages.items()
        ),
        stages_published=sum(1 for addresses in missing.values() if not addresses),
        seconds=None if left is None else left + (step_times.start_up_seconds if left else 0.0),
        start_up_seconds=step_times.start_up_seconds,
        slots=slots,
    )


def _steps(stage: Stage) -> int:
    return stage.last_step if isinstance(stage.node, Trajectory) else 0


def train_steps_alone(checkpoint: Checkpoint) -> int:
    """Optimiser steps of a checkpoint's whole chain, a method's helper included: what it takes by itself."""
    steps: dict[str, int] = {}

    def add(checkpoint: Checkpoint) -> None:
        node = checkpoint.of
        if not isinstance(node, Trajectory):
            return
        steps[node.key] = max(checkpoint.step, steps.get(node.key, 0))
        add(node.parent)
        if node.helper is not None:
            add(node.helper)

    add(checkpoint)
    return sum(steps.values())


def _links(stage: Stage) -> Iterable[Checkpoint]:
    """The checkpoints whose files a stage reads: its parents', and those of the origin of its distances."""
    origin = stage.node.origin if isinstance(stage.node, Trajectory) else None
    links = (*stage.parents, *(() if origin is None else origin.chain))
    return {link.address: link for link in links}.values()


def _bytes_of_weights(node: Node, weight_bytes: Callable[[Pretrained, LoRA | None], int]) -> int:
    source = node.source if isinstance(node, Trajectory) else node
    if not isinstance(source, Pretrained | Embedded):
        return 0  # a service's
    lora = node.optimiser.lora if isinstance(node, Trajectory) else None
    if not isinstance(source, Embedded):
        return weight_bytes(source, lora)
    shape = source.architecture
    if lora is not None:
        return FLOAT_BYTES * adapter_weights(lora, shape.layers, shape.width, 4 * shape.width, shape.width)
    words = len(source.vocabulary) + 3
    layer = 4 * shape.width**2 + 3 * 4 * shape.width**2 + 2 * shape.width
    return FLOAT_BYTES * (2 * words * shape.width + shape.layers * layer + shape.width)


def remaining_seconds(
    plan: Plan, missing: Mapping[str, list[Address]], step_times: StepTimes, slots: int
) -> float | None:
    """Wall seconds that the missing artifacts will take on some slots; None before anything was measured."""
    if not any(missing.values()):
        return 0.0
    if not step_times.known:
        return None
    seconds = {}
    for key, addresses in missing.items():
        if addresses:
            stage = plan.stages[key]
            there = {(address.step, address.what) for address in addresses}
            asked = [
                evaluation
                for step, evaluation in stage.evaluate
                if (step, Address.of_answers(key, step, evaluation.key).what) in there
            ]
            steps = max(address.step for address in addresses)
            seconds[key] = seconds_of(step_times, stage.node, steps, asked)
    return makespan(plan, seconds, slots)
