"""The interval of a difference of two rates from the intervals of the two, and how it widens that of a test.

Student's t over seeds takes the spread of the seeds that were drawn for that of all. Where rates lie near 0 or 100% it
is far too small: three seeds at 0 do not say that the fourth is. The interval of each rate knows that
(``analysis.statistics.rates``), so ends of the difference follow from the two (MOVER; Zou and Donner 2008, Newcombe
1998), as if the seeds were not paired: which makes them wide, but never decides what a test finds.
"""

import numpy as np

from analysis.statistics.rates import rate_interval
from analysis.statistics.wilson import Numbers


def difference_of_rates(
    one: Numbers, other: Numbers | float, queries: float, confidence: float
) -> tuple[float, float]:
    """Ends of the mean of one rate minus that of another.

    Args:
        one, other: of each seed; one number is taken as known.
        queries: that each seed was asked.
    """
    value, low, high = _with_ends(one, queries, confidence)
    beside, least, most = _with_ends(other, queries, confidence)
    difference = value - beside
    return (
        difference - float(np.hypot(value - low, most - beside)),
        difference + float(np.hypot(high - value, beside - least)),
    )


def _with_ends(rates: Numbers | float, queries: float, confidence: float) -> tuple[float, float, float]:
    if isinstance(rates, float):
        return rates, rates, rates
    return float(rates.mean()), *rate_interval(rates * queries, [queries] * len(rates), confidence)


def widened(low: float, high: float, least: float, most: float) -> tuple[float, float]:
    """The interval of a test, each end moved out to another interval's, but where that would let 0 in that is out.

    So 0 is outside exactly where the test finds the effect, and what is said to be small is small by both.
    """
    return (
        low if least <= 0 < low else min(low, least),
        high if high < 0 <= most else max(high, most),
    )
