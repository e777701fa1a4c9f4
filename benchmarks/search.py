"""The searches against the full grid at a quarter of its trajectories, beside random choice and a thinner grid.

    python -m benchmarks.search

The grids were computed once and their rows are kept (docs/names, docs/attacks), so this takes minutes and no model.
All three ways of choosing are read by the same estimator; they differ in what they ask alone.
"""

import statistics
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from search_spaces.cheapest import Cheapest, Tried
from search_spaces.contour import crossing
from search_spaces.frontier import Frontier
from search_spaces.loading import load_space
from study.points import Curve, History, Point
from study.spec import StudySpec

DOCS = Path(__file__).parents[1] / "docs"
SEEDS = 20
PART = 0.25
SUCCESS = 0.1
"""By how much an attack may succeed less than one of the full front and still stand for it."""

NAMES = ("names", ["search={question: frontier, tolerance: 0.001}"])
ATTACKS = (
    "names",
    [
        "search={question: cheapest}",
        "repetitions=[7]",
        "depth=[8]",
        "seed=[0]",
        "corpus=[prefix, retain]",
        "vary={learning_rate: [3e-4, 1e-3, 3e-3, 1e-2], rank: [1, 4, 16], fraction: [0.25, 0.5, 1]}",
    ],
)
"""The attacks of docs/attacks; ``relearn run`` with the same values of ``--set`` but the first computes them."""

Curves = dict[Point, Curve]
Choose = Callable[[list[Point], int, int], list[Point]]


def grid_of(folder: str, spec: StudySpec, points: Iterable[Point]) -> Curves:
    """What every trajectory of a computed grid answered."""
    rows = pq.read_table(DOCS / folder / "cells.parquet").to_pylist()
    steps = tuple(sorted(spec.relearn_steps))
    scores = {
        (
            row["start"],
            row["repetitions"],
            row["depth"],
            row["corpus"],
            row["seed"],
            row["relearn_steps"],
        ): row
        for row in rows
        if row["metric"] == spec.objective and row["split"] == "forget"
    }
    found = {}
    for point in points:
        place = (point.start, point.repetitions, point.depth, point.attack.label, point.seed)
        along = [scores[(*place, step)] for step in steps]
        found[point] = Curve(steps, tuple(float(row["value"]) for row in along), along[0]["n"])
    return found


def with_seed(spec: StudySpec, seed: int, budget: int) -> StudySpec:
    """The same search, drawn otherwise, and ended after so many trajectories."""
    fields = spec.model_dump(mode="json")
    fields["search"] |= {"seed": seed, "budget": {"trajectories": budget}}
    return StudySpec.model_validate(fields)


def searched(proposer: Frontier | Cheapest, curves: Curves) -> Iterator[History]:
    """The history after each round, until the search ends."""
    rounds: list[tuple[Point, ...]] = []
    while points := proposer.propose(History(rounds=tuple(rounds), curves=_known(rounds, curves))):
        rounds.append(points)
        yield History(rounds=tuple(rounds), curves=_known(rounds, curves))


def at_random(points: list[Point], count: int, seed: int) -> list[Point]:
    """So many of the points, each as likely as another."""
    return [points[index] for index in np.random.default_rng(seed).choice(len(points), count, replace=False)]


def thinner(points: list[Point], count: int, seed: int) -> list[Point]:
    """So many of the points at equal distances along the grid, beginning somewhere."""
    places = (np.linspace(0, len(points), count, endpoint=False) + seed) % len(points)
    return [points[index] for index in places.astype(int)]


def frontier_table() -> Iterator[str]:
    """The lines of the first table."""
    spec = load_space(*NAMES)
    points = list(Frontier(spec).candidates())
    curves = grid_of("names", spec, points)
    truth = _true_contours(spec, curves)
    budget = int(PART * len(points))
    yield f"{len(points)} trajectories, {truth.size} contours (context × steps), budget {budget}, {SEEDS} seeds."
    yield ""
    yield "| chosen by | seeds with all within one step | contours within one step | worst error | mean error |"
    yield "|---|---|---|---|---|"
    ways: dict[str, list[np.ndarray]] = {"search": [], "random": [], "thinner grid": []}
    needed, inside = [], []
    for seed in range(SEEDS):
        proposer = Frontier(with_seed(spec, seed, budget))
        errors = []
        for history in searched(proposer, curves):
            found = proposer.estimate(history)
            errors.append((len(history.asked), np.abs(found.place - truth)))
        inside.append(np.mean((truth >= found.low - 1e-9) & (truth <= found.high + 1e-9)))
        ways["search"].append(errors[-1][1])
        within = [asked for asked, error in errors if error.max() <= 1]
        beyond = [asked for asked, error in errors if error.max() > 1]
        needed.append(min((asked for asked in within if asked > max(beyond, default=0)), default=None))
        for name, choose in (("random", at_random), ("thinner grid", thinner)):
            ways[name].append(np.abs(_estimate(proposer, choose(points, budget, seed), curves) - truth))
    for name, of_seeds in ways.items():
        worst = [error.max() for error in of_seeds]
        within_one = [np.mean(error <= 1) for error in of_seeds]
        whole = sum(value <= 1 for value in worst)
        mean = statistics.fmean(error.mean() for error in of_seeds)
        yield (
            f"| {name} | {whole} of {SEEDS} | {100 * statistics.fmean(within_one):.1f}% | "
            f"{statistics.fmean(worst):.2f} (at most {max(worst):.2f}) | {mean:.2f} |"
        )
    reached = sorted(asked for asked in needed if asked is not None)
    yield ""
    yield (
        f"Trajectories after which every contour is within one step and stays so: median "
        f"{statistics.median(reached):g}, most {reached[-1]}, of {len(points)}, in the {len(reached)} seeds that got "
        f"there. The 95% band of the last round has {100 * statistics.fmean(inside):.0f}% of the contours of the grid."
    )


def cheapest_table() -> Iterator[str]:
    """The lines of the second table."""
    spec = load_space(*ATTACKS)
    points = list(Cheapest(spec).candidates())
    curves = grid_of("attacks", spec, points)
    whole = Cheapest(spec)
    (target,) = whole.targets
    everything = History(rounds=(tuple(points),), curves=curves)
    front = whole.front(target, everything)
    truth = {(each.attack, each.relearn_steps): each for each in whole.tried(target, everything)}
    budget = int(PART * len(points))
    yield f"{len(points)} trajectories, {len(front)} attacks on the full front, budget {budget}, {SEEDS} seeds."
    yield ""
    yield "| chosen by | seeds with all covered | of the front, covered | least | named that do not reach 50% |"
    yield "|---|---|---|---|---|"
    ways: dict[str, list[tuple[float, float]]] = {"search": [], "random": [], "thinner grid": []}
    for seed in range(SEEDS):
        proposer = Cheapest(with_seed(spec, seed, budget))
        *_, last = searched(proposer, curves)
        ways["search"].append(_covered(proposer, proposer.front(target, last), front, truth))
        for name, choose in (("random", at_random), ("thinner grid", thinner)):
            chosen = tuple(choose(points, budget, seed))
            history = History(rounds=(chosen,), curves=_known([chosen], curves))
            ways[name].append(_covered(proposer, proposer.front(target, history), front, truth))
    for name, of_seeds in ways.items():
        covered, wrong = zip(*of_seeds, strict=True)
        yield (
            f"| {name} | {sum(value == 1 for value in covered)} of {SEEDS} | {100 * statistics.fmean(covered):.1f}% | "
            f"{100 * min(covered):.0f}% | {100 * statistics.fmean(wrong):.0f}% |"
        )


def _covered(
    proposer: Cheapest, named: list[Tried], front: list[Tried], truth: dict[tuple[object, int], Tried]
) -> tuple[float, float]:
    """The share of the full front that some named attack stands for, and of the named that do not work."""
    really = [truth[each.attack, each.relearn_steps] for each in named]
    works = [each for each in really if each.success >= 0.5]
    covered = [
        any(each.success >= member.success - SUCCESS and proposer.near(each, member) for each in works)
        for member in front
    ]
    wrong = 1 - len(works) / len(really) if really else 0.0
    return statistics.fmean(covered), wrong


def _known(rounds: Iterable[Iterable[Point]], curves: Curves) -> Curves:
    return {point: curves[point] for points in rounds for point in points}


def _estimate(proposer: Frontier, chosen: list[Point], curves: Curves) -> np.ndarray:
    history = History(rounds=(tuple(chosen),), curves=_known([chosen], curves))
    return proposer.estimate(history).place


def _true_contours(spec: StudySpec, curves: Curves) -> np.ndarray:
    """Of the mean over seeds of the full grid."""
    proposer = Frontier(spec)
    depths = sorted(spec.depth)
    means = np.zeros((len(proposer.contexts), len(spec.relearn_steps), len(depths)))
    for point, curve in curves.items():
        place = proposer.contexts.index((point.model, point.method, point.repetitions, point.attack.label))
        means[place, :, depths.index(point.depth)] += np.array(curve.value) / len(spec.seed)
    return crossing(means, 0.5)


if __name__ == "__main__":
    for line in (*frontier_table(), "", *cheapest_table()):
        print(line, flush=True)
