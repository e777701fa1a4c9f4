"""What a study would cost, in lines for a person."""

from collections.abc import Iterator, Sequence

from cluster.terminal import duration
from study.planning.cost import Cost
from study.planning.plan import Plan


def cost_rows(cost: Cost, plan: Plan, overrides: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Name and value of each line of `relearn plan`."""
    kinds = ", ".join(f"{kind} {count}" for kind, count in cost.stages.items())
    yield "cells", f"{cost.cells:,}"
    yield "unique stages", f"{len(plan.stages):,} ({kinds})"
    yield (
        "training steps",
        f"{cost.train_steps:,} shared, {cost.train_steps_alone:,} cell by cell: "
        f"{cost.steps_factor:.1f} times fewer",
    )
    yield (
        "evaluations",
        f"{cost.evaluations:,} shared, {cost.evaluations_alone:,} cell by cell: "
        f"{cost.evaluations_factor:.1f} times fewer",
    )
    yield (
        "disk still to take",
        f"{cost.disk_bytes / 1e6:,.0f} MB for checkpoints ({cost.kept_checkpoints} are kept in all)",
    )
    yield (
        "published already",
        f"{cost.stages_published:,} stages, {cost.artifacts_published:,} of {cost.artifacts:,} artifacts",
    )
    yield (
        "time",
        "unknown, until a stage has been measured in this store"
        if cost.seconds is None
        else f"about {duration(cost.seconds)} with {cost.slots} at once, {duration(cost.start_up_seconds)} of them to "
        "start, from what was measured",
    )
    for count, found in plan.audits.items():
        for each in found:
            if each.leak is not None:
                yield "leak, marked", f"{each.corpus}, repetitions={count}: {each.leak}"
    if overrides:
        yield "overrides", "; ".join(overrides)
