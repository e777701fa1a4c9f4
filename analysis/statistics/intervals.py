"""Intervals for a crossed design of seeds × probes: two-way variance components, degrees of freedom for few seeds.

The design is crossed: every seed is asked every probe, in every setting. A statistic that is linear in the rates
(a rate, a difference, an area) is then the mean of a table of seeds × probes, z = Σ weights × scores, whose
variance has three components (Cornfield and Tukey 1956), each a mean square:

    variance = (seeds + probes − residual) ÷ (number of seeds × number of probes)

Its degrees of freedom are Satterthwaite's (1946): near seeds − 1 where seeds differ most, many where they do not. Few
seeds are counted cautiously, which raised the coverage with two of them from 88–90% to 92–94% in simulations.
What lies between 0 and 1 gets Wilson's interval at the effective number of answers, scaled by those degrees of freedom
(Korn and Graubard 1998, for Clopper–Pearson): it stays between 0 and 1, and has a width where all answers are alike.
Anything else gets Student's t, with a floor of one changed answer in probes + 2 (Agresti and Min 2005).
Statistics that are not linear are replaced by their tangent (delta method).

There is deliberately no bootstrap: with two or three seeds there are too few ways to draw seeds with replacement, and a
percentile interval covers 61–97% (docs/DECISIONS.md). What these intervals cover is in docs/STATISTICS.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy  # its parts load when they are first used

from analysis.statistics.crossed_design import Answers
from analysis.statistics.wilson import Numbers, wilson

SHIFT = 1e-5
"""Of a rate, for the tangent of a statistic."""


@dataclass(frozen=True)
class Estimate:
    """A number with its interval.

    Attributes:
        value, low, high: NaN where nothing can be said.
        seeds: how many it rests on; with one, the interval is over probes alone.
    """

    value: float
    low: float
    high: float
    seeds: int


@dataclass(frozen=True)
class Spread:
    """Several linear statistics of the same answers.

    Attributes:
        value, variance, freedom: one number a statistic; variance NaN where a single answer says nothing.
        floor: the least variance that is believed, one number a statistic.
        least, most: what a statistic of scores between 0 and 1 can be at all; infinite for other scores.
        probes, total: how many answers of one seed, and of all seeds.
    """

    value: Numbers
    variance: Numbers
    freedom: Numbers
    floor: Numbers
    least: Numbers
    most: Numbers
    probes: float
    total: float

    def rate_interval(self, confidence: float | Numbers = 0.95) -> tuple[Numbers, Numbers]:
        """Wilson's interval, for statistics that lie between 0 and 1: lower and upper ends, one a statistic."""
        with np.errstate(divide="ignore", invalid="ignore"):
            effective = self.value * (1 - self.value) / self.variance
        alike = self.variance <= 0
        # All answers alike: nothing is known of the seeds' spread, so a probe counts once however many seeds.
        effective = np.where(alike, self.probes, np.minimum(effective, self.total))
        normal = scipy.stats.norm.isf((1 - np.asarray(confidence)) / 2)
        student = np.where(alike, normal, scipy.stats.t.isf((1 - np.asarray(confidence)) / 2, self.freedom))
        effective = np.maximum(effective * (normal / student) ** 2, 1e-9)
        return wilson(self.value * effective, effective, confidence)

    def t_interval(self, confidence: float | Numbers = 0.95) -> tuple[Numbers, Numbers]:
        """Student's t interval, for any other statistic: lower and upper ends, cut at ``least`` and ``most``."""
        error, freedom = self._error()
        half = scipy.stats.t.isf((1 - np.asarray(confidence)) / 2, freedom) * error
        return np.maximum(self.value - half, self.least), np.minimum(self.value + half, self.most)

    def p_above_zero(self) -> Numbers:
        """One-sided p of each statistic being above 0 (Student's t)."""
        error, freedom = self._error()
        return np.asarray(scipy.stats.t.sf(self.value / error, freedom), dtype=np.float64)

    def _error(self) -> tuple[Numbers, Numbers]:
        floored = self.variance < self.floor
        return np.sqrt(np.where(floored, self.floor, self.variance)), np.where(floored, np.inf, self.freedom)


def spread(scores: Numbers, weights: npt.ArrayLike, answers_per_score: float = 1) -> Spread:
    """Linear statistics with their variance over seeds and probes.

    Args:
        scores: settings × seeds × probes.
        weights: statistics × settings.
        answers_per_score: how many answers each score is the mean of.

    Returns:
        With one seed the variance is over probes alone, with one probe over seeds alone.
    """
    given = np.atleast_2d(np.asarray(weights, dtype=np.float64))
    bounded = _within_one(scores)
    return _spread(np.tensordot(given, scores, axes=(1, 0)), given, bounded, answers_per_score)


def _within_one(scores: Numbers) -> bool:
    return bool((scores >= 0).all() and (scores <= 1).all())


def _spread(table: Numbers, weights: Numbers, bounded: bool, answers_per_score: float = 1) -> Spread:
    """Of a table of statistics × seeds × probes; ``bounded``: scores lie between 0 and 1, which bounds statistics."""
    scale = np.abs(weights).max(axis=1)
    least = np.minimum(weights, 0).sum(axis=1) if bounded else np.full(len(weights), -np.inf)
    most = np.maximum(weights, 0).sum(axis=1) if bounded else np.full(len(weights), np.inf)
    _, seeds, probes = table.shape
    value = table.mean(axis=(1, 2))
    by_seed, by_probe = table.mean(axis=2), table.mean(axis=1)
    mean = value[:, None]
    of_seeds = probes * ((by_seed - mean) ** 2).sum(axis=1)
    of_probes = seeds * ((by_probe - mean) ** 2).sum(axis=1)
    rest = np.maximum(((table - mean[:, :, None]) ** 2).sum(axis=(1, 2)) - of_seeds - of_probes, 0)
    between_seeds = of_seeds / max(1, seeds - 1)
    between_probes = of_probes / max(1, probes - 1)
    residual = rest / max(1, (seeds - 1) * (probes - 1))
    # The difference may come out too small by chance; the variance is never less than any of its parts.
    mean_square = np.maximum.reduce(
        [between_seeds + between_probes - residual, between_seeds, between_probes]
    )
    # A few seeds that happen to be alike would claim many degrees of freedom: for these alone their mean square counts
    # (seeds + 1) / (seeds − 1) times, the ratio of its mean square to its squared mean.
    cautious = between_seeds * (1 + 2 / max(1, seeds - 1))
    largest = np.maximum.reduce([cautious + between_probes - residual, cautious, between_probes])
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = sum(
            np.where(square > 0, square**2 / count, 0)
            for square, count in (
                (cautious, seeds - 1),
                (between_probes, probes - 1),
                (residual, (seeds - 1) * (probes - 1)),
            )
            if count > 0
        )
        freedom = np.where(largest > 0, largest**2 / parts, np.inf)
    total = seeds * probes
    variance = mean_square / total if total > 1 else np.full(len(value), np.nan)
    fewest = 1 if min(seeds, probes) == 1 else min(seeds, probes) - 1
    return Spread(
        value,
        variance,
        np.maximum(freedom, fewest),
        (scale / (probes * answers_per_score + 2)) ** 2,
        least,
        most,
        probes * answers_per_score,
        total * answers_per_score,
    )


def estimate(
    found: Answers, statistic: Callable[[Numbers], Numbers], confidence: float = 0.95, rate: bool = False
) -> Estimate:
    """A smooth statistic of the rates of all settings, with its interval.

    Args:
        statistic: from rates, n × settings, to n numbers.
        rate: it lies between 0 and 1, as a rate or a mean of rates does.

    Returns:
        The interval is NaN where the statistic is, and where there is one answer alone.
    """
    rates = found.scores.mean(axis=(1, 2))
    value = float(statistic(rates[None, :])[0])
    steps = SHIFT * np.eye(len(rates))
    slope = (statistic(rates + steps) - statistic(rates - steps)) / (2 * SHIFT)
    if not np.isfinite(value) or not np.isfinite(slope).all():
        return Estimate(value, float("nan"), float("nan"), len(found.seeds))
    table = np.tensordot(slope[None, :], found.scores - rates[:, None, None], axes=(1, 0)) + value
    linear = bool(np.isclose(value - slope @ rates, 0, atol=1e-9))
    whole = _spread(table, slope[None, :], linear and bounded(found))
    low, high = whole.rate_interval(confidence) if rate and bounded(found) else whole.t_interval(confidence)
    return Estimate(value, float(low[0]), float(high[0]), len(found.seeds))


def bounded(found: Answers) -> bool:
    """Whether all scores lie between 0 and 1."""
    return _within_one(found.scores)


def difference(settings: Sequence[object], one: object, other: object) -> Callable[[Numbers], Numbers]:
    """The statistic "rate of one setting minus rate of another"."""
    first, second = list(settings).index(one), list(settings).index(other)
    return lambda rates: rates[:, first] - rates[:, second]
