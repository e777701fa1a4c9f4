"""Holm's adjustment: p values and intervals of several rows that are read together.

An interval that stands beside an adjusted p excludes 0 exactly where that p is below the level: the error that Holm's
method grants a row is divided by the same number for both.
"""

import numpy as np

from analysis.statistics.wilson import Numbers


def holm(p: Numbers) -> tuple[Numbers, Numbers]:
    """Adjusts p values over the rows in which something was tested (Holm 1979).

    Args:
        p: one number a row; NaN where nothing was tested, which counts for nothing.

    Returns:
        The adjusted p values, and for each row the number by which the error of its interval is divided: a 95% interval
        becomes one of 1 − 0.05 ÷ number. Both NaN where nothing was tested.
    """
    adjusted, divisors = np.full(len(p), np.nan), np.full(len(p), np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    sorted_p = np.maximum(p[order], np.finfo(np.float64).tiny)
    running = np.maximum.accumulate(sorted_p * np.arange(len(order), 0, -1))
    divisors[order] = running / sorted_p
    adjusted[order] = np.minimum(running, 1.0)
    return adjusted, divisors
