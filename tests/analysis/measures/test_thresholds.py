"""A rate at a bound is at the bound, whatever binary fractions make of it: held against whole numbers."""

import numpy as np

from analysis.statistics.thresholds import above, at_least, at_most, below


def test_80_percent_of_every_count_is_80_percent_of_it() -> None:
    """All originals and all that a model keeps of them, of up to 100 retain probes."""
    wrong = 0
    for asked in range(1, 101):
        original, kept = np.meshgrid(np.arange(1, asked + 1), np.arange(asked + 1))
        intact = 10 * kept >= 8 * original
        bound = 0.8 * (original / asked)
        assert (at_least(kept / asked, bound) == intact).all()
        assert (below(kept / asked, bound) == ~intact).all()
        wrong += int(((kept / asked >= bound) != intact).sum())
    assert wrong > 0, "doubles alone would have done"


def test_half_of_what_was_known_is_half_of_it() -> None:
    """Net recovery of every (value, control, original) of up to 40 queries, and forgotten up to a quarter."""
    for asked in range(1, 41):
        value, control, original = np.meshgrid(*[np.arange(asked + 1)] * 3)
        shown = original > control
        gap = np.where(shown, original / asked - control / asked, 1)
        net = (value / asked - control / asked) / gap
        assert (at_least(net, 0.5) == (2 * (value - control) >= original - control))[shown].all()
        assert (at_most(value / asked, 0.25 * (original / asked)) == (4 * value <= original)).all()
        assert (above(value / asked, 0.25 * (original / asked)) == (4 * value > original)).all()


def test_what_is_missing_is_on_no_side() -> None:
    assert not any(side(np.nan, 0.5) for side in (at_least, at_most, above, below))
