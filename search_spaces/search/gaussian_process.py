"""A Gaussian process over what trajectories answer, whose seeds are clusters.

    score(context, depth, step, seed) = surface(context, depth, step) + seed's own(context, depth, step) + noise

Both surfaces are smooth along depth and steps (Matérn 5/2, lengths in steps of the grid) and alike in contexts
that are alike. What is asked for is the mean over the study's seeds, and its uncertainty: with every seed
answered little is left, with one the spread between seeds is. The noise is binomial where scores are counts, and
a remainder that no smooth surface explains. Lengths and variances are chosen by likelihood from a few.

The process is over the rate itself and not over its logit: the mean over seeds, of which some may be at 0 and
others at 1, is then as Gaussian as everything else (Rasmussen, Williams 2006, chapter 2).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve, cholesky, solve_triangular

Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
"""Rows of (context, depth, step, seed), as indices into the axes."""

JITTER = 1e-9


@dataclass(frozen=True)
class Smoothness:
    """What the likelihood decides.

    Attributes:
        depth_length, step_length: in steps of the grid.
        surface, seeds, remainder: standard deviations, in units of the score.
    """

    depth_length: float = 2.5
    step_length: float = 2.0
    surface: float = 0.4
    seeds: float = 0.15
    remainder: float = 0.06


CHOICES = {
    "depth_length": (1.25, 2.5, 5.0),
    "step_length": (1.0, 2.0, 4.0),
    "surface": (0.25, 0.4, 0.6),
    "seeds": (0.08, 0.15, 0.25),
    "remainder": (0.03, 0.06, 0.1),
}


@dataclass(frozen=True)
class Alike:
    """How alike contexts are before anything is known.

    Before the first relearn step all attacks on a model are the same model, so they are one there.

    Attributes:
        models: correlation of what is attacked, contexts × contexts.
        attacks: 1 where two contexts have the same attack, contexts × contexts.
        share: of the variance, what all attacks have in common.
        from_start: whether the first of the steps is 0.
    """

    models: Numbers
    attacks: Numbers
    share: float
    from_start: bool

    def between(self, one: Places, other: Places) -> Numbers:
        """Correlations of places, one × other."""
        at = np.ix_(one[:, 0], other[:, 0])
        own = (1 - self.share) * self.attacks[at]
        if self.from_start:
            own = own * np.outer(one[:, 2] > 0, other[:, 2] > 0)
        return np.asarray(self.models[at] * (self.share + own))


class Process:
    """The posterior given some observations.

    Args:
        alike: how alike the contexts are.
        places: of the observations.
        scores: of the observations.
        trials: n of each observation's k of n; infinite where scores are no counts.
        center: the prior mean.
        seeds: how many seeds the mean is over.
    """

    def __init__(
        self,
        alike: Alike,
        places: Places,
        scores: Numbers,
        trials: Numbers,
        center: float,
        seeds: int,
        smoothness: Smoothness,
    ) -> None:
        self.smoothness = smoothness
        self._alike = alike
        self._places = places
        self._center = center
        self._seeds = seeds
        self._trials = float(trials[0]) if len(trials) else np.inf
        noise = _binomial(scores, trials) + smoothness.remainder**2
        covariance = self._between(places, places) + np.diag(noise + JITTER)
        self._lower = cholesky(covariance, lower=True)
        self._residual = scores - center
        self._weights = cho_solve((self._lower, True), self._residual)

    @property
    def log_likelihood(self) -> float:
        """Of the observations, without the constant."""
        return float(
            -0.5 * self._residual @ self._weights - np.log(np.diag(self._lower)).sum(),
        )

    def mean(self, places: Places) -> Numbers:
        """Of the mean over seeds; the seed of the places does not matter."""
        return self._center + self._to_mean(places, self._places) @ self._weights

    def covariance(self, places: Places) -> Numbers:
        """Of the mean over seeds, between all of the places."""
        explained = self._explained(self._to_mean(places, self._places))
        return self._to_mean(places, places) - explained.T @ explained

    def reduction(self, asked: Places, places: Places) -> tuple[Numbers, Numbers, Numbers]:
        """What an answer at ``asked`` would tell.

        Returns:
            The covariance of the answers with each other, with the mean over seeds at the places, and the
            variance of the noise that the answers would have.
        """
        of_asked = self._explained(self._between(asked, self._places))
        of_places = self._explained(self._to_mean(places, self._places))
        with_places = self._to_mean(places, asked).T - of_asked.T @ of_places
        with_each_other = self._between(asked, asked) - of_asked.T @ of_asked
        expected = np.clip(self._center + self._between(asked, self._places) @ self._weights, 0, 1)
        noise = _binomial(expected, np.full(len(asked), self._trials)) + self.smoothness.remainder**2
        return with_each_other, with_places, noise

    def _explained(self, cross: Numbers) -> Numbers:
        if not len(self._places):
            return np.zeros((0, len(cross)))
        return np.asarray(solve_triangular(self._lower, cross.T, lower=True))

    def _smooth(self, one: Places, other: Places) -> Numbers:
        found = self._alike.between(one, other)
        for axis, length in ((1, self.smoothness.depth_length), (2, self.smoothness.step_length)):
            far = np.sqrt(5.0) * np.abs(one[:, axis][:, None] - other[:, axis][None, :]) / length
            found = found * (1 + far + far**2 / 3) * np.exp(-far)
        return np.asarray(found)

    def _between(self, one: Places, other: Places) -> Numbers:
        """Covariance of single answers."""
        same = one[:, 3][:, None] == other[:, 3][None, :]
        weight = self.smoothness.surface**2 + self.smoothness.seeds**2 * same
        return np.asarray(self._smooth(one, other) * weight)

    def _to_mean(self, one: Places, other: Places) -> Numbers:
        """Covariance of the mean over seeds with an answer, or with itself: the same."""
        weight = self.smoothness.surface**2 + self.smoothness.seeds**2 / self._seeds
        return self._smooth(one, other) * weight


def fitted(
    alike: Alike, places: Places, scores: Numbers, trials: Numbers, center: float, seeds: int
) -> Process:
    """The process whose smoothness the observations make most likely, of those in ``CHOICES``; one at a time."""

    def made(smoothness: Smoothness) -> Process:
        return Process(alike, places, scores, trials, center, seeds, smoothness)

    best = made(Smoothness())
    if len(places) < 2:
        return best
    for _ in range(2):
        for name in (field.name for field in fields(Smoothness)):
            others = [
                made(replace(best.smoothness, **{name: value}))
                for value in CHOICES[name]
                if value != getattr(best.smoothness, name)
            ]
            best = max([best, *others], key=lambda process: process.log_likelihood)
    return best


def places_of(rows: Sequence[tuple[int, int, int, int]]) -> Places:
    """As an array, also of none."""
    return np.array(rows, dtype=np.int64).reshape(len(rows), 4)


def _binomial(rate: Numbers, trials: Numbers) -> Numbers:
    """Variance of k of n, with one success and one failure added so that it is never 0."""
    finite = np.isfinite(trials)
    n = np.where(finite, trials, 1.0)
    smoothed = (rate * n + 1) / (n + 2)
    return np.where(finite, smoothed * (1 - smoothed) / n, 0.0)
