"""Tables of misleading studies, where sentences alone do not show the fault."""

from dataclasses import replace
from pathlib import Path

import pytest

import analysis
from analysis.measures.recovery.flow import flow
from analysis.measures.recovery.net_recovery import net_recovery
from analysis.paper.experiments import experiments
from analysis.report import write_report
from analysis.report.measured_study import MeasuredStudy
from study.errors import IntegrityError
from tests.analysis.adversarial.cases import CASES
from tests.analysis.invented import Invented


def test_the_flow_is_that_of_the_rows(measured) -> None:
    for name in (
        "limit-of-its-own-original",
        "utility-destroyed",
        "matched-control-regains-all",
        "graded-scores",
    ):
        study, truth = measured(name)
        rows = flow(study)
        assert len(rows) == len(truth.relearnings)
        for each in truth.relearnings:
            place = {
                key: getattr(each, key)
                for key in ("model", "method", "repetitions", "depth", "corpus", "seed")
            }
            (row,) = rows[(rows[list(place)] == list(place.values())).all(axis=1)].to_dict("records")
            assert (row["known"], row["forgotten"], row["intact"]) == (
                each.known,
                each.forgotten,
                each.intact,
            )
            net = each.net[each.last]
            assert row["net"] == pytest.approx(float("nan") if net is None else net, nan_ok=True)


def test_a_cell_with_two_rows_is_an_error(tmp_path: Path) -> None:
    folder = Invented(seeds=(0,)).write(tmp_path / "twice")
    path = folder / "results" / "cells" / "all.parquet"
    path.with_name("again.parquet").write_bytes(path.read_bytes())
    with pytest.raises(IntegrityError, match=r"a cell has two rows \(scenario names, model m, "):
        net_recovery(analysis.load(folder).parts[0])


def test_two_models_make_a_page_that_keeps_them_apart(tmp_path: Path) -> None:
    made = replace(
        CASES["nothing-in-one-model"].study, probes=True, seeds=(0, 1), corpora=("prefix", "gibberish")
    )
    study = MeasuredStudy.of(analysis.load(made.write(tmp_path / "two")).parts[0])
    text = write_report(study.folder).read_text(encoding="utf-8")
    assert "Which relearnings count" in text
    assert "What can be said" in text
    table = experiments(study)
    numbers = table[(table["paper"] != "holds") & table["ours"].notna()]
    assert set(numbers["model"]) == {"a", "b"}, "neither is dropped"


def test_answers_without_a_rating_take_no_other_away(tmp_path: Path) -> None:
    """Each rate of a trajectory is the mean that stands in its cell, over all seeds, probes that lack one included."""
    made = CASES["a-judge-that-gives-none-for-some"].study
    study = analysis.load(made.write(tmp_path / "some")).parts[0]
    (row,) = (
        analysis.trajectories(study)
        .query("start == 'unlearned' and depth == 8 and corpus == 'prefix'")
        .to_dict("records")
    )
    cells = study.headline_cells.query("start == 'unlearned' and depth == 8 and corpus == 'prefix'")
    last = cells.loc[cells["relearn_steps"] == 40, "value"]
    assert (row["final"], row["seeds"], row["probes"]) == (pytest.approx(last.mean()), 3, made.asked)
    assert 1 <= row["final_low"] < row["final"] < row["final_high"] <= 10
