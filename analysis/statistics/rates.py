"""The interval of one rate over seeds, with a weak prior on how much seeds differ.

A seed answers k of n probes, at a rate of its own; the logits of these rates are normal, with a middle and a standard
deviation that nobody knows. Both are integrated over a grid: the middle with Jeffreys' prior of a rate, the deviation
with a half-normal one. What is estimated is the mean rate over all seeds that could be drawn.
Without a prior three seeds leave the deviation open, and the interval spans nearly everything; the deviation of real
studies is known to be about 1.3 to 1.7 (docs/STATISTICS.md). The prior is of the cell alone and not fitted to a table,
so that one cell has one interval in every table and picture.

With one seed, the interval is Wilson's of that seed's probes, and about that seed; those that share a title count as
one. Shares of graded scores (ROUGE-L between 0 and 1) are taken as k = share × n, which is cautious: they vary less
than answers of yes and no. Where everything is answered, or nothing, the interval ends there.
"""

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt
import scipy  # its parts load when they are first used

from analysis.statistics.estimate import Estimate
from analysis.statistics.moderated import contrast, moderated
from analysis.statistics.wilson import Numbers, wilson

WIDTH = 2.5
"""Standard deviation of the half-normal prior of how much the seeds' logits differ."""
MOST_PROBES = 400
"""A seed's probes beyond this many tell nothing more: what seeds differ by outweighs it."""
LOGITS = np.linspace(-16, 16, 641)
MIDDLES = np.linspace(-12, 12, 241)
DEVIATIONS = np.concatenate([[0.0], np.geomspace(0.1, 8.0, 27)])


def rate_interval(
    k: Sequence[float] | Numbers,
    n: Sequence[float] | Numbers,
    confidence: float = 0.95,
    alike: float = 1.0,
) -> tuple[float, float]:
    """The interval of the mean rate over seeds.

    Args:
        k, n: of each seed, how many probes were answered and how many were asked; k need not be whole.
        alike: how many probes share a title, in the mean (``crossed_design.probes_per_cluster``).

    Returns:
        Lower and upper end; NaN where nothing was asked.
    """
    asked = [(float(yes), float(of)) for yes, of in zip(k, n, strict=True) if of > 0]
    if not asked:
        return float("nan"), float("nan")
    if len(asked) == 1:
        low, high = wilson(asked[0][0] / alike, asked[0][1] / alike, confidence)
        return float(low), float(high)
    shrunk = [min(1.0, MOST_PROBES / of) for _, of in asked]
    rounded = sorted(
        (round(5 * yes * by) / 5, round(of * by, 2)) for (yes, of), by in zip(asked, shrunk, strict=True)
    )
    return _interval(tuple(rounded), float(confidence))


@cache
def _interval(seeds: tuple[tuple[float, float], ...], confidence: float) -> tuple[float, float]:
    _, prior, order, rates = _grid()
    logs = prior + sum(_log_likelihood(*seed) for seed in seeds)
    weights = np.exp(logs - logs.max()).ravel()[order]
    below = np.cumsum(weights) - weights / 2
    low, high = np.interp(np.array([1 - confidence, 1 + confidence]) / 2 * weights.sum(), below, rates)
    yes, of = (sum(column) for column in zip(*seeds, strict=True))
    # Ends reach the rate that was seen, and what all answers would say if seeds did not differ: the grid has gaps.
    least, most = wilson(yes, of, confidence)
    return min(float(low), yes / of, float(least)), max(float(high), yes / of, float(most))


@lru_cache(maxsize=1024)
def _log_likelihood(yes: float, of: float) -> Numbers:
    """Of every middle and deviation, a deviation a row."""
    kernels = _grid()[0]
    exact = yes * scipy.special.log_expit(LOGITS) + (of - yes) * scipy.special.log_expit(-LOGITS)
    most = exact.max()
    mean = kernels @ np.exp(exact - most, dtype=np.float32)
    found: Numbers = np.log(np.maximum(mean.astype(np.float64), 1e-300)) + most
    return found


@lru_cache(maxsize=1)
def _grid() -> tuple[npt.NDArray[np.float32], Numbers, npt.NDArray[np.intp], Numbers]:
    """Kernels (deviations × middles × logits), log prior, the order of the mean rates, and those rates in it."""
    far = LOGITS[None, :] - MIDDLES[:, None]
    kernels = np.empty((len(DEVIATIONS), *far.shape), dtype=np.float32)
    kernels[0] = np.abs(far) < 1e-9
    for at, deviation in enumerate(DEVIATIONS[1:], 1):
        kernels[at] = np.exp(-0.5 * (far / deviation) ** 2)
    kernels /= kernels.sum(axis=2, keepdims=True)
    rates = kernels @ scipy.special.expit(LOGITS)
    jeffreys = (scipy.special.log_expit(MIDDLES) + scipy.special.log_expit(-MIDDLES)) / 2
    edges = np.concatenate([[0.0], (DEVIATIONS[1:] + DEVIATIONS[:-1]) / 2, [np.inf]])
    mass = np.diff(scipy.special.erf(edges / WIDTH / np.sqrt(2)))
    prior: Numbers = jeffreys[None, :] + np.log(np.maximum(mass, 1e-300))[:, None]
    order = np.argsort(rates.ravel(), kind="stable")
    return kernels, prior, order, rates.ravel()[order].astype(np.float64)


def rate_estimate(
    scores: Numbers,
    confidence: float = 0.95,
    alike: float = 1.0,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Estimate:
    """The mean of scores with its interval: of a rate as above, of other scores Student's t within their bounds.

    Args:
        scores: seeds × probes, of one setting.
        alike: as of ``rate_interval``.
        bounds: the least and the most that a score can be.
    """
    seeds, probes = scores.shape
    if scores.min() >= 0 and scores.max() <= 1:
        low, high = rate_interval(scores.sum(axis=1), [float(probes)] * seeds, confidence, alike)
    else:
        ends = moderated([contrast(scores[None], [1.0])]).interval(confidence)
        low, high = (float(np.clip(end[0], *bounds)) for end in ends)
    return Estimate(float(scores.mean()), low, high, seeds)
