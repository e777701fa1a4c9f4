"""A study's folder after a crash between its first files, and after a version that computes other numbers."""

import json
from pathlib import Path
from typing import Any

import pytest

from cluster.study_folder.lease import hold
from cluster.study_folder.study_folder import StudyFolder
from study.errors import SpecError
from tests.commands import call


def claim(folder: Path, plan) -> list[str]:
    facts: dict[str, Any] = {
        "models": {},
        "inputs": {},
        "store": "store",
        "space": "x",
        "overrides": [],
        "command": ["relearn"],
    }
    with hold(folder) as lease:
        return StudyFolder(folder).claim(lease, plan.spec, plan, **facts)


def test_a_crash_before_study_json_does_not_lock_the_folder(planned, tmp_path: Path) -> None:
    plan = planned()
    folder = tmp_path / "s"
    folder.mkdir()
    with hold(folder) as lease:
        StudyFolder(folder).describe(lease, plan)
    assert not StudyFolder(folder).exists()
    assert claim(folder, plan) == []
    assert StudyFolder(folder).recorded().spec["name"] == "tiny"


def test_a_folder_with_something_else_beside_stays_locked(planned, tmp_path: Path) -> None:
    plan = planned()
    with hold(tmp_path) as lease:
        StudyFolder(tmp_path).describe(lease, plan)
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(SpecError, match=r"not empty \(thesis.tex\)"):
        claim(tmp_path, plan)


@pytest.mark.parametrize("began", [1, None])
def test_a_study_of_other_numerics_is_read_and_not_gone_on_with(
    space, finished, tmp_path: Path, began: int | None
) -> None:
    """Its keys are others now: gone on with it would hold two roundings, and a repair would take all of it away."""
    path, study = space(), finished()
    content = json.loads((study / "study.json").read_text())
    assert content.pop("numerics") > 1
    (study / "study.json").write_text(json.dumps(content | ({"numerics": began} if began else {})))
    before = {file: file.read_bytes() for file in study.rglob("*") if file.is_file()}
    for verb in (
        ["run", path, "--study", "s"],
        ["resume", "s"],
        ["verify", "s", "--repair"],
        ["status", "s"],
    ):
        code, output = call(*verb, cwd=tmp_path)
        assert code == 3, output
        assert f"(numerics {began or 'not recorded'}, here" in output
        assert "begin again in another folder with --study" in output
    after = {file: file.read_bytes() for file in study.rglob("*") if file.is_file()}
    assert after == before
    code, output = call("export", "s", cwd=tmp_path)
    assert code == 0, output
