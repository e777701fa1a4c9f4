"""Ways to choose the next attacks: the search, random, a thinner grid, and samplers of Optuna.

Each attack is asked in every seed of the model. A sampler is as it comes, with its seed set; what it proposes that was
asked before is asked again of it, ``REPEATS`` times in a row, and then the next attack is drawn at random.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler

from benchmarks.search.attack_grid import AttackGrid
from benchmarks.search.grids import with_seed
from benchmarks.search.replay import Propose
from search_spaces.search.attack_space import AXES
from search_spaces.search.contour_estimate import Numbers
from search_spaces.search.pareto_search import ParetoSearch
from study.planning.materials import read_materials
from study.planning.proposer import History, Point
from study.settings.attack import Attack

REPEATS = 10
LEVEL = 0.5
ROUND = 8

optuna.logging.set_verbosity(optuna.logging.WARNING)
warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)


def at_random(grid: AttackGrid, seed: int) -> Propose:
    """Attacks, each as likely as another."""
    order = np.random.default_rng(seed).permutation(len(grid.attacks))
    return _all_at_once(grid, order)


def thinner(grid: AttackGrid, seed: int) -> Propose:
    """Attacks at equal distances along the list of all."""
    count = max(1, grid.budget // len(grid.points_of[grid.attacks[0]]))
    places = (np.linspace(0, len(grid.attacks), count, endpoint=False) + seed) % len(grid.attacks)
    return _all_at_once(grid, places.astype(int))


def search(grid: AttackGrid, seed: int) -> Propose:
    """``--search cheapest``: Optuna's TPE of (fewest steps to the level, words, rate, rank, success)."""
    return ParetoSearch(read_materials(with_seed(grid.spec, seed, None))).propose


def tpe_of_steps(grid: AttackGrid, seed: int) -> Propose:
    """Optuna's TPE of (steps, words, rate, rank, success): a trial for each number of steps of each attack."""
    return _optuna(grid, seed, optuna.samplers.TPESampler, _a_trial_for_each_step)


def gp_of_five(grid: AttackGrid, seed: int) -> Propose:
    """Optuna's Gaussian processes with the expected hypervolume improvement; a trial for each attack."""
    return _optuna(grid, seed, optuna.samplers.GPSampler, _a_trial_for_each_attack)


def gp_of_two(grid: AttackGrid, seed: int) -> Propose:
    """Optuna's Gaussian processes with the expected hypervolume improvement, of (mean success, total log cost)."""
    return _optuna(grid, seed, optuna.samplers.GPSampler, _success_and_cost)


def nsga2(grid: AttackGrid, seed: int) -> Propose:
    """Optuna's NSGA-II; a trial for each attack."""
    return _optuna(grid, seed, optuna.samplers.NSGAIISampler, _a_trial_for_each_attack)


def sobol(grid: AttackGrid, seed: int) -> Propose:
    """Optuna's quasi-random sequence, scrambled."""
    return _optuna(grid, seed, optuna.samplers.QMCSampler, _a_trial_for_each_attack)


def _all_at_once(grid: AttackGrid, order: Numbers) -> Propose:
    chosen = tuple(point for index in order for point in grid.points_of[grid.attacks[index]])

    def propose(history: History) -> tuple[Point, ...]:
        return () if history.rounds else chosen

    return propose


Values = Callable[[AttackGrid, Attack], list[tuple[dict[str, int], list[float]]]]


def _a_trial_for_each_step(grid: AttackGrid, attack: Attack) -> list[tuple[dict[str, int], list[float]]]:
    """Parameters beside those of the attack, and (−success, steps, words, rate, rank); failing costs most."""
    made = []
    for place, (steps, success) in enumerate(zip(grid.steps, grid.success(attack), strict=True)):
        if steps:
            costs = [float(steps), *grid.costs(attack)]
            costs = costs if success >= LEVEL else _twice_the_most(grid)
            made.append(({"relearn_steps": place}, [-float(success), *costs]))
    return made


def _a_trial_for_each_attack(grid: AttackGrid, attack: Attack) -> list[tuple[dict[str, int], list[float]]]:
    """(−greatest success, fewest steps that reach the level, words, rate, rank); an attack that fails costs most."""
    success = grid.success(attack)
    works = [steps for steps, rate in zip(grid.steps, success, strict=True) if rate >= LEVEL]
    costs = [float(min(works)), *grid.costs(attack)] if works else _twice_the_most(grid)
    return [({}, [-float(success.max()), *costs])]


def _success_and_cost(grid: AttackGrid, attack: Attack) -> list[tuple[dict[str, int], list[float]]]:
    """(−mean success over steps, sum of the logarithms of words, rate and rank)."""
    return [({}, [-float(grid.success(attack)[1:].mean()), float(np.log(grid.costs(attack)).sum())])]


def _twice_the_most(grid: AttackGrid) -> list[float]:
    costs = np.array([each.costs for each in grid.truth.values()])
    return [float(2 * cost) for cost in costs.max(axis=0)]


def _optuna(grid: AttackGrid, seed: int, sampler: Callable[..., BaseSampler], values: Values) -> Propose:
    """As the sampler comes: its seed is set and nothing else."""
    listed = {name: sorted({getattr(attack, name) for attack in grid.attacks}) for name in AXES}
    space: dict[str, BaseDistribution] = {
        name: IntDistribution(0, len(axis) - 1) for name, axis in listed.items()
    }
    space["corpus"] = CategoricalDistribution(grid.spec.corpus)
    if values is _a_trial_for_each_step:
        space["relearn_steps"] = IntDistribution(1, len(grid.steps) - 1)
    study = optuna.create_study(
        directions=["minimize"] * len(values(grid, grid.attacks[0])[0][1]), sampler=sampler(seed=seed)
    )
    draw = np.random.default_rng(seed)
    told: set[Attack] = set()

    def parameters(attack: Attack) -> dict[str, Any]:
        return {"corpus": attack.corpus} | {name: listed[name].index(getattr(attack, name)) for name in AXES}

    def tell(attack: Attack) -> None:
        for more, objectives in values(grid, attack):
            study.add_trial(
                optuna.trial.create_trial(
                    params={**parameters(attack), **more}, distributions=space, values=objectives
                )
            )

    def propose(history: History) -> tuple[Point, ...]:
        for point in history.asked:
            if point.attack not in told:
                told.add(point.attack)
                tell(point.attack)
        size = ROUND // len(grid.spec.seed) or 1
        chosen: list[Attack] = []
        repeats = 0
        while len(chosen) < size:
            if repeats < REPEATS:
                params = study.ask(space).params
                attack = Attack(
                    corpus=params["corpus"], **{name: listed[name][params[name]] for name in AXES}
                )
            else:
                left = [each for each in grid.attacks if each not in told and each not in chosen]
                if not left:
                    break
                attack = left[draw.integers(len(left))]
            if attack in told or attack in chosen:
                repeats += 1
                continue
            repeats = 0
            chosen.append(attack)
        for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        return tuple(point for attack in chosen for point in grid.points_of[attack])

    return propose
