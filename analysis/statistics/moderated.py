"""Contrasts of seeds, a table of them at once: Student's t with variances that the rows of the table share.

With three seeds the variance of one row has two degrees of freedom, and its interval spans nearly everything. The rows
of a table are alike in how much seeds differ, so each row's variance is drawn towards what they have in common (Smyth
2004, limma): an inverse chi-square prior with d0 degrees of freedom is fitted to the rows' variances, and each row is
tested with d0 + seeds − 1. Three things are added to limma:

- A variance is divided by p(1 − p), p the mean of the contrast's rates: near 0 and 1 rates vary less.
- d0 is at most a quarter of all rows' degrees of freedom: rows share their seeds, so they know less than they count.
- What the choice of probes adds is added to the variance of the mean (two-way analysis of variance; Cornfield and Tukey
  1956), with Satterthwaite's degrees of freedom.

With one seed there is nothing to share: the interval is over that seed's probes, and there is no p. A row whose seeds
are all alike (but for the rounding of floats) has its value and no interval where no other row tells how much seeds
differ, unless it has a least variance.

limma's Python ports (inmoose, pylimma) bring a genomics toolbox for these twenty lines, and none limits d0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy  # its parts load when they are first used

from analysis.statistics.adjustment import holm
from analysis.statistics.wilson import Numbers

SHARE = 0.25
"""Of the rows' degrees of freedom, the most that the prior may have."""
ROUNDING = 1e-9
"""Relative difference of means over seeds that is none."""
POWER = 0.8
"""With which the least detectable value is found."""


@dataclass(frozen=True)
class Contrast:
    """One row of a table: a number for each seed.

    Attributes:
        by_seed: the contrast within each seed, e.g. one rate minus another.
        scale: what a variance is measured in: p(1 − p) of the rates; 1 for other numbers.
        of_probes, probes_freedom: the variance of the mean that the choice of probes adds, and its degrees of freedom;
            with one seed all of it.
        floor: the least variance of the mean that is believed.
        least, most: what the contrast can be at all.
        reaches: ends that its 95% interval has at least, where something else than its seeds tells them.
    """

    by_seed: Numbers
    scale: float = 1.0
    of_probes: float = 0.0
    probes_freedom: float = np.inf
    floor: float = 0.0
    least: float = -np.inf
    most: float = np.inf
    reaches: tuple[float, float] = (np.inf, -np.inf)


def contrast(scores: Numbers, weights: npt.ArrayLike, clusters: Sequence[str] = ()) -> Contrast:
    """A linear contrast of the scores of several settings, paired by seed and probe.

    Args:
        scores: settings × seeds × probes.
        weights: one for each setting.
        clusters: what each probe belongs to, such as a title; the probes of one count as one. None: each alone.

    Returns:
        The variance that scores of 0 and 1 have at least is that of one changed answer in probes + 2 (Agresti and Min
        2005); other scores have no least variance.
    """
    given = np.asarray(weights, dtype=np.float64)
    _, seeds, probes = scores.shape
    table = np.tensordot(given, scores, axes=(0, 0))
    within_one = bool((scores >= 0).all() and (scores <= 1).all())
    binary = within_one and bool(np.isin(scores, (0.0, 1.0)).all())
    scale = 1.0
    if within_one:
        share = np.abs(given) / np.abs(given).sum()
        rate = (float(share @ scores.mean(axis=(1, 2))) * probes + 1) / (probes + 2)
        scale = rate * (1 - rate)
    by_seed = table.mean(axis=1)
    if len(set(clusters)) < len(clusters):
        table = _by_cluster(table, clusters)
        probes = table.shape[1]
    by_probe = table.mean(axis=0)
    value = float(table.mean())
    between_probes = seeds * float(((by_probe - value) ** 2).sum()) / max(1, probes - 1)
    rest = table - by_seed[:, None] - by_probe[None, :] + value
    residual = float((rest**2).sum()) / max(1, (seeds - 1) * (probes - 1)) if seeds > 1 else 0.0
    return Contrast(
        by_seed,
        scale,
        max(0.0, between_probes - residual) / (seeds * probes),
        max(1.0, probes - 1.0),
        float(np.abs(given).max() / (probes + 2)) ** 2 if binary else 0.0,
        float(np.minimum(given, 0).sum()) if within_one else -np.inf,
        float(np.maximum(given, 0).sum()) if within_one else np.inf,
    )


def are_counts(answered: Numbers) -> bool:
    """Whether rates times queries are whole, as those of yes and no are; graded scores have no least variance."""
    return bool(np.allclose(answered, np.rint(answered), rtol=0, atol=1e-6))


def _by_cluster(table: Numbers, clusters: Sequence[str]) -> Numbers:
    """Seeds × clusters: sums over each one's probes, in units that keep the mean."""
    number, names = pd.factorize(np.asarray(clusters))
    return table @ np.eye(len(names))[number] * len(names) / len(clusters)


@dataclass(frozen=True)
class Prior:
    """What the rows of a table know together of a variance: its size, in units of each row's scale, and how surely."""

    variance: float
    freedom: float


NO_PRIOR = Prior(1.0, 0.0)


def shared_prior(variances: Numbers, freedoms: Numbers) -> Prior:
    """The prior of limma (Smyth 2004, section 6.2), its degrees of freedom limited.

    Args:
        variances: of the rows, each divided by its row's scale; those of 0 tell nothing and are left out.
        freedoms: of each.

    Returns:
        One of no degrees of freedom where fewer than two rows tell something.
    """
    told = (variances > 0) & (freedoms > 0)
    if told.sum() < 2:
        return NO_PRIOR
    half = freedoms[told] / 2
    logs = np.log(variances[told]) - scipy.special.digamma(half) + np.log(half)
    excess = float(logs.var(ddof=1) - scipy.special.polygamma(1, half).mean())
    most = SHARE * float(freedoms[told].sum())
    freedom = min(most, 2 * _inverse_trigamma(excess)) if excess > 0 else most
    size = float(logs.mean() + scipy.special.digamma(freedom / 2) - np.log(freedom / 2))
    return Prior(float(np.exp(size)), freedom)


def _inverse_trigamma(value: float) -> float:
    """The x at which trigamma(x) = value > 0."""
    within = float(np.clip(value, 1e-8, 1e8))
    log = scipy.optimize.brentq(lambda log: scipy.special.polygamma(1, np.exp(log)) - within, -20.0, 20.0)
    return float(np.exp(log))


@dataclass(frozen=True)
class Table:
    """Contrasts with the errors and degrees of freedom that they got from each other; one number a row."""

    value: Numbers
    error: Numbers
    freedom: Numbers
    seeds: Numbers
    least: Numbers
    most: Numbers
    prior: Prior

    def part(self, rows: slice) -> "Table":
        """Some of the rows."""
        return Table(
            self.value[rows],
            self.error[rows],
            self.freedom[rows],
            self.seeds[rows],
            self.least[rows],
            self.most[rows],
            self.prior,
        )

    def interval(self, confidence: float | Numbers = 0.95) -> tuple[Numbers, Numbers]:
        """Student's t interval: lower and upper ends, cut at what the contrast can be; NaN where there is none."""
        half = scipy.stats.t.isf((1 - np.asarray(confidence)) / 2, self.freedom) * self.error
        return np.maximum(self.value - half, self.least), np.minimum(self.value + half, self.most)

    def p(self) -> Numbers:
        """Two-sided p of each contrast being 0; NaN with one seed, and where there is no interval."""
        with np.errstate(divide="ignore", invalid="ignore"):
            found = 2 * scipy.stats.t.sf(np.abs(self.value) / self.error, self.freedom)
        return np.where(self.seeds > 1, found, np.nan)

    def detectable(self, confidence: float | Numbers = 0.95) -> Numbers:
        """The size of a contrast that such a test finds in 80% of studies."""
        ends = scipy.stats.t.isf((1 - np.asarray(confidence)) / 2, self.freedom)
        found: Numbers = (ends + scipy.stats.t.isf(1 - POWER, self.freedom)) * self.error
        return found


def moderated(contrasts: Sequence[Contrast]) -> Table:
    """The contrasts of one table, each with an error that all rows tell of."""
    seeds = np.array([len(row.by_seed) for row in contrasts])
    scale = np.array([row.scale for row in contrasts])
    of_probes = np.array([row.of_probes for row in contrasts])
    of_probes_freedom = np.array([row.probes_freedom for row in contrasts])
    spread = np.array([_beyond_rounding(row.by_seed) for row in contrasts])
    own = np.maximum(seeds - 1, 0)
    prior = shared_prior(spread / scale, own)
    freedom = np.where(seeds > 1, own + prior.freedom, 0)
    of_probes = np.where(
        (of_probes <= ROUNDING**2) | ((seeds > 1) & (spread == 0) & (prior.freedom == 0)), 0, of_probes
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        shared = (prior.freedom * prior.variance * scale + own * spread) / (own + prior.freedom)
        of_seeds = np.where(seeds > 1, shared / seeds, 0)
        variance = of_seeds + of_probes
        parts = np.where(of_seeds > 0, of_seeds**2 / freedom, 0) + of_probes**2 / of_probes_freedom
        degrees = np.where(variance > 0, variance**2 / parts, np.where(seeds > 1, freedom, of_probes_freedom))
    floor = np.array([row.floor for row in contrasts])
    variance = np.maximum(variance, floor)
    return Table(
        np.array([float(row.by_seed.mean()) for row in contrasts]),
        np.sqrt(np.where(variance > 0, variance, np.nan)),
        degrees,
        seeds,
        np.array([row.least for row in contrasts]),
        np.array([row.most for row in contrasts]),
        prior,
    )


def _beyond_rounding(by_seed: Numbers) -> float:
    """The variance over seeds; 0 where they differ by no more than sums of floats do: nothing is known of it."""
    if len(by_seed) < 2 or np.ptp(by_seed) <= ROUNDING * max(1.0, float(np.abs(by_seed).max())):
        return 0.0
    return float(by_seed.var(ddof=1))


def together(contrasts: Sequence[Contrast], choices: Sequence[int] | None = None) -> pd.DataFrame:
    """Contrasts as a table in which each is tested against 0, read together.

    Args:
        choices: among how many alike each was chosen, such as the largest of five; its p and its intervals allow for
            that (Bonferroni), and rows that were chosen are adjusted among themselves. None: nothing was chosen.

    Returns:
        A row per contrast: ``value``, ``low`` and ``high`` (95% of this row alone), ``p``; ``p_adjusted`` (Holm's over
        the rows), ``low_adjusted`` and ``high_adjusted`` (the interval that excludes 0 where that p is below 5%; with
        one seed as ``low`` and ``high``), and its ``confidence``; ``detectable``, the size that the adjusted test finds
        in 80% of studies; ``seeds``.
    """
    table = moderated(contrasts)
    chosen = np.ones(len(contrasts)) if choices is None else np.asarray(choices, dtype=np.float64)
    p = table.p() * chosen
    adjusted, divisors = np.full(len(p), np.nan), np.full(len(p), np.nan)
    for family in (chosen == 1, chosen > 1):
        adjusted[family], divisors[family] = holm(p[family])
    confidence = 1 - 0.05 / (chosen * np.where(np.isnan(divisors), 1, divisors))
    low, high = table.interval(1 - 0.05 / chosen)
    low_adjusted, high_adjusted = table.interval(confidence)
    return pd.DataFrame(
        {
            "value": table.value,
            "low": low,
            "high": high,
            "p": np.minimum(p, 1),
            "p_adjusted": adjusted,
            "low_adjusted": low_adjusted,
            "high_adjusted": high_adjusted,
            "confidence": confidence,
            "detectable": np.where(np.isnan(p), np.nan, table.detectable(confidence)),
            "seeds": table.seeds,
        }
    )
