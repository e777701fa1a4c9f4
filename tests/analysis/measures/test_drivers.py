"""Drivers and predictors: against statsmodels, a likelihood maximised by scipy, known truths, and the edges."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize
from scipy.special import expit, logit
from scipy.stats import t
from statsmodels.stats.multitest import multipletests

import analysis
from analysis.measures.drivers import drivers
from analysis.measures.predictors import _auc, predictors
from analysis.statistics.logistic import fit
from study.errors import SpecError
from study.results.files import write_table
from study.results.schema import CELLS
from tests.analysis.invented import Invented


def test_the_fit_is_statsmodels() -> None:
    generator = np.random.default_rng(0)
    terms = generator.normal(size=(200, 3)) * [1, 10, 0.1] + [0, 5, 2]
    trials = generator.integers(1, 50, size=200).astype(float)
    successes = generator.binomial(trials.astype(int), expit(terms @ [0.5, -0.1, 3] - 5)).astype(float)
    oracle = sm.GLM(
        np.column_stack([successes, trials - successes]), sm.add_constant(terms), sm.families.Binomial()
    ).fit()
    found = fit(terms, successes, trials)
    assert not found.firth
    assert found.coefficients == pytest.approx(oracle.params, rel=1e-6)


def test_where_data_separate_it_is_firths() -> None:
    """The maximum of the likelihood times the root of the information's determinant, found by scipy."""
    terms = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]])
    successes, trials = np.array([0.0, 0, 0, 10, 10, 10]), np.full(6, 10.0)
    design = np.column_stack([np.ones(6), terms])

    def less(beta: np.ndarray) -> float:
        rate = expit(design @ beta)
        information = design.T @ ((trials * rate * (1 - rate))[:, None] * design)
        likelihood = successes @ np.log(rate) + (trials - successes) @ np.log1p(-rate)
        return -(likelihood + 0.5 * np.linalg.slogdet(information)[1])

    oracle = minimize(less, [-5.0, 2.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    found = fit(terms, successes, trials)
    assert found.firth
    assert found.coefficients == pytest.approx(oracle.x, rel=1e-4)


def truth(
    depth: int, relearn_steps: int, corpus: str, repetitions: int, seed: int, start: str, **_: object
) -> float:
    relevance = {"prefix": 0.8, "retain": 0.4, "gibberish": 0.0}[corpus]
    depths = np.log(depth) if depth else np.log([6.0, 8.0]).mean()
    number = -2.5 * depths + 0.9 * np.log1p(relearn_steps) + 0.2 * repetitions + 1.5 * relevance + 1.2
    return float(expit(number + 0.15 * (seed - 1) - (1.0 if start == "never_learned" else 0.0)))


def test_known_effects_come_back_with_their_intervals(study_folder) -> None:
    folder = study_folder(truth)
    table = drivers(analysis.load(folder))
    assert set(table["corpus"]) == {"prefix", "retain", "gibberish"}
    p = table["p"].dropna()
    assert table.loc[p.index, "p_adjusted"].tolist() == pytest.approx(
        multipletests(p, method="holm")[1].tolist()
    )
    shown = table[table["p"].notna()]
    assert ((shown["low"] > 0) | (shown["high"] < 0)).tolist() == (shown["p_adjusted"] < 0.05).tolist()
    found = table[table["corpus"] == "prefix"].set_index("term")
    for term, value in (
        ("log_depth", -2.5),
        ("log_relearn_steps", 0.9),
        ("repetitions", 0.2),
    ):
        assert found.loc[term, "coefficient"] == pytest.approx(value, rel=0.06), term
        assert found.loc[term, "low"] <= found.loc[term, "points"] <= found.loc[term, "high"]
    assert found.loc["start never_learned", "coefficient"] == pytest.approx(-1, rel=0.06)
    cells = analysis.load(folder).cells.query(
        "metric == 'keyword_anywhere' and relearn_steps > 0 and corpus == 'prefix'"
    )
    rates = np.array([truth(**row) for row in cells.to_dict("records")])
    moved = expit(logit(rates) + 0.2) - rates
    assert found.loc["repetitions", "points"] == pytest.approx(100 * moved.mean(), rel=0.06)
    assert "method none" not in found.index, "what was not unlearned has no method"


@pytest.mark.further
def test_the_jackknife_over_seeds_covers(study_folder) -> None:
    """Effects of 150 simulated studies of five seeds that differ: Student's t over five clusters."""
    from analysis.measures.drivers import _effects, _jackknife, _without

    generator = np.random.default_rng(3)
    steps, seeds = np.tile([5.0, 10, 20, 40], 5), np.repeat(np.arange(5), 4)
    values = pd.DataFrame({"log_relearn_steps": np.log1p(steps)})
    wide = (generator.normal(size=(20000, 1)) * 0.8) + np.log1p([5.0, 10, 20, 40]) - 2.8
    real = float((expit(wide + np.log(2)) - expit(wide)).mean())
    covered = 0
    for _ in range(150):
        rates = expit(values["log_relearn_steps"].to_numpy() - 2.8 + 0.8 * generator.normal(size=5)[seeds])
        k, n = generator.binomial(60, rates).astype(float), np.full(20, 60.0)
        whole = fit(values.to_numpy(), k, n)
        effects = _effects(values, whole)
        again = np.array([_without(values, k, n, seeds != each, whole) for each in range(5)])
        error, _p = _jackknife(effects, again)
        covered += bool(abs(effects[0] - real) <= t.isf(0.025, 4) * error[0])
    assert 132 <= covered <= 149


@pytest.mark.parametrize(
    ("rate", "make", "words"),
    [
        (lambda **_: None, {}, "no relearned cell is scored yet"),
        (lambda **_: 0.0, {}, r"no effect can be told \(nothing is answered\)"),
        (lambda **_: 1.0, {}, r"no effect can be told \(everything is answered\)"),
        (lambda relearn_steps, **_: None if relearn_steps else 0.5, {}, "no relearned cell"),
    ],
)
def test_where_nothing_can_be_explained_it_says_so(study_folder, rate, make, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        drivers(analysis.load(study_folder(rate, **make)))


def test_no_axis_that_varies_is_said(study_folder) -> None:
    folder = study_folder(
        lambda start, **_: 0.4 if start == "unlearned" else None,
        corpora=("prefix",),
        depths=(6,),
        steps=(0, 40),
        repetitions=(7,),
    )
    with pytest.raises(SpecError, match="no term varies"):
        drivers(analysis.load(folder))


def test_one_value_and_one_seed_have_words_and_no_number(study_folder) -> None:
    folder = study_folder(lawless, seeds=(0,), repetitions=(7,))
    table = drivers(analysis.load(folder))
    found = table[table["corpus"] == "prefix"].set_index("term")
    assert np.isnan(found.loc["repetitions", "points"])
    assert found.loc["repetitions", "word"] == "one value (7) in these cells"
    assert found.loc["log_depth", "word"] == "one seed: no interval over seeds"
    assert np.isnan(found.loc["log_depth", "low"])


def lawless(depth: int, relearn_steps: int, start: str, **_: object) -> float:
    return (relearn_steps / 80) * (0.9 - 0.05 * depth) if start == "unlearned" else 0.01


@pytest.mark.parametrize(
    ("models", "seeds", "clusters"),
    [
        ((("m",), ("m",)), ((0,), (0,)), 1),  # the same draw, relearned in two studies
        ((("m",), ("m",)), ((0, 1), (0, 2)), 3),
        ((("m",), ("other",)), ((0,), (0,)), 2),
        ((("m",), ("m", "other"), ("other",)), ((0,), (0,), (0,)), 1),  # the middle study draws both alike
    ],
)
def test_a_seed_of_studies_that_have_a_model_in_common_is_one_seed(
    tmp_path: Path, models: tuple[tuple[str, ...], ...], seeds: tuple[tuple[int, ...], ...], clusters: int
) -> None:
    folders = [
        Invented(models=names, seeds=drawn, corpora=("prefix",)).write(tmp_path / str(at))
        for at, (names, drawn) in enumerate(zip(models, seeds, strict=True))
    ]
    found = drivers(analysis.load(*folders))
    assert set(found["clusters"]) == {clusters}
    told = found[found["points"].notna()]
    assert ((told["word"] == "one seed: no interval over seeds") == (clusters == 1)).all()
    assert told["low"].isna().all() == (clusters == 1)


def test_a_metric_that_is_no_share_is_refused(study_folder) -> None:
    with pytest.raises(SpecError, match="neither a count nor between 0 and 1"):
        drivers(analysis.load(study_folder(truth)), metric="target_nll")


def with_originals(folder: Path, rate: float, change=lambda row: row) -> Path:
    """Gives a made-up study its original models, and changes its rows."""
    import pyarrow.parquet as pq

    path = folder / "results" / "cells" / "all.parquet"
    rows = [change(row) for row in pq.read_table(path).to_pylist()]
    never = [row for row in rows if row["start"] == "never_learned" and row["relearn_steps"] == 0]
    first = never[0]["corpus"]
    for row in [row for row in never if row["corpus"] == first]:
        known = {"k": round(100 * rate), "n": 100, "value": rate} if row["k"] is not None else {"value": 1.0}
        rows.append({**row, "start": "original", "corpus": "none", **known})
    write_table(pa.Table.from_pylist(rows, schema=CELLS), path)
    return folder


def with_distances(folder: Path, distance) -> Path:
    """Gives a made-up study weight distances, by their coordinates, and likelihoods that say nothing."""

    def change(row: dict) -> dict:
        likelihood = row["metric"] == "target_nll" and row["start"] == "unlearned"
        value = (
            {"value": 1.0 + (row["seed"] * 7 + row["depth"] * 3 + row["repetitions"]) % 5}
            if likelihood
            else {}
        )
        return {**row, "weight_distance": distance(**row), **value}

    return with_originals(folder, 0.97, change)


@pytest.fixture
def three(study_folder, tmp_path: Path):
    def rate(depth: int, relearn_steps: int, start: str, seed: int, **_: object) -> float:
        return expit(4 - 0.5 * depth - 0.3 * seed) if relearn_steps and start == "unlearned" else 0.0

    folders = []
    for name, depths in (("a", (4, 8, 12)), ("b", (3, 6, 9)), ("c", (5, 10, 15))):
        made = study_folder(rate, depths=depths, corpora=("prefix",), steps=(0, 40)).rename(tmp_path / name)
        folders.append(with_distances(made, lambda depth, seed, **_: depth + 0.6 * seed))
    return folders


def test_what_decides_is_found_in_studies_not_seen_and_what_does_not_is_not(three) -> None:
    table = predictors(analysis.load(*three))
    assert set(table["among"]) == {"all", "known and forgotten"}
    found = table[table["among"] == "all"].set_index(["predictor", "held_out"])
    for name in "abc":
        assert found.loc[("weight_distance", name), "r2"] > 0.97
        assert found.loc[("weight_distance", name), "rank"] > 0.98
        assert found.loc[("weight_distance", name), "auc"] == 1
        assert found.loc[("forgotten_fraction", name), "r2"] < 0.3
        assert found.loc[("original alone", name), "r2"] < 0.1
    whole = found.loc[("weight_distance", "all")]
    assert whole["rank_low"] <= whole["rank"] <= whole["rank_high"] <= 1
    assert found.loc[("weight_distance", "a"), "trained_on"] == 72


def test_one_study_cannot_be_held_out(three) -> None:
    with pytest.raises(SpecError, match="one study: whether a rule holds elsewhere"):
        predictors(analysis.load(three[0]))


def test_studies_without_trajectories_are_counted(study_folder, three, tmp_path: Path) -> None:
    empty = study_folder(lambda **_: None).rename(tmp_path / "empty")
    with pytest.raises(SpecError, match=r"two studies of at least 5 .* a 36, empty 0"):
        predictors(analysis.load(three[0], empty))


def test_auc_is_the_share_of_pairs_in_order() -> None:
    guess, yes = np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, False, True, True])
    pairs = [(g > h) + 0.5 * (g == h) for g in guess[yes] for h in guess[~yes]]
    assert _auc(guess, yes) == pytest.approx(np.mean(pairs))
    assert np.isnan(_auc(guess, np.ones(4, dtype=bool)))
