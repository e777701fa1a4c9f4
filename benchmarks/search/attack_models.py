"""Ways to choose the next attacks that weigh every attack listed: Gaussian processes of libraries.

The first round is drawn at random.
"""

import warnings
from collections.abc import Callable

import numpy as np

from benchmarks.search.attack_arms import LEVEL, ROUND
from benchmarks.search.attack_grid import AttackGrid
from benchmarks.search.replay import Propose
from search_spaces.search.attack_space import AXES
from search_spaces.search.contour_estimate import Numbers
from study.planning.proposer import History, Point
from study.settings.attack import Attack


def scikit_learn_straddle(grid: AttackGrid, seed: int) -> Propose:
    """scikit-learn's process of success over (attack, steps), and the straddle summed over steps."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    features = _features(grid)
    steps = np.linspace(0, 1, len(grid.steps))

    def places(indices: list[int]) -> Numbers:
        return np.array([[*features[index], step] for index in indices for step in steps])

    def best(known: list[int], free: list[int], count: int) -> list[int]:
        kernel = ConstantKernel(0.16, (0.01, 1)) * Matern(
            np.full(features.shape[1] + 1, 0.5), (0.1, 10), nu=2.5
        ) + WhiteKernel(0.01, (1e-4, 0.1))
        model = GaussianProcessRegressor(kernel, random_state=seed)
        values = np.concatenate([grid.success(grid.attacks[index]) for index in known])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(places(known), values - LEVEL)
        mean, covariance = model.predict(places(free), return_cov=True)
        chosen: list[int] = []
        for _ in range(min(count, len(free))):
            straddle = 1.96 * np.sqrt(np.clip(np.diag(covariance), 0, None)) - np.abs(mean)
            worth = np.clip(straddle, 0, None).reshape(len(free), -1).sum(axis=1)
            worth[chosen] = -1
            place = int(worth.argmax())
            chosen.append(place)
            rows = slice(place * len(steps), (place + 1) * len(steps))
            block = covariance[rows, rows] + 0.01 * np.eye(len(steps))
            covariance = covariance - covariance[:, rows] @ np.linalg.solve(block, covariance[rows])
        return [free[place] for place in chosen]

    return _listed(grid, seed, best)


def _features(grid: AttackGrid) -> Numbers:
    """From 0 to 1 along each axis, and 0 or 1 for the corpus."""
    listed = {name: sorted({getattr(attack, name) for attack in grid.attacks}) for name in AXES}
    return np.array(
        [
            [listed[name].index(getattr(attack, name)) / (len(listed[name]) - 1) for name in AXES]
            + [float(attack.corpus == grid.spec.corpus[0])]
            for attack in grid.attacks
        ]
    )


def _listed(grid: AttackGrid, seed: int, best: Callable[[list[int], list[int], int], list[int]]) -> Propose:
    index_of: dict[Attack, int] = {attack: index for index, attack in enumerate(grid.attacks)}

    def propose(history: History) -> tuple[Point, ...]:
        known = list(dict.fromkeys(index_of[point.attack] for point in history.asked))
        free = [index for index in range(len(grid.attacks)) if index not in set(known)]
        count = ROUND // len(grid.spec.seed) or 1
        if known:
            chosen = best(known, free, count)
        else:
            chosen = np.random.default_rng(seed).choice(len(free), min(8, len(free)), replace=False).tolist()
        return tuple(point for index in chosen for point in grid.points_of[grid.attacks[index]])

    return propose
