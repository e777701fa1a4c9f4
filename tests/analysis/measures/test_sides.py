"""The interval of a difference of two rates: Newcombe's by statsmodels, and what widening leaves to the test."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from analysis.measures.recovery.statements import Statement
from analysis.measures.recovery.verdicts import HOLDS, judged
from analysis.statistics.rates import rate_interval
from analysis.statistics.sides import difference_of_rates, widened


@pytest.mark.parametrize(("yes", "no"), [(3, 0), (56, 48), (0, 0), (99, 40)])
def test_of_one_seed_it_is_newcombes(yes: int, no: int) -> None:
    found = difference_of_rates(np.array([yes / 100]), np.array([no / 100]), 100.0, 0.95)
    assert found == pytest.approx(
        confint_proportions_2indep(yes, 100, no, 100, method="newcomb", compare="diff"), abs=1e-9
    )


def test_against_what_is_known_it_is_that_of_the_rate() -> None:
    rates = np.array([0.0, 0.02, 0.4])
    low, high = rate_interval(100 * rates, [100.0] * 3, 0.99)
    assert difference_of_rates(rates, 0.1, 100.0, 0.99) == pytest.approx((low - 0.1, high - 0.1))


def test_three_seeds_at_nothing_leave_much_open_and_ten_little() -> None:
    three, ten = (difference_of_rates(np.zeros(seeds), np.zeros(seeds), 100.0, 0.95) for seeds in (3, 10))
    assert three[1] > 0.3 and three[0] == pytest.approx(-three[1])
    assert ten[1] < 0.05


@pytest.mark.parametrize(
    ("interval", "rates", "becomes"),
    [
        ((-0.04, 0.03), (-0.2, 0.3), (-0.2, 0.3)),
        ((0.01, 0.1), (-0.2, 0.3), (0.01, 0.3)),
        ((-0.1, -0.01), (-0.2, 0.3), (-0.2, -0.01)),
        ((0.9, 0.95), (0.6, 1.0), (0.6, 1.0)),
        ((-0.95, -0.9), (-1.0, -0.6), (-1.0, -0.6)),
        ((0.1, 0.2), (0.15, 0.18), (0.1, 0.2)),
    ],
)
def test_an_end_moves_out_unless_it_lets_0_in(
    interval: tuple[float, float], rates: tuple[float, float], becomes: tuple[float, float]
) -> None:
    assert widened(*interval, *rates) == becomes


def test_three_seeds_at_everything_leave_as_much_open_as_their_rate() -> None:
    """Student's t alone says 96 to 100."""
    pairs = pd.DataFrame(
        {"seed": [0, 1, 2], "one": 1.0, "other": 0.0, "a": 1.0, "b": 0.0, "queries": 100.0, "before": 0.0}
    )
    row = judged([Statement({}, "it comes back", pairs, "", compares=False)]).iloc[0]
    assert row["verdict"] == HOLDS
    assert row["low"] == pytest.approx(rate_interval(np.full(3, 100.0), [100.0] * 3, 0.95)[0])
