"""Fractions of counts as fractions: at a bound, binary rounding decides nothing."""

from fractions import Fraction

MOST = 10**6
"""The largest denominator; from a rounded number it finds the fraction of two counts that was rounded."""


def exact(value: float) -> Fraction:
    """The fraction behind a rounded share; of a number that is none, one within 1e-12."""
    return Fraction(value).limit_denominator(MOST)
