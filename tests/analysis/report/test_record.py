"""The record: what is committed under docs is what the command makes of the cells that are committed there."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from analysis.reading.studies import load
from analysis.record.__main__ import main
from analysis.record.recorded_study import on_record, put
from analysis.record.results_page import page
from analysis.statistics.rates import rate_interval
from search_spaces.loading import load_space
from study.planning.cost import cost
from study.planning.materials import read_materials
from study.planning.planner import make_plan
from study.planning.step_times import StepTimes
from tests.analysis.conftest import lawful

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def recorded() -> tuple[str, dict[Path, bytes]]:
    """The page and its pictures, as the command makes them now."""
    return page(DOCS)


@pytest.mark.further
def test_the_page_follows_from_the_committed_cells(recorded: tuple[str, dict[Path, bytes]]) -> None:
    text, pictures = recorded
    assert text == (DOCS / "RESULTS.md").read_text(encoding="utf-8")
    folders = {path.parent for path in pictures}
    assert set(pictures) == {path for folder in folders for path in folder.glob("*.svg")}


def test_what_is_on_record_names_no_machine() -> None:
    records = [
        path.parent for path in DOCS.glob("*/planned.parquet") if (path.parent / "cells.parquet").exists()
    ]
    names = [path.name for path in records]
    assert {"names", "tofu-smollm2", "whp-verbatim-smollm2"} <= set(names)
    for name in names:
        assert not re.search(r'[" =]/\w', (DOCS / name / "study.json").read_text(encoding="utf-8")), name
        with on_record(DOCS / name) as study:
            assert not study.cells["model"].astype(str).str.contains("/").any()
            coordinates = list(study.planned.columns.drop(["benign", "train_steps_alone"]))
            assert not study.cells.duplicated([*coordinates, "split", "metric"]).any()
        assert f"<!-- {name}: " in (DOCS / "RESULTS.md").read_text(encoding="utf-8")


@pytest.mark.further
def test_the_steps_of_names_are_those_of_its_plan(recorded: tuple[str, dict[Path, bytes]]) -> None:
    plan = make_plan(read_materials(load_space("names", [])), lambda model: pytest.fail(model))
    expected = cost(plan, [], StepTimes(), {}, 2)
    with on_record(DOCS / "names") as study:
        assert not len(study.missing)
    text, _ = recorded
    assert f"{expected.train_steps:,} training steps" in text
    assert f"{expected.train_steps_alone:,} steps" in text
    assert f"{expected.evaluations:,} evaluations" in text


def on(records: Path, marks: str) -> str:
    (records / "RESULTS.md").write_text(f"# Results\n\nOurs.\n\n{marks}Theirs.\n", encoding="utf-8")
    return page(records)[0]


def test_a_study_in_part(study_folder: Callable[..., Path], tmp_path: Path) -> None:
    folder = study_folder(
        lambda **c: None if c["depth"] == 8 and c["relearn_steps"] else lawful(**c),
        seeds=(0, 1),
        repetitions=(7, 1),
    )
    content = json.loads((folder / "study.json").read_text())
    content["overrides"] = ["model=/home/me/models/Small-1B"]
    content["provenance"]["command"] = "relearn run names --set model=/home/me/models/Small-1B --study a/b"
    content["spec"] |= {
        "name": "mine",
        "finetune": {"steps": 5},
        "embedded": {"pretraining": {"steps": 7}},
    }
    content["inputs"] = {"/home/me/secret": "0"}
    (folder / "study.json").write_text(json.dumps(content))
    records = tmp_path / "docs"
    assert put(folder, records) == records / "mine"
    kept = json.loads((records / "mine" / "study.json").read_text())
    assert kept["overrides"] == ["model=Small-1B"]
    assert "inputs" not in kept
    columns = ["corpus", "relearn_steps", "seed", "repetitions", "depth", "start", "metric"]
    with on_record(records / "mine") as recorded:
        ours, theirs = (
            frame.sort_values(columns).reset_index(drop=True)[[*columns, "k", "n", "value"]].astype(object)
            for frame in (load(folder).cells, recorded.cells)
        )
        pd.testing.assert_frame_equal(ours, theirs, check_dtype=False)
        assert set(recorded.probes["split"]) == {"forget"}
        assert set(recorded.probes["prompt"]) | set(recorded.probes["completion"]) == {""}
        assert recorded.probes["keyword_anywhere"].sum() == load(folder).probes["keyword_anywhere"].sum() > 0

    text = on(records, "<!-- mine: run -->\n<!-- end -->\n<!-- mine: steps -->\nold\n<!-- end -->\n")
    assert "In part" in text
    assert "`relearn run names --set model=Small-1B --study a/b`" in text
    assert text.startswith("# Results\n\nOurs.\n\n")
    assert text.endswith("Theirs.\n")
    assert "old" not in text
    line = next(line for line in text.splitlines() if line.startswith("| unlearned | 7 | 6 | prefix |"))
    entries = [entry.strip() for entry in line.strip("|").split("|")][4:]
    k = [
        [round(lawful(7, 6, "prefix", step, "unlearned", seed) * 100) for seed in (0, 1)]
        for step in (0, 10, 40)
    ]
    for entry, counts in zip(entries, k, strict=True):
        low, high = rate_interval(counts, [100, 100])
        assert entry == f"{sum(counts) / 2:.0f}% ({100 * low:.0f}–{100 * high:.0f})"
    line = next(line for line in text.splitlines() if line.startswith("| unlearned | 7 | 8 | prefix |"))
    assert [entry.strip() for entry in line.strip("|").split("|")][5:] == ["–", "–"]
    assert page(records)[0] == on(records, text.split("Ours.\n\n")[1].split("Theirs.")[0])


def test_methods_are_compared_where_they_have_just_forgotten(
    study_folder: Callable[..., Path], tmp_path: Path
) -> None:
    def rate(depth: int, relearn_steps: int, corpus: str, **_: object) -> float:
        kept = {6: 0.3, 8: 0.02, 10: 0.0}.get(depth, 0.0)
        return kept + (relearn_steps / 100 if depth < 10 and corpus == "prefix" else 0.0)

    folder = study_folder(
        rate,
        corpora=("prefix", "retain"),
        seeds=(0,),
        depths=(10, 6, 8),
        repetitions=(7,),
        original=1.0,
        kept=0.4,
    )
    put(folder, tmp_path / "docs")
    text = on(tmp_path / "docs", "<!-- made-up: methods -->\n<!-- end -->\n")
    # 40 of 100 queries are won and none is lost: the mean of a hundred differences, give or take 1.96 of its errors.
    error = 1.96 * 100 * (0.4 * 0.6 / 100) ** 0.5
    assert (
        f"| gradient_ascent | prefix | 0 | 8 | 2% | 42% | +40 ({40 - error:+.0f} to {40 + error:+.0f}) | 40% → 40% |"
        in text
    )
    assert "| gradient_ascent | retain | 0 | 8 | 2% | 2% | +0 (" in text

    marks = "<!-- made-up: differences corpus -->\n<!-- end -->\n"
    assert "| 8 | prefix | retain | +40 (" in on(tmp_path / "docs", marks)


def test_only_pictures_that_are_shown_are_kept(study_folder: Callable[..., Path], tmp_path: Path) -> None:
    records = tmp_path / "docs"
    folder = put(study_folder(lawful, seeds=(0,), repetitions=(7, 1)), records)
    kinds = ("pictures heatmap", "curves_of keyword_anywhere")
    on(records, "".join(f"<!-- made-up: {kind} -->\n<!-- end -->\n" for kind in kinds))
    (folder / "ladder.svg").write_bytes(b"of a mark that is gone")
    assert main([str(records)]) == 0
    assert {path.name for path in folder.glob("*.svg")} == {"heatmap.svg", "curves-keyword_anywhere.svg"}
    text = (records / "RESULTS.md").read_text(encoding="utf-8")
    assert "](made-up/heatmap.svg)" in text
    assert "](made-up/curves-keyword_anywhere.svg)" in text


def test_a_study_that_is_not_on_record_yet(tmp_path: Path) -> None:
    text = on(tmp_path, "<!-- later: run -->\n<!-- end -->\n")
    assert "<!-- later: run -->\n\nNothing is on record yet.\n" in text
    assert main([str(tmp_path)]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["RESULTS.md"]


def test_a_table_that_there_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    marks = "<!-- names: runs -->\n<!-- end -->\n"
    (tmp_path / "RESULTS.md").write_text(marks)
    assert main([str(tmp_path)]) == 2
    assert "no table of names is called 'runs'; there are run," in capsys.readouterr().err
    assert (tmp_path / "RESULTS.md").read_text() == marks


def test_a_record_with_a_hole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "RESULTS.md").write_text("<!-- mine: run -->\n<!-- end -->\n")
    (tmp_path / "mine").mkdir()
    assert main([str(tmp_path)]) == 2
    assert "mine holds no study on record" in capsys.readouterr().err
