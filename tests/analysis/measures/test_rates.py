"""The interval of one rate: against Wilson's, a posterior by brute force, and simulated truths."""

import numpy as np
import pytest
from scipy.special import expit, log_expit
from scipy.stats import norm

from analysis.statistics.rates import WIDTH, rate_estimate, rate_interval
from analysis.statistics.wilson import wilson


def test_one_seed_is_wilsons_and_a_title_counts_once() -> None:
    assert rate_interval([12], [40]) == pytest.approx(tuple(map(float, wilson(12, 40))))
    assert rate_interval([12], [40], alike=4) == pytest.approx(tuple(map(float, wilson(3, 10))))
    assert np.isnan(rate_interval([], [])).all()


def test_the_grid_is_the_posterior_by_quadrature() -> None:
    """P(mean rate ≤ an end) by sums over a finer grid, each seed's rate integrated by Gauss and Hermite."""
    yes, asked = np.array([2.0, 9.0]), 20.0
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    middles, deviations = np.meshgrid(np.linspace(-10, 10, 301), np.linspace(0.01, 8, 160))
    logits = middles[..., None] + deviations[..., None] * nodes
    each = [np.exp(k * log_expit(logits) + (asked - k) * log_expit(-logits)) @ weights for k in yes]
    joint = np.exp((log_expit(middles) + log_expit(-middles)) / 2) * norm.pdf(deviations, scale=WIDTH)
    joint = joint * np.prod(each, axis=0)
    rates = expit(logits) @ (weights / weights.sum())
    for end, share in zip(rate_interval(yes, [asked] * 2), (0.025, 0.975), strict=True):
        assert joint[rates <= end].sum() / joint.sum() == pytest.approx(share, abs=0.005)


def test_it_stays_within_what_can_be_and_holds_what_was_seen() -> None:
    low, high = rate_interval([0, 0, 0], [100] * 3)
    assert low == 0 < high < 0.35
    low, high = rate_interval([100, 100], [100] * 2)
    assert 0.5 < low < high == 1
    low, high = rate_interval([22, 47, 81], [100] * 3)
    assert low < 0.5 < high
    assert rate_interval([47, 81, 22], [100] * 3) == (low, high)


def test_scores_that_are_no_rates_have_the_t_interval_of_their_seeds() -> None:
    scores = np.random.default_rng(1).normal(5, 1, size=(4, 30))
    found = rate_estimate(scores)
    assert found.low < found.value == pytest.approx(scores.mean())
    assert found.high > found.value


@pytest.mark.parametrize(("seeds", "differ"), [(3, 0.5), (3, 1.5), (5, 1.5), (10, 1.5)])
def test_it_covers_a_known_truth(seeds: int, differ: float) -> None:
    generator = np.random.default_rng(7)
    logits = differ * generator.normal(size=(400, seeds))
    answered = generator.binomial(100, expit(logits))
    ends = np.array([rate_interval(each, [100] * seeds) for each in answered])
    assert ((ends[:, 0] <= 0.5) & (ends[:, 1] >= 0.5)).mean() >= 0.92


@pytest.mark.parametrize(("k", "n", "seeds"), [(200, 400, 10), (220, 400, 20), (4, 400, 8)])
def test_seeds_that_are_all_alike_leave_the_width_of_their_answers(k: int, n: int, seeds: int) -> None:
    low, high = rate_interval([k] * seeds, [n] * seeds)
    least, most = wilson(k * seeds, n * seeds)
    assert low <= least < k / n < most <= high
