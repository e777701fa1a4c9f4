"""Moderated contrasts: against scipy's t and analysis of variance, statsmodels' Holm, and simulated priors."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from analysis.statistics.adjustment import holm
from analysis.statistics.moderated import Contrast, contrast, moderated, shared_prior, together


@pytest.mark.parametrize("rows", [1, 2, 30])
def test_holm_is_statsmodels_and_intervals_exclude_0_where_p_does(rows: int) -> None:
    p = np.random.default_rng(rows).random(rows) ** 4
    adjusted, divisors = holm(np.array([*p, np.nan]))
    assert adjusted[:-1] == pytest.approx(multipletests(p, method="holm")[1])
    assert np.isnan(adjusted[-1]) and np.isnan(divisors[-1])
    assert (p * divisors[:-1] >= adjusted[:-1] - 1e-12).all()
    assert (divisors[:-1] >= 1).all()


def test_the_prior_of_rows_that_were_drawn_from_one_is_found() -> None:
    generator = np.random.default_rng(1)
    true = 0.3 * 8 / generator.chisquare(8, size=20_000)  # d0 = 8, s0² = 0.3
    found = shared_prior(true * generator.chisquare(4, size=len(true)) / 4, np.full(len(true), 4.0))
    assert found.freedom == pytest.approx(8, rel=0.08)
    assert found.variance == pytest.approx(0.3, rel=0.03)


def test_the_prior_of_equal_variances_has_a_quarter_of_all_degrees_of_freedom() -> None:
    generator = np.random.default_rng(2)
    found = shared_prior(generator.chisquare(2, size=40) / 2 * 0.1, np.full(40, 2.0))
    assert found.freedom == 20
    assert found.variance == pytest.approx(0.1, rel=0.4)


def test_a_row_alone_is_the_t_test_of_its_seeds() -> None:
    by_seed = np.array([0.1, 0.3, 0.15, 0.4])
    found = together([Contrast(by_seed)]).iloc[0]
    oracle = stats.ttest_1samp(by_seed, 0)
    ends = oracle.confidence_interval()
    assert (found["p"], found["p_adjusted"]) == pytest.approx((oracle.pvalue,) * 2)
    assert (found["low"], found["high"]) == pytest.approx((ends.low, ends.high))


def test_rows_lend_each_other_degrees_of_freedom() -> None:
    generator = np.random.default_rng(3)
    rows = [Contrast(generator.normal(0, 0.2, size=3)) for _ in range(60)]
    table = moderated(rows)
    assert 20 < table.freedom[0] <= 2 + 30
    widths = [np.ptp(moderated([row]).interval()) for row in rows]
    assert np.mean(np.subtract(*table.interval()[::-1])) < 0.6 * np.mean(widths)


def test_a_contrast_is_paired_by_seed_and_its_probes_are_counted() -> None:
    generator = np.random.default_rng(4)
    scores = (generator.random((2, 3, 20)) < 0.5).astype(float)
    found = contrast(scores, [1, -1])
    assert found.by_seed == pytest.approx((scores[0] - scores[1]).mean(axis=1))
    assert (found.least, found.most) == (-1, 1)
    assert found.floor == pytest.approx(1 / 22**2)
    one = contrast(scores[:, :1], [1, -1])
    ends = stats.ttest_rel(scores[0, 0], scores[1, 0]).confidence_interval()
    low, high = moderated([one]).interval()
    assert (low[0], high[0]) == pytest.approx((ends.low, ends.high))
    assert np.isnan(moderated([one]).p()[0]), "one seed says nothing of others"


def test_graded_scores_have_no_least_variance_and_equal_answers_no_interval() -> None:
    graded = np.full((2, 3, 8), 0.4)
    graded[0] += 0.1
    found = together([contrast(graded, [1, -1])]).iloc[0]
    assert found["value"] == pytest.approx(0.1)
    assert np.isnan(found["low"]) and np.isnan(found["p"])
    alike = together([contrast(np.zeros((2, 3, 8)), [1, -1])]).iloc[0]
    half = stats.t.isf(0.025, 2) / 10
    assert (alike["low"], alike["high"]) == pytest.approx((-half, half)), (
        "one answer of 8 + 2, and three seeds"
    )


def test_probes_of_one_title_count_as_one() -> None:
    generator = np.random.default_rng(5)
    titles = [f"author-{at // 4:02d}" for at in range(40)]
    by_title = (generator.random((1, 1, 10)) < 0.5).astype(float).repeat(4, axis=2)
    low, high = moderated([contrast(by_title, [1.0], titles)]).interval()
    ends = stats.ttest_1samp(by_title[0, 0, ::4], 0).confidence_interval()
    assert (low[0], high[0]) == pytest.approx((ends.low, ends.high))


def test_a_ragged_title_keeps_the_mean() -> None:
    scores = np.random.default_rng(6).random((1, 2, 5))
    found = moderated([contrast(scores, [1.0], ["a", "a", "b", "c", "c"])])
    assert found.value[0] == pytest.approx(scores.mean())
