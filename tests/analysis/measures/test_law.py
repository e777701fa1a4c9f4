"""The law: a study that was made by it gives its numbers back, and is foreseen; one that was not is not."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

import analysis
from analysis.statistics.capped_logistic import explained, fit, loss, predict
from study.errors import SpecError
from tests.analysis.invented import Invented, Place
from tests.analysis.measures.test_drivers import with_originals

CAP = 0.8
SLOPES = {"prefix": 1.2, "retain": 0.5, "gibberish": -0.6}


def lawful(start: str, depth: int, corpus: str, relearn_steps: int, **_: object) -> float:
    if start != "unlearned":
        return 0.0
    return float(CAP * expit(3 + SLOPES[corpus] * np.log1p(relearn_steps) - 2 * np.log(depth)))


def test_the_capped_fit_is_the_maximum_that_another_method_finds() -> None:
    generator = np.random.default_rng(0)
    terms = np.column_stack([np.ones(60), generator.normal(size=60)])
    cap, trials = np.full(60, 0.7), np.full(60, 50.0)
    counts = generator.binomial(50, 0.7 * expit(terms @ [0.3, 1.0])).astype(float)
    other = minimize(
        lambda at: loss(predict(terms, cap, at), counts, trials), [0.0, 0.0], method="Nelder-Mead"
    )
    assert fit(terms, cap, counts, trials) == pytest.approx(other.x, abs=2e-3)
    assert explained(counts / trials, np.full(60, counts.mean() / 50), counts, trials) == pytest.approx(
        1, abs=1e-9
    )


def test_the_largest_of_several_maxima_is_found(tmp_path) -> None:
    """Best is a curve that is at its cap on prefix once relearned; from nothing a lower maximum is found first."""
    answered = {  # of 40: depth 8 after 5 and 40 steps, depth 12 after as many
        ("prefix", 0): (33, 35, 32, 32),
        ("prefix", 1): (19, 24, 15, 13),
        ("retain", 0): (8, 8, 11, 7),
        ("retain", 1): (2, 2, 2, 2),
        ("gibberish", 0): (10, 8, 11, 7),
        ("gibberish", 1): (2, 2, 2, 4),
    }

    def rate(place: Place) -> float:
        at = 2 * (place["depth"] == 12) + (place["relearn_steps"] == 40)
        return answered[place["corpus"], place["seed"]][at] / 40 if place["relearn_steps"] else 0.0

    study = analysis.load(Invented(seeds=(0, 1), unlearned=rate).write(tmp_path / "study"))
    rows = analysis.law(study).coefficients.set_index("term")
    assert rows.loc["a, prefix", "word"] == "cannot be told: the answers separate"
    assert rows.loc["a, gibberish", "value"] == pytest.approx(-3.033, abs=0.01)


def test_a_lawful_study_gives_its_numbers_back_and_is_foreseen(study_folder) -> None:
    study = analysis.load(
        with_originals(study_folder(lawful, steps=(0, 5, 10, 40), depths=(4, 6, 8, 12)), CAP)
    )
    found = analysis.law(study)
    values = found.coefficients.set_index("term")["value"]
    assert values["c"] == pytest.approx(2, abs=0.1)
    for corpus, slope in SLOPES.items():
        assert values[f"b, {corpus}"] == pytest.approx(slope, abs=0.1)
    score = found.scores.iloc[0]
    assert score["asked"] == "each seed from the others"
    assert score["explained"] > 0.98


def test_other_cells_that_go_another_way_are_not_foreseen(study_folder, tmp_path) -> None:
    study = analysis.load(with_originals(study_folder(lawful, depths=(4, 8)).rename(tmp_path / "one"), CAP))
    shallow = analysis.load(
        study_folder(lambda start, **_: 0.75 if start == "unlearned" else 0.0, depths=(4, 8))
    )
    scores = analysis.law(study, shallow.cells).scores.set_index("asked")
    assert scores.loc["other cells", "explained"] < 0.5 < scores.loc["each seed from the others", "explained"]


def test_without_an_original_there_is_no_law(study_folder) -> None:
    with pytest.raises(SpecError, match="the original's answers"):
        analysis.law(analysis.load(study_folder(lawful)))


def test_a_corpus_that_nothing_came_back_on_has_no_coefficients(study_folder) -> None:
    """The penalty alone would give them, with intervals of a hundredth; of one seed alone there is no interval."""

    def told(start: str, depth: int, corpus: str, relearn_steps: int, seed: int, **_: object) -> float:
        if corpus == "gibberish" or (corpus == "retain" and seed):
            return 0.0
        return lawful(start, depth, corpus, relearn_steps)

    study = analysis.load(with_originals(study_folder(told, steps=(0, 5, 10, 40), depths=(4, 6, 8, 12)), CAP))
    rows = analysis.law(study).coefficients.set_index("term")
    for name in ("a", "b"):
        assert np.isnan(rows.loc[f"{name}, gibberish", ["value", "low", "high"]].to_numpy(float)).all()
        assert rows.loc[f"{name}, gibberish", "word"] == "cannot be told: nothing was answered"
        assert rows.loc[f"{name}, retain", "word"] == "known from one seed alone: no interval"
        assert np.isnan(rows.loc[f"{name}, retain", "low"]) and rows.loc[f"{name}, retain", "value"] < 10
        assert rows.loc[f"{name}, prefix", "low"] < rows.loc[f"{name}, prefix", "value"]


def test_what_the_penalty_alone_would_tell_is_not_told(study_folder) -> None:
    """Prefix is answered at the last step and at no other: the steeper the law, the better it fits."""

    def told(start: str, corpus: str, relearn_steps: int, seed: int, **_: object) -> float:
        if start != "unlearned" or corpus == "gibberish":
            return 0.0
        return 0.8 * (relearn_steps == 40) if corpus == "prefix" else 0.3 + 0.01 * seed

    study = analysis.load(with_originals(study_folder(told, steps=(0, 5, 10, 40), depths=(4, 6, 8, 12)), CAP))
    rows = analysis.law(study).coefficients.set_index("term")
    assert rows.loc["b, prefix", "word"] == "cannot be told: the answers separate"
    assert np.isnan(rows.loc["b, prefix", ["value", "low", "high"]].to_numpy(float)).all()
    assert rows.loc["b, retain", "low"] < rows.loc["b, retain", "value"] < rows.loc["b, retain", "high"]


def test_seeds_that_are_all_alike_tell_no_interval(study_folder) -> None:
    study = analysis.load(
        with_originals(study_folder(lawful, steps=(0, 5, 10, 40), depths=(4, 6, 8, 12)), CAP)
    )
    rows = analysis.law(study).coefficients
    assert set(rows["word"]) == {"all seeds are alike: no interval"}
    assert rows["low"].isna().all() and rows["value"].notna().all()
