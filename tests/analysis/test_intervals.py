"""Intervals over seeds and probes: against statsmodels' analysis of variance, scipy's t, and simulated truths."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from analysis.statistics.intervals import difference, estimate, spread
from analysis.statistics.wilson import wilson
from tests.analysis.test_comparisons import as_answers


def binary(seeds: int, probes: int, settings: int = 1, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(settings, seeds, 1)) + generator.normal(size=(1, 1, probes))
    return (generator.random((settings, seeds, probes)) < 1 / (1 + np.exp(-logits))).astype(float)


@pytest.mark.parametrize(("seeds", "probes"), [(2, 30), (3, 20), (6, 15)])
def test_the_variance_is_that_of_the_two_way_analysis(seeds: int, probes: int) -> None:
    scores = binary(seeds, probes)
    rows = pd.DataFrame(
        [(s, p, scores[0, s, p]) for s in range(seeds) for p in range(probes)], columns=["seed", "probe", "y"]
    )
    table = anova_lm(ols("y ~ C(seed) + C(probe)", rows).fit())
    square = table["mean_sq"]
    parts = square["C(seed)"] + square["C(probe)"] - square["Residual"]
    found = spread(scores, [1.0])
    assert parts > max(square["C(seed)"], square["C(probe)"]), "or the floor would be tested instead"
    assert found.variance[0] == pytest.approx(parts / (seeds * probes))
    cautious = square * pd.Series({"C(seed)": (seeds + 1) / (seeds - 1), "C(probe)": 1, "Residual": 1})
    whole = cautious["C(seed)"] + cautious["C(probe)"] - cautious["Residual"]
    assert found.freedom[0] == pytest.approx(whole**2 / (cautious**2 / table["df"]).sum())


def test_with_one_seed_it_is_the_paired_t_test() -> None:
    scores = binary(1, 40, settings=2)
    oracle = stats.ttest_rel(scores[0, 0], scores[1, 0], alternative="greater")
    found = spread(scores, [1.0, -1.0])
    assert found.p_above_zero()[0] == pytest.approx(oracle.pvalue)
    both = stats.ttest_rel(scores[0, 0], scores[1, 0]).confidence_interval(0.9)
    low, high = found.t_interval(0.9)
    assert (low[0], high[0]) == pytest.approx((both.low, both.high))


def test_with_one_probe_it_is_the_t_interval_of_the_seeds() -> None:
    scores = np.random.default_rng(3).normal(5, 1, size=(1, 6, 1))
    oracle = stats.ttest_1samp(scores[0, :, 0], 0).confidence_interval()
    low, high = spread(scores, [1.0]).t_interval()
    assert (low[0], high[0]) == pytest.approx((oracle.low, oracle.high))


def test_a_rate_of_one_seed_is_wilsons_up_to_the_degrees_of_freedom() -> None:
    scores = np.zeros((1, 1, 400))
    scores[0, 0, :120] = 1
    low, high = spread(scores, [1.0]).rate_interval()
    expected = wilson(120, 400)
    assert (low[0], high[0]) == pytest.approx((float(expected[0]), float(expected[1])), abs=0.001)


def test_answers_that_are_all_alike_have_an_interval_with_a_width() -> None:
    """Nothing is known of the seeds' spread, so three seeds give what one gives: Wilson's of its probes."""
    for answer, end in ((0.0, 1), (1.0, 0)):
        low, high = spread(np.full((1, 3, 50), answer), [1.0]).rate_interval()
        expected = wilson(50 * answer, 50)
        assert (low[0], high[0]) == pytest.approx((float(expected[0]), float(expected[1])))
        assert (low[0], high[0])[end] != answer
    low, high = spread(np.zeros((2, 3, 50)), [1.0, -1.0]).t_interval()
    assert low[0] == pytest.approx(-stats.norm.ppf(0.975) / 52)
    assert high[0] == -low[0]


def test_a_difference_of_rates_ends_at_a_hundred_points() -> None:
    scores = np.zeros((2, 2, 30))
    scores[0, 0] = 1
    low, high = spread(scores, [1.0, -1.0]).t_interval()
    assert (low[0], high[0]) == (-1, 1), "two seeds, one of which knows everything"


def test_one_answer_alone_says_nothing() -> None:
    low, high = spread(np.ones((1, 1, 1)), [1.0]).t_interval()
    assert np.isnan(low[0])
    assert np.isnan(high[0])


def test_a_ratio_has_the_delta_methods_spread() -> None:
    """log(a/b) of independent Bernoulli rates: variance Σ (1 − p) / (n p)."""
    generator = np.random.default_rng(5)
    scores = np.stack([generator.random((1, 4000)) < 0.3, generator.random((1, 4000)) < 0.6]).astype(float)
    a, b = scores.mean(axis=(1, 2))
    found = estimate(as_answers(scores), lambda rates: np.log(rates[:, 0] / rates[:, 1]))
    shared = np.cov(scores[0, 0], scores[1, 0])[0, 1] / 4000
    spread_of = np.sqrt((1 - a) / (4000 * a) + (1 - b) / (4000 * b) - 2 * shared / (a * b))
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * spread_of, rel=0.005)


def test_what_two_cells_share_cancels() -> None:
    """A difference that is the same for every probe has no spread over probes: only the floor is left."""
    base = np.random.default_rng(2).random((1, 3, 50)) / 2
    found = estimate(as_answers(np.concatenate([base, base + 0.5])), difference((0, 1), 1, 0))
    assert found.value == pytest.approx(0.5)
    assert (found.high - found.low) / 2 == pytest.approx(stats.norm.ppf(0.975) / 52)


@pytest.mark.parametrize(("seeds", "differ", "least"), [(3, 1.0, 0.92), (5, 0.3, 0.93), (5, 1.0, 0.92)])
def test_it_covers_a_known_truth(seeds: int, differ: float, least: float) -> None:
    """500 simulated studies; docs/STATISTICS.md has the table of 2,000 each."""
    generator = np.random.default_rng(7)
    logits = differ * generator.normal(size=(500, seeds, 1)) + generator.normal(size=(500, 1, 40))
    scores = (generator.random((500, seeds, 40)) < 1 / (1 + np.exp(-logits))).astype(float)
    low, high = spread_of_each(scores)
    covered = ((low <= 0.5) & (high >= 0.5)).mean()
    assert least <= covered <= 0.99


def spread_of_each(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each table as a statistic of its own."""
    return spread(scores, np.eye(len(scores))).rate_interval()
