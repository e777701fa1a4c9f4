"""Intervals: Wilson for one count, and a bootstrap over seeds and probes for what is pooled.

A Wilson interval over the pooled counts of several seeds takes them for one sample. Seeds differ more than
that: the bootstrap resamples seeds first and probes within, with the same probes in every seed since all are
asked the same ones. With two or three seeds it is still too narrow: there are only ten ways to draw three
seeds out of three. Read it as a floor.
"""

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

DRAWS = 2000


def wilson(k: npt.ArrayLike, n: npt.ArrayLike, confidence: float = 0.95) -> tuple[Numbers, Numbers]:
    """The score interval of Wilson (1927) for k successes out of n.

    Args:
        k, n: counts, broadcast against each other; where n is 0 both ends are NaN.
        confidence: between 0 and 1.

    Returns:
        Lower and upper ends, as rates.
    """
    successes, trials = np.broadcast_arrays(np.asarray(k, float), np.asarray(n, float))
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = successes / trials
        centre = (rate + z**2 / (2 * trials)) / (1 + z**2 / trials)
        half = z / (1 + z**2 / trials) * np.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
        low = np.where(successes == 0, 0.0, centre - half)
        high = np.where(successes == trials, 1.0, centre + half)
    nothing = trials == 0
    return np.where(nothing, np.nan, low), np.where(nothing, np.nan, high)


def seed_bootstrap(
    scores: list[Numbers],
    statistic: Callable[[Numbers], float] = lambda values: float(values.mean()),
    confidence: float = 0.95,
) -> tuple[float, float]:
    """A percentile interval that resamples seeds, then probes within each drawn seed.

    Args:
        scores: for each seed the scores of its probes, 1-dimensional.
        statistic: of all drawn scores together.
        confidence: between 0 and 1.

    Returns:
        Both ends; NaN with fewer than two seeds, which say nothing about how seeds differ.
    """
    if len(scores) < 2:
        return float("nan"), float("nan")
    draw = np.random.default_rng(0)
    found = []
    for _ in range(DRAWS):
        seeds = draw.integers(len(scores), size=len(scores))
        drawn = [draw.choice(scores[seed], size=len(scores[seed])) for seed in seeds]
        found.append(statistic(np.concatenate(drawn)))
    tail = (1 - confidence) / 2
    low, high = np.quantile(found, [tail, 1 - tail])
    return float(low), float(high)
