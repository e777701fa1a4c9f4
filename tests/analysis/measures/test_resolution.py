"""What a planned study will be able to tell: against the audit's simulations, and from an earlier study's rows."""

import numpy as np
import pytest

import analysis
from analysis.measures.resolution import in_words, resolution, seed_spread
from analysis.statistics.rates import rate_interval


@pytest.mark.parametrize(
    ("seeds", "probes", "points"),
    [(2, 100, 55), (3, 100, 40), (3, 20, 45), (5, 100, 29), (5, 20, 34), (10, 100, 21)],
)
def test_the_formula_says_what_simulated_studies_showed(seeds: int, probes: int, points: float) -> None:
    """80% power at a seed deviation of 1.3 in tables of sixty rows."""
    assert resolution(seeds, probes, 60).difference == pytest.approx(points, rel=0.1)


def test_one_seed_tells_nothing_of_others() -> None:
    assert np.isnan(resolution(1, 100, 60).difference)
    assert "nothing of other seeds" in in_words(1, 100, 60, None)
    assert "you will see no difference, however large" in in_words(2, 6, 1, None), (
        "140 points there cannot be"
    )


def test_the_spread_is_the_earlier_studys(study_folder) -> None:
    rates = {0: 0.3, 1: 0.5, 2: 0.7}
    study = analysis.load(study_folder(lambda seed, **_: rates[seed], seeds=(0, 1, 2)))
    found = seed_spread(study)
    assert found is not None
    assert found.of_rates == pytest.approx(np.std(list(rates.values()), ddof=1), abs=0.01)
    assert found.of_differences == pytest.approx(0, abs=0.01), "both corpora shift with the seed"
    low, high = rate_interval([30, 50, 70], [100] * 3)
    assert resolution(3, 100, 60, found).half_width == pytest.approx(50 * (high - low), rel=0.15)
    assert study.name in in_words(3, 100, 60, found)


def test_two_seeds_tell_no_spread(study_folder) -> None:
    assert seed_spread(analysis.load(study_folder(lambda **_: 0.5, seeds=(0, 1)))) is None


def test_seeds_that_are_all_alike_tell_no_spread(study_folder) -> None:
    assert seed_spread(analysis.load(study_folder(lambda **_: 0.5))) is None
