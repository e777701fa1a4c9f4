"""Rates and ratios of counts beside a bound, as the counts say it and not as their binary fractions round it.

0.8 × 30 ÷ 40 is stored as 0.6000000000000001 and 24 ÷ 40 as 0.6: who keeps 24 of 30 keeps 80%, and no less.
Two different rates of n answers lie 1 ÷ n apart, two ratios of such rates 1 ÷ n², so up to 10,000 answers no two that
differ are taken for the same.
"""

from typing import Any

SAME = 1e-9
"""Numbers nearer than this are the same: a rounding of doubles is a millionth of it."""


def at_least(value: Any, bound: Any) -> Any:
    """Whether a number, or each of an array or series, is the bound or more; not where one is NaN."""
    return value >= bound - SAME


def at_most(value: Any, bound: Any) -> Any:
    """Whether it is the bound or less."""
    return value <= bound + SAME


def above(value: Any, bound: Any) -> Any:
    """Whether it is more than the bound."""
    return value > bound + SAME


def below(value: Any, bound: Any) -> Any:
    """Whether it is less than the bound."""
    return value < bound - SAME
