"""What trajectories cost in optimiser steps: those of a start that several trajectories share count once."""

from collections.abc import Iterable

from study.planning.proposer import History, Point
from study.settings.search import Budget
from study.spec import StudySpec

PART_ASKED = 0.25
"""The share of its points that a search is expected to ask for; these divide the cost of a shared start."""


class Spending:
    """The costs of the points of one spec."""

    def __init__(self, spec: StudySpec, candidates: Iterable[Point]) -> None:
        self._spec = spec
        self._relearn = max(spec.relearn_steps)
        self._sharing: dict[tuple[object, ...], int] = {}
        for point in candidates:
            for trunk in self._trunks(point):
                self._sharing[trunk] = self._sharing.get(trunk, 0) + 1

    def steps(
        self, points: Iterable[Point], before: Iterable[Point] = (), begun: Iterable[Point] = ()
    ) -> int:
        """Optimiser steps of some points.

        Args:
            before: points that are published; they cost nothing more, and neither does what they start from.
            begun: points of which the unlearned model is published.
        """
        there, total = self._taken(before, begun), 0
        for trunk, steps in self._taken(points).items():
            total += max(0, steps - there.get(trunk, 0))
        return total

    def costs(
        self, points: Iterable[Point], before: Iterable[Point], begun: Iterable[Point] = ()
    ) -> list[float]:
        """Of each point, the steps of its relearning and its share of the steps of what it starts from.

        What is published already costs nothing; see ``steps`` for the arguments.
        """
        there = self._taken(before, begun)
        return [self._cost(point, there) for point in points]

    def _cost(self, point: Point, there: dict[tuple[object, ...], int]) -> float:
        total = float(self._relearn)
        for trunk, steps in self._trunks(point).items():
            missing = max(0, steps - there.get(trunk, 0))
            total += missing / max(1.0, PART_ASKED * self._sharing.get(trunk, 1))
        return total

    def within(self, budget: Budget | None, history: History, points: list[Point]) -> list[Point]:
        """The points from the first on, as many as the budget still allows."""
        if budget is None:
            return points
        if budget.hours is not None:
            return points if history.seconds < budget.hours * 3600 else []
        if budget.trajectories is not None:
            return points[: max(0, budget.trajectories - len(history.asked))]
        allowed: list[Point] = []
        for point in points:
            if self.steps([*history.asked, *allowed, point], history.found, history.begun) > (
                budget.steps or 0
            ):
                break
            allowed.append(point)
        return allowed

    def _taken(self, points: Iterable[Point], begun: Iterable[Point] = ()) -> dict[tuple[object, ...], int]:
        taken: dict[tuple[object, ...], int] = {}
        for point in points:
            self._add(point, taken)
            taken["relearn", point] = self._relearn
        for point in begun:
            self._add(point, taken)
        return taken

    def _add(self, point: Point, taken: dict[tuple[object, ...], int]) -> None:
        for trunk, steps in self._trunks(point).items():
            taken[trunk] = max(taken.get(trunk, 0), steps)

    def _trunks(self, point: Point) -> dict[tuple[object, ...], int]:
        """The trajectories that a relearning starts from, and how many steps it needs of each."""
        spec = self._spec
        if spec.checkpoints is not None:
            return {}
        trunks: dict[tuple[object, ...], int] = {
            ("unlearn", point.model, point.seed, point.repetitions, point.method): point.depth
        }
        if spec.finetune is not None:
            trunks["finetune", point.model, point.seed, point.repetitions] = spec.finetune.steps
        if point.model == "embedded":
            trunks["base", point.model, point.seed] = spec.embedded.pretraining.steps
        return trunks


def in_words(budget: Budget) -> str:
    """``40 trajectories``."""
    for name, amount in budget.model_dump(exclude_none=True).items():
        return f"{amount:g} {name}"
    raise ValueError("a budget has one kind")
