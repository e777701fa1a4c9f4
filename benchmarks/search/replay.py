"""A search, replayed: a proposer asks, and the computed grid answers."""

from collections.abc import Callable, Iterable

from benchmarks.search.grids import Curves
from study.planning.proposer import History, Point

Propose = Callable[[History], tuple[Point, ...]]


def history_of(rounds: Iterable[tuple[Point, ...]], curves: Curves) -> History:
    """The history after some rounds."""
    rounds = tuple(rounds)
    return History(rounds=rounds, curves={point: curves[point] for asked in rounds for point in asked})


def replayed(propose: Propose, curves: Curves, budget: int | None = None) -> History:
    """The history when nothing more is proposed, or when the budget of trajectories is spent."""
    rounds: list[tuple[Point, ...]] = []
    left = budget
    while left is None or left > 0:
        points = propose(history_of(rounds, curves))[:left]
        if not points:
            break
        rounds.append(points)
        left = None if left is None else left - len(points)
    return history_of(rounds, curves)
