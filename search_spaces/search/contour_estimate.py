"""The contours of a level, as a Gaussian process of the scores expects them.

A context is a model, a method, a number of repetitions and an attack. Its contour after a number of relearn steps is
the greatest depth at which the mean score over the seeds reaches the level. It is counted in steps of the grid of
depths, from the shallowest; half a step outside of the grid means "at no depth" or "at every depth".

The process is scikit-learn's, over (context, depth, step, seed), with a Matérn 5/2 kernel times the sum of two
variances: one that all seeds share, and one of each seed alone. The noise is that of k of n, and a nugget. Marginal
likelihood chooses the kernel hyperparameters within bounds. How far models, methods, repetitions and attacks are from
each other is fixed: a study has too few of them to learn it, and a length scale of the repetitions that was learned
made the process too sure of contexts without any score. The mean over seeds is a linear function of the process, so
its posterior is exact (Rasmussen, Williams 2006, chapters 2 and 5). For that reason the process is of the rate and not
of its logit.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from study.planning.proposer import Curve, Point
from study.spec import StudySpec

Numbers = npt.NDArray[np.float64]
Context = tuple[str, str, int, str]
"""Model, method, repetitions, label of the attack."""

DRAWS = 400
CONFIDENCE = 0.95
NOWHERE = -0.5
OTHER_MODEL, OTHER_METHOD, OTHER_ATTACK = 1.45, 1.05, 0.9
"""Distances of contexts that differ in one thing: their prior correlations are 0.3, 0.5 and 0.6."""
FAR, NEAR = 1e5, 1e-3
"""Length scales under which an axis does not count, or under which only equal values correlate."""


@dataclass(frozen=True)
class Contours:
    """The contours of all contexts × steps.

    Attributes:
        place, low, high: in steps of the grid of depths; median and 95% band of draws of the posterior.
        fails_below: probability that the attack works at a depth and not at a shallower one.
        fails_later: probability that the attack works after so many steps and, at the same depth, not after more.
    """

    place: Numbers
    low: Numbers
    high: Numbers
    fails_below: Numbers
    fails_later: Numbers

    @property
    def half_width(self) -> Numbers:
        """Of the band."""
        return (self.high - self.low) / 2


def crossing(scores: Numbers, level: float) -> Numbers:
    """The last place along the last axis where scores fall below the level, by linear interpolation.

    Args:
        scores: … × depths, from the shallowest.
    """
    depths = scores.shape[-1]
    above = scores >= level
    last = depths - 1 - np.argmax(above[..., ::-1], axis=-1)
    at = np.take_along_axis(scores, last[..., None], -1)[..., 0]
    after = np.take_along_axis(scores, np.minimum(last + 1, depths - 1)[..., None], -1)[..., 0]
    fall = np.where(at > after, at - after, 1.0)
    inside = last + np.clip((at - level) / fall, 0, 1)
    found = np.where(last == depths - 1, depths - 0.5, inside)
    return np.where(above.any(axis=-1), found, NOWHERE)


def at_depth(place: float, depths: Sequence[int]) -> float:
    """A place on the grid as a depth, between the listed ones; infinite or 0 outside of them."""
    if place <= NOWHERE:
        return 0.0
    if place > len(depths) - 1:
        return math.inf
    return float(np.interp(place, range(len(depths)), depths))


class ScoreProcess:
    """The posterior of the scores of one study, given some trajectories.

    Args:
        curves: of trajectories from unlearned models; those of other points are not read.
    """

    def __init__(
        self,
        spec: StudySpec,
        contexts: Sequence[Context],
        points: Sequence[Point],
        curves: Mapping[Point, Curve],
    ) -> None:
        self._contexts, self._seeds = contexts, spec.seed
        self._depths, self._steps = sorted(spec.depth), sorted(spec.relearn_steps)
        self._level = spec.search.level if spec.search else 0.5
        self._axes = [sorted({context[axis] for context in contexts}) for axis in (0, 1, 3)]
        rows: dict[tuple[float, ...], tuple[float, float]] = {}
        for point in points:  # in the order of the grid, whichever was answered first
            if point in curves:
                curve = curves[point]
                places = self.features(context_of(point), [point.depth], [point.seed])
                for place, score in zip(places, curve.value, strict=True):
                    rows.setdefault(tuple(place), (score, _binomial(score, curve.n)))
        noise = [variance for _, variance in rows.values()]
        self._process = GaussianProcessRegressor(self._kernel(), alpha=np.array(noise) if noise else 1e-10)
        if rows:
            with warnings.catch_warnings():  # a hyperparameter at its bound is as intended
                warnings.simplefilter("ignore", ConvergenceWarning)
                self._process.fit(np.array(list(rows)), np.array([s for s, _ in rows.values()]) - self._level)
        kernel = self._process.kernel_ if rows else self._process.kernel
        self.nugget = float(kernel.k2.noise_level)

    def posterior(self, context: Context) -> tuple[Numbers, Numbers]:
        """Mean and covariance of the scores of a context, without noise; places in the order depth, seed, step."""
        mean, covariance = self._process.predict(
            self.features(context, self._depths, self._seeds), return_cov=True
        )
        return mean + self._level, covariance - self.nugget * np.eye(len(mean))

    def over_seeds(self, mean: Numbers, covariance: Numbers) -> tuple[Numbers, Numbers]:
        """Mean and covariance of the mean over seeds; places in the order depth, step."""
        shape = (len(self._depths), len(self._seeds), len(self._steps))
        size = shape[0] * shape[2]
        return mean.reshape(shape).mean(axis=1).ravel(), covariance.reshape(*shape, *shape).mean(
            axis=(1, 4)
        ).reshape(size, size)

    def contours(self) -> Contours:
        """The contours of every context and number of steps, from draws with a fixed seed."""
        normal = np.random.default_rng(0).standard_normal((DRAWS, len(self._depths) * len(self._steps)))
        tail = (1 - CONFIDENCE) / 2
        parts: list[list[Numbers]] = []
        for context in self._contexts:
            mean, covariance = self.over_seeds(*self.posterior(context))
            values, vectors = np.linalg.eigh(covariance)
            root = vectors * np.sqrt(np.clip(values, 0, None))
            drawn = (
                (mean + normal @ root.T).reshape(DRAWS, len(self._depths), len(self._steps)).swapaxes(1, 2)
            )
            works = drawn >= self._level
            deeper = np.flip(np.logical_or.accumulate(np.flip(works, -1), axis=-1), -1)
            later_fails = np.flip(np.logical_or.accumulate(np.flip(~works, 1), axis=1), 1)
            low, place, high = np.quantile(crossing(drawn, self._level), [tail, 0.5, 1 - tail], axis=0)
            fails_below = (~works & deeper).any(axis=-1).mean(axis=0)
            fails_later = (works & later_fails).any(axis=-1).mean(axis=0)
            parts.append([place, low, high, fails_below, fails_later])
        return Contours(*(np.stack(arrays) for arrays in zip(*parts, strict=True)))

    def features(self, context: Context, depths: Sequence[int], seeds: Sequence[int]) -> Numbers:
        """A row for each (depth, seed, step). Before the first relearn step all attacks meet the same model."""
        model, method, repetitions, attack = context
        rows = []
        for depth in depths:
            for seed in seeds:
                for index, steps in enumerate(self._steps):
                    where = [
                        *_one_hot(model, self._axes[0], OTHER_MODEL),
                        *_one_hot(method, self._axes[1], OTHER_METHOD),
                        *_one_hot(attack if steps else None, self._axes[2], OTHER_ATTACK),
                        math.log2(1 + repetitions),
                        self._depths.index(depth),
                        index,
                    ]
                    rows.append([*where, *_one_hot(seed, self._seeds, 1.0)])
        return np.array(rows, dtype=np.float64)

    def _kernel(self) -> WhiteKernel:
        fixed, seeds = sum(map(len, self._axes)) + 1, len(self._seeds)  # one more for the repetitions
        lengths = [1.0] * fixed + [2.5, 2.0] + [FAR] * seeds
        bounds = [(1.0, 1.0)] * fixed + [(1.25, 5), (1, 4)] + [(FAR, FAR)] * seeds
        of_a_seed = Matern([FAR] * (fixed + 2) + [NEAR] * seeds, "fixed", nu=2.5)
        variance = ConstantKernel(0.16, (0.06, 0.36)) + ConstantKernel(0.0225, (0.0064, 0.0625)) * of_a_seed
        return Matern(lengths, bounds, nu=2.5) * variance + WhiteKernel(0.0036, (0.0009, 0.01))


def context_of(point: Point) -> Context:
    """The context of a trajectory."""
    return (point.model, point.method, point.repetitions, point.attack.label)


def _one_hot(value: object, values: Sequence[object], distance: float) -> list[float]:
    """So that two different values are at the distance from each other."""
    return [distance / math.sqrt(2) * (value == each) for each in values]


def _binomial(rate: float, n: int | None) -> float:
    """Variance of k of n, with one success and one failure added so that it is never 0; 1e-10 where nothing counts."""
    if not n:
        return 1e-10
    smoothed = (rate * n + 1) / (n + 2)
    return smoothed * (1 - smoothed) / n
