"""Ways to choose the next trajectories for the contour: random, a thinner grid, and libraries.

A sampler of Optuna knows no contours: it minimises the distance of a trajectory's success from the level, mean over its
steps. BoTorch has no acquisition function for a contour.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler

from benchmarks.search.contour_grid import ContourGrid
from benchmarks.search.grids import with_seed
from benchmarks.search.replay import Propose
from search_spaces.search.contour_estimate import Numbers
from search_spaces.search.contour_search import ContourSearch
from study.planning.proposer import History, Point

LEVEL = 0.5
ROUND = 8
REPEATS = 10


def at_random(grid: ContourGrid, seed: int) -> Propose:
    """Trajectories, each as likely as another."""
    order = np.random.default_rng(seed).choice(len(grid.points), grid.budget, replace=False)
    return _all_at_once(grid, order)


def thinner(grid: ContourGrid, seed: int) -> Propose:
    """Trajectories at equal distances along the list of all."""
    places = (np.linspace(0, len(grid.points), grid.budget, endpoint=False) + seed) % len(grid.points)
    return _all_at_once(grid, places.astype(int))


def _all_at_once(grid: ContourGrid, order: Numbers) -> Propose:
    chosen = tuple(grid.points[index] for index in order)
    return lambda history: () if history.rounds else chosen


def search(grid: ContourGrid, seed: int) -> Propose:
    """``--search frontier``: scikit-learn's Gaussian process and the straddle per step that a trajectory costs."""
    return ContourSearch(with_seed(grid.spec, seed, None)).propose


def tpe(grid: ContourGrid, seed: int) -> Propose:
    """Optuna's TPE."""
    return _optuna(grid, seed, optuna.samplers.TPESampler)


def gp(grid: ContourGrid, seed: int) -> Propose:
    """Optuna's Gaussian process with the expected improvement."""
    return _optuna(grid, seed, optuna.samplers.GPSampler)


def _optuna(grid: ContourGrid, seed: int, sampler: Callable[..., BaseSampler]) -> Propose:
    points = {_parameters(point): point for point in grid.points}
    spec = grid.spec
    space: dict[str, BaseDistribution] = {
        "corpus": CategoricalDistribution(spec.corpus),
        "repetitions": CategoricalDistribution(spec.repetitions),
        "depth": IntDistribution(0, len(spec.depth) - 1),
        "seed": CategoricalDistribution(spec.seed),
    }
    depths = sorted(spec.depth)
    study = optuna.create_study(directions=["minimize"], sampler=sampler(seed=seed))
    draw = np.random.default_rng(seed)
    told: set[Point] = set()

    def propose(history: History) -> tuple[Point, ...]:
        for point in history.asked:
            if point not in told:
                told.add(point)
                distance = np.abs(np.array(history.curves[point].value) - LEVEL).mean()
                params = dict(zip(space, _parameters(point), strict=True))
                params["depth"] = depths.index(params["depth"])
                study.add_trial(
                    optuna.trial.create_trial(params=params, distributions=space, value=float(distance))
                )
        chosen: list[Point] = []
        repeats = 0
        while len(chosen) < ROUND:
            if repeats < REPEATS:
                params = study.ask(space).params
                params["depth"] = depths[params["depth"]]
                point = points[tuple(params[name] for name in space)]
            else:
                left = [each for each in grid.points if each not in told and each not in chosen]
                point = left[draw.integers(len(left))]
            if point in told or point in chosen:
                repeats += 1
            else:
                repeats = 0
                chosen.append(point)
        for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        return tuple(chosen)

    return propose


def _parameters(point: Point) -> tuple[Any, ...]:
    return (point.attack.corpus, point.repetitions, point.depth, point.seed)
