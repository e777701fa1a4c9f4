"""Counts, intervals and surfaces against oracles and made-up rates."""

import numpy as np
import pytest
from scipy.stats import binomtest

import analysis
from analysis.measures.recovery.before_and_after import rate_over_seeds
from analysis.measures.recovery.flow import flow
from analysis.paper.repetitions import repetitions_table
from analysis.statistics.rates import rate_interval
from analysis.statistics.wilson import wilson
from study.errors import SpecError
from tests.analysis.conftest import lawful


def test_wilson_equals_scipys() -> None:
    for n in (1, 2, 7, 100, 3000):
        for k in sorted({0, 1, n // 3, n - 1, n}):
            low, high = wilson(k, n)
            expected = binomtest(k, n).proportion_ci(method="wilson")
            assert (float(low), float(high)) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_nothing_asked_has_no_interval() -> None:
    assert np.isnan(wilson(0, 0)).all()


def test_a_surface_pools_seeds_and_nothing_else(study_folder) -> None:
    study = analysis.load(study_folder(lambda seed, relearn_steps, **_: 0.1 * seed + 0.01 * relearn_steps))
    found = analysis.surface(study.cells, start="unlearned", corpus="prefix", repetitions=7)
    assert len(found) == 2 * 3
    row = found[(found["depth"] == 8) & (found["relearn_steps"] == 40)].iloc[0]
    assert (row["k"], row["n"], row["cells"]) == (40 + 50 + 60, 300, 3)
    assert row["rate"] == pytest.approx(0.5)
    assert (row["low"], row["high"]) == pytest.approx(rate_interval([40, 50, 60], [100] * 3))


def test_a_surface_over_two_corpora_is_refused(study_folder) -> None:
    study = analysis.load(study_folder(lambda **_: 0.5))
    with pytest.raises(SpecError, match=r"mix corpus prefix, retain, gibberish: choose one with corpus="):
        analysis.surface(study.cells, start="unlearned", repetitions=7)
    both = analysis.surface(study.cells, start="unlearned", repetitions=7, pool=("seed", "corpus"))
    assert set(both["n"]) == {900}


def test_what_is_missing_is_missing_and_not_nought(study_folder) -> None:
    gone = lambda depth, relearn_steps, **_: None if (depth, relearn_steps) == (8, 40) else 0.0  # noqa: E731
    study = analysis.load(study_folder(gone))
    found = analysis.surface(study.cells, start="unlearned", corpus="prefix", repetitions=7)
    hole = found[(found["depth"] == 8) & (found["relearn_steps"] == 40)].iloc[0]
    assert np.isnan(hole["rate"])
    assert hole["cells"] == 0
    assert (found["rate"] == 0).sum() == 5
    assert len(study.missing) == 4 * 3 * 3
    assert study.summary() == f"{len(study.planned) - 36:,} of {len(study.planned):,} cells"


def test_a_metric_that_is_no_count_has_a_mean(study_folder) -> None:
    study = analysis.load(study_folder(lambda seed, **_: 0.1 * seed))
    found = analysis.surface(
        study.cells, metric="target_nll", start="unlearned", corpus="prefix", repetitions=7
    )
    assert found["rate"].tolist() == pytest.approx([9 - 0.8] * 6)
    assert found["low"].isna().all()


def test_an_unknown_metric_or_coordinate_is_named(study_folder) -> None:
    study = analysis.load(study_folder(lambda **_: 0.5))
    with pytest.raises(SpecError, match=r"keyword_hat.*keyword_anywhere"):
        analysis.surface(study.cells, metric="keyword_hat")
    with pytest.raises(SpecError, match="dephts is no coordinate"):
        analysis.surface(study.cells, dephts=8)


def test_cells_that_were_not_unlearned_are_left_out_and_counted(study_folder) -> None:
    def rate(depth: int, relearn_steps: int, **place: object) -> float:
        return (
            0.5
            if depth == 6 and relearn_steps == 0
            else lawful(depth=depth, relearn_steps=relearn_steps, **place)
        )

    folder = study_folder(rate, original=0.95)
    found = repetitions_table(flow(analysis.load(folder))).set_index("repetitions")
    assert found.loc[7, "cells"] == 3
    assert (found.loc[7, "not_known"], found.loc[7, "not_forgotten"]) == (0, 3)
    assert found.loc[7, "relearned"].value == pytest.approx(0.9 * 0.96 - 0.01, abs=0.01)
    assert (found.loc[5, "paper_unlearned"], found.loc[5, "paper_relearned"]) == ("0%", "97%")


def test_the_order_of_the_axes_is_the_declared_one(study_folder) -> None:
    study = analysis.load(study_folder(lambda **_: 0.5, corpora=("retain", "prefix")))
    assert list(study.cells["corpus"].cat.categories) == ["retain", "prefix"]
    assert list(study.cells["start"].cat.categories)[:2] == ["unlearned", "original"]


def test_a_schema_from_the_future_is_refused(study_folder) -> None:
    import pyarrow.parquet as pq

    folder = study_folder(lambda **_: 0.5)
    path = folder / "results" / "cells" / "all.parquet"
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({b"relearn.schema_version": b"99"}), path)
    with pytest.raises(SpecError, match="schema version b'99'"):
        analysis.load(folder)


def test_a_rate_is_the_mean_of_the_seeds_with_the_interval_of_every_rate(study_folder) -> None:
    study = analysis.load(study_folder(lambda seed, **_: 0.2 + 0.2 * seed, repetitions=(7,)))
    rows = flow(study)
    rows = rows[(rows["corpus"] == "prefix") & (rows["depth"] == 8)]
    found = rate_over_seeds(rows)
    assert found.value == pytest.approx(0.4)
    assert (found.seeds, found.cells) == (3, 3)
    assert (found.low, found.high) == rate_interval([20, 40, 60], [100, 100, 100])
    table = analysis.surface(study.cells, corpus="prefix", start="unlearned", repetitions=7)
    (row,) = table[(table["depth"] == 8) & (table["relearn_steps"] == 40)].to_dict("records")
    assert (row["low"], row["high"]) == pytest.approx((found.low, found.high)), "one interval for one number"
    one, none = rate_over_seeds(rows[rows["seed"] == 0]), rate_over_seeds(rows.head(0))
    assert (one.value, one.seeds, str(none)) == (0.2, 1, "–")
    assert (one.low, one.high) == pytest.approx(tuple(map(float, wilson(20, 100))))
