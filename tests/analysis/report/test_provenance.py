"""Where the time went, and what sharing saved, against the plan and against events counted by hand."""

import json
from pathlib import Path

import pytest

import analysis
from analysis.report.sections.provenance import provenance, stage_times
from cluster.study_folder.lease import hold
from cluster.study_folder.study_folder import StudyFolder
from search_spaces.loading import load_space
from study.planning.materials import read_materials
from study.planning.planner import make_plan
from study.planning.stages import Trajectory
from tests.analysis.conftest import lawful


def test_the_steps_alone_are_those_of_the_plan(tmp_path: Path) -> None:
    spec = load_space("tofu-mini", [])
    plan = make_plan(read_materials(spec), lambda model: pytest.fail(model))
    folder = StudyFolder(tmp_path / "study")
    told = {"models": {}, "inputs": {}, "store": "store", "space": "tofu-mini", "overrides": []}
    with hold(folder.folder) as lease:
        folder.claim(lease, spec, plan, command=["relearn", "run", "tofu-mini"], **told)
        folder.add_provenance(lease, {"train_steps": 1444, "evaluations": 80})
    alone = 0
    for cell in plan.cells:
        checkpoint = cell.checkpoint
        while isinstance(checkpoint.of, Trajectory):
            alone += checkpoint.step
            checkpoint = checkpoint.of.parent
    words = " ".join(map(str, provenance(analysis.load(folder.folder)).words))
    assert f"running each of the {len(plan.cells)} cells alone would take {alone:,} steps" in words


def test_times_are_added_up_by_kind_from_the_log(study_folder) -> None:
    folder = study_folder(lawful)
    (folder / "log").mkdir()
    events = [
        {"event": "stage started", "stage": "a", "kind": "finetune"},
        {"event": "stage started", "stage": "b", "kind": "relearn"},
        {"event": "stage finished", "stage": "a", "train_seconds": 30.0, "evaluation_seconds": 1.0},
        {"event": "stage finished", "stage": "b", "train_seconds": 5.0, "evaluation_seconds": 4.0},
        {"event": "stage finished", "stage": "b", "train_seconds": 5.0, "evaluation_seconds": 4.0},
    ]
    lines = "\n".join(json.dumps(event) for event in events)
    (folder / "log" / "node-1.jsonl").write_text(f'{lines}\n{{"event": "stage fin')  # a line that was cut off
    times = stage_times(analysis.load(folder)).set_index("kind")
    assert times.loc["finetune"].tolist() == [1, 30.0, 1.0]
    assert times.loc["relearn"].tolist() == [2, 10.0, 8.0]


def test_without_a_log_they_come_from_the_rows(study_folder) -> None:
    """The fixture has one stage key, three steps, a second of each: the longest training, and every evaluation."""
    times = stage_times(analysis.load(study_folder(lawful)))
    assert times["train_seconds"].sum() == 1.0
    assert times["evaluation_seconds"].sum() == 3.0
