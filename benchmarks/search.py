"""The searches against the full grid at a quarter of its trajectories, beside random choice and a thinner grid.

    python -m benchmarks.search [GRID…]
    python -m benchmarks.search keep STUDY NAME    a computed grid into docs/NAME, for the tables

The grids were computed once and their rows are kept, so this takes no model: docs/names, docs/attacks and
docs/attacks_fine; and in other seeds of the model what was not looked at before both searches were as they are,
docs/names_held_out and docs/attacks_fine_held_out (docs/attacks_held_out was, once). All three ways of choosing are
read by the same estimator; they differ in what they ask alone. Then each search without a budget: where does it stop by
itself, and is the answer right there?
"""

import statistics
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from search_spaces.loading import load_space
from search_spaces.search.attack_space import Tried
from search_spaces.search.contour import crossing
from search_spaces.search.contour_search import Frontier
from search_spaces.search.pareto_search import Cheapest
from study.planning.proposer import Curve, History, Point, Proposer
from study.results.files import read_dataset
from study.results.schema import COORDINATES
from study.spec import StudySpec

DOCS = Path(__file__).parents[1] / "docs"
SEEDS = 20
PART = 0.25

NAMES = {"names": "seed=[0, 1, 2]", "names_held_out": "seed=[3, 4, 5]"}
"""Folder → the seeds of the model in it."""
OF_ATTACKS = ["repetitions=[7]", "depth=[8]", "corpus=[prefix, retain]"]
COARSE = "vary={learning_rate: [3e-4, 1e-3, 3e-3, 1e-2], rank: [1, 4, 16], fraction: [0.25, 0.5, 1]}"
FINE = (
    "vary={learning_rate: [2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2], rank: [1, 2, 4, 8, 16], "
    "fraction: [0.25, 0.5, 0.75, 1]}"
)
ATTACKS = {
    "attacks": ("seed=[0]", COARSE),
    "attacks_held_out": ("seed=[3, 4, 5]", COARSE),
    "attacks_fine": ("seed=[6]", FINE),
    "attacks_fine_held_out": ("seed=[7]", FINE),
}
"""Folder → the seeds of the model and the attacks in it; ``relearn run names`` with these values of ``--set``, those of
``OF_ATTACKS`` and ``start=[unlearned]`` computes it."""
EAGER = "search={question: frontier, tolerance: 0.001}"
"""It goes on to the end of its budget."""
FRONTIER = "search={question: frontier, tolerance: 1}"
CHEAPEST = "search={question: cheapest}"

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


def keep(study: Path, name: str) -> Path:
    """Puts the scores of a computed grid into docs/NAME: the cells of what is searched, under the spec's objective."""
    rows = read_dataset(study, "cells")
    metric = pc.is_in(rows["metric"], pa.array([load_space("names", [FRONTIER]).objective]))
    chosen = rows.filter(pc.and_(metric, pc.equal(rows["split"], "forget")))
    chosen = chosen.filter(pc.equal(chosen["start"], "unlearned"))
    target = DOCS / name / "cells.parquet"
    target.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(chosen.sort_by([(column, "ascending") for column in COORDINATES]), target)
    return target


def with_seed(spec: StudySpec, seed: int, budget: int | None) -> StudySpec:
    """The same search, drawn otherwise, and ended after so many trajectories, or by itself."""
    fields = spec.model_dump(mode="json")
    fields["search"] |= {"seed": seed, "budget": {"trajectories": budget} if budget else None}
    return StudySpec.model_validate(fields)


def searched(proposer: Proposer, curves: Curves) -> Iterator[History]:
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


def frontier_table(folder: str) -> Iterator[str]:
    """The lines of one grid of names."""
    spec = load_space("names", [EAGER, NAMES[folder]])
    points = list(Frontier(spec).candidates())
    curves = grid_of(folder, spec, points)
    truth = _true_contours(spec, curves)
    budget = int(PART * len(points))
    yield f"## {folder}"
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
    yield from _frontier_by_itself(folder, curves, truth)


def _frontier_by_itself(folder: str, curves: Curves, truth: np.ndarray) -> Iterator[str]:
    spec = load_space("names", [FRONTIER, NAMES[folder]])
    ends = []
    for seed in range(SEEDS):
        proposer = Frontier(with_seed(spec, seed, None))
        *_, last = searched(proposer, curves)
        found = proposer.estimate(last)
        held = np.mean((truth >= found.low - 1e-9) & (truth <= found.high + 1e-9))
        ends.append((len(last.asked), float(np.abs(found.place - truth).max()), float(held)))
    right = sum(error <= 1 for _, error, _ in ends)
    worst = max(error for _, error, _ in ends)
    inside = 100 * statistics.fmean(each for *_, each in ends)
    yield _stopped("a tolerance of one step", [asked for asked, _, _ in ends], len(curves)) + (
        f" Every contour is then within one step in {right} of {SEEDS} seeds (worst error {worst:.2f}); the bands have "
        f"{inside:.0f}% of the contours of the grid."
    )


def _stopped(when: str, asked: list[int], of: int) -> str:
    return (
        f"Without a budget it stops by {when} after {statistics.median(asked):g} trajectories (median; {min(asked)} to "
        f"{max(asked)}) of {of}."
    )


@dataclass(frozen=True)
class Attacks:
    """A computed grid of attacks on one model, and what is true there."""

    spec: StudySpec
    points: list[Point]
    curves: Curves
    front: list[Tried]
    truth: dict[tuple[object, int], Tried]

    @classmethod
    def of(cls, folder: str) -> "Attacks":
        """The grid in one folder."""
        spec = load_space("names", [CHEAPEST, *ATTACKS[folder], *OF_ATTACKS])
        whole = Cheapest(spec)
        (target,) = whole.targets
        points = list(whole.candidates())
        curves = grid_of(folder, spec, points)
        everything = History(rounds=(tuple(points),), curves=curves)
        truth = {(each.attack, each.relearn_steps): each for each in whole.tried(target, everything)}
        return cls(spec, points, curves, whole.front(target, everything), truth)

    @property
    def budget(self) -> int:
        """A quarter."""
        return int(PART * len(self.points))

    def covered(self, proposer: Cheapest, history: History) -> tuple[float, float]:
        """The share of the full front that some named attack stands for, and of the named that do not work."""
        (target,) = proposer.targets
        really = [self.truth[each.attack, each.relearn_steps] for each in proposer.front(target, history)]
        works = [each for each in really if each.success >= 0.5]
        covered = [any(proposer.stands_for(each, member) for each in works) for member in self.front]
        return statistics.fmean(covered), 1 - len(works) / len(really) if really else 0.0


def cheapest_table(folder: str) -> Iterator[str]:
    """The lines of one grid of attacks."""
    grid = Attacks.of(folder)
    yield f"## {folder}"
    yield (
        f"{len(grid.points)} trajectories, {len(grid.front)} attacks on the full front, budget {grid.budget}, "
        f"{SEEDS} seeds."
    )
    yield ""
    yield "| chosen by | seeds with all covered | of the front, covered | least | named that do not reach 50% |"
    yield "|---|---|---|---|---|"
    with ProcessPoolExecutor(initializer=threadpool_limits, initargs=(1, "blas")) as pool:
        searches = list(pool.map(_search_for_cheapest, [folder] * SEEDS, range(SEEDS)))
    ways = {"search": [at_budget for at_budget, _ in searches]}
    for name, choose in (("random", at_random), ("thinner grid", thinner)):
        chosen = [tuple(choose(grid.points, grid.budget, seed)) for seed in range(SEEDS)]
        histories = [History(rounds=(each,), curves=_known([each], grid.curves)) for each in chosen]
        ways[name] = [grid.covered(Cheapest(grid.spec), history) for history in histories]
    for name, of_seeds in ways.items():
        covered, wrong = zip(*of_seeds, strict=True)
        yield (
            f"| {name} | {sum(value == 1 for value in covered)} of {SEEDS} | {100 * statistics.fmean(covered):.1f}% | "
            f"{100 * min(covered):.0f}% | {100 * statistics.fmean(wrong):.0f}% |"
        )
    yield ""
    asked, covered, expected = zip(*(end for _, end in searches), strict=True)
    yield _stopped("its own rule", list(asked), len(grid.points)) + (
        f" The whole front is then covered in {sum(value == 1 for value in covered)} of {SEEDS} seeds "
        f"({100 * statistics.fmean(covered):.1f}% of it, at least {100 * min(covered):.0f}%; what it expected: "
        f"{100 * statistics.fmean(expected):.1f}%)."
    )


def _search_for_cheapest(folder: str, seed: int) -> tuple[tuple[float, float], tuple[int, float, float]]:
    """What is covered by a budget's end; and by its own, after how many trajectories and with what expectation.

    One search tells both: a budget of trajectories cuts its last round and changes nothing else.
    """
    grid = Attacks.of(folder)
    proposer = Cheapest(with_seed(grid.spec, seed, None))
    (target,) = proposer.targets
    *_, last = searched(proposer, grid.curves)
    cut = tuple(chain.from_iterable(last.rounds))[: grid.budget]
    at_budget = History(rounds=(cut,), curves=_known([cut], grid.curves))
    covered, _ = grid.covered(proposer, last)
    end = (len(last.asked), covered, proposer.expected_cover(target, last))
    return grid.covered(proposer, at_budget), end


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


def tables(grids: list[str]) -> Iterator[str]:
    """The lines of some grids, or of all."""
    unknown = set(grids) - {*NAMES, *ATTACKS}
    if unknown:
        sys.exit(f"{', '.join(sorted(unknown))}: expected some of {', '.join((*NAMES, *ATTACKS))}")
    for folder in grids or (*NAMES, *ATTACKS):
        yield from (frontier_table if folder in NAMES else cheapest_table)(folder)


if __name__ == "__main__":
    if sys.argv[1:2] == ["keep"]:
        print(keep(Path(sys.argv[2]), sys.argv[3]))
    else:
        with threadpool_limits(1, "blas"):  # as ``OnOneThread`` does
            for line in tables(sys.argv[1:]):
                print(line, flush=True)
