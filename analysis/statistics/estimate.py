"""A number with its interval: what the estimators of this folder give for one row."""

from dataclasses import dataclass


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


NOTHING = Estimate(float("nan"), float("nan"), float("nan"), 0)
