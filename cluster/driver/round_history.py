"""What is known before a round: what the store holds already, and what the rows of the rounds before it say."""

from collections.abc import Sequence

import pyarrow as pa

from cluster.storage.store import Store
from cluster.study_folder.study_plan import PlanOf
from study.artifacts.address import Address
from study.planning.plan import Plan, answers_address
from study.planning.proposer import Curve, History, Point
from study.results.schema import COORDINATES, coordinates_of

ROW_COLUMNS = (
    *COORDINATES,
    "split",
    "metric",
    "n",
    "value",
    "stage",
    "stage_step",
    "train_seconds",
    "evaluation_seconds",
)
"""Columns of the cells that a history is made of."""


def published(candidates: Sequence[Point], plan_of: PlanOf, store: Store) -> History:
    """Those candidates of which the store has every answer (found), or the model that they relearn (begun)."""
    there = set(store.addresses()) if candidates else set()
    if not there:
        return History()
    plan = plan_of(candidates)
    missing, unbegun = set(), set()
    for cell in plan.cells:
        if answers_address(cell) not in there:
            missing.add(cell.point)
        stage = plan.stages[cell.checkpoint.of.key]
        starts = [Address.of_weights(parent.of.key, parent.step) for parent in stage.parents]
        if stage.kind == "relearn" and any(start not in there for start in starts):
            unbegun.add(cell.point)
    return History(
        found=tuple(point for point in candidates if point not in missing),
        begun=tuple(point for point in candidates if point not in unbegun),
    )


def curves_of(plan: Plan, rows: pa.Table, metric: str) -> dict[Point, Curve]:
    """The curve of each trajectory of a plan whose cells all have rows.

    Args:
        rows: of ``results.CELLS``, at least the coordinates, split, metric, n and value.
    """
    points = {cell.coordinates: cell.point for cell in plan.cells if cell.point is not None}
    found: dict[Point, dict[int, tuple[float, int | None]]] = {}
    for row in rows.to_pylist():
        if row["metric"] == metric and row["split"] == "forget":
            point = points.get(coordinates_of(row))
            if point is not None:
                found.setdefault(point, {})[row["relearn_steps"]] = (row["value"], row["n"])
    steps = tuple(sorted(plan.spec.relearn_steps))
    return {
        point: Curve(steps, tuple(values[step][0] for step in steps), values[steps[0]][1])
        for point, values in found.items()
        if len(values) == len(steps)
    }


def seconds_of(rows: pa.Table, without: set[str]) -> float:
    """Seconds that the stages of these rows took, without the stages in ``without``."""
    names = ("stage", "stage_step", "train_seconds", "evaluation_seconds")
    distinct = {tuple(row[name] for name in names) for row in rows.select(names).to_pylist()}
    training: dict[str, float] = {}
    evaluation = 0.0
    for stage, _, train, evaluate in distinct:
        if stage not in without:
            training[stage] = max(training.get(stage, 0.0), train)
            evaluation += evaluate
    return sum(training.values()) + evaluation
