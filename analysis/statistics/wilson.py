"""Wilson's interval for one count.

Over several seeds its n is not the number of answers: see ``analysis.statistics.rates``.
"""

import numpy as np
import numpy.typing as npt
import scipy  # its parts load when they are first used

Numbers = npt.NDArray[np.float64]


def wilson(k: npt.ArrayLike, n: npt.ArrayLike, confidence: float | Numbers = 0.95) -> tuple[Numbers, Numbers]:
    """The score interval of Wilson (1927) for k successes out of n.

    Args:
        k, n: counts, broadcast against each other; where n is 0 both ends are NaN.
        confidence: between 0 and 1.

    Returns:
        Lower and upper ends, as rates.
    """
    successes, trials = np.broadcast_arrays(np.asarray(k, float), np.asarray(n, float))
    z = scipy.stats.norm.isf((1 - np.asarray(confidence)) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = successes / trials
        centre = (rate + z**2 / (2 * trials)) / (1 + z**2 / trials)
        half = z / (1 + z**2 / trials) * np.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
        low = np.where(successes == 0, 0.0, centre - half)
        high = np.where(successes == trials, 1.0, centre + half)
    nothing = trials == 0
    return np.where(nothing, np.nan, low), np.where(nothing, np.nan, high)
