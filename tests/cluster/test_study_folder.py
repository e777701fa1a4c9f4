"""A study's folder after a crash between its first files."""

from pathlib import Path

import pytest

from cluster.study_folder import StudyFolder
from study.errors import SpecError


def claim(folder: Path, plan) -> list[str]:
    facts = {
        "models": {},
        "inputs": {},
        "store": "store",
        "space": "x",
        "overrides": [],
        "command": ["relearn"],
    }
    return StudyFolder(folder).claim(plan.spec, plan, **facts)


def test_a_crash_before_study_json_does_not_lock_the_folder(planned, tmp_path: Path) -> None:
    plan = planned()
    folder = tmp_path / "s"
    folder.mkdir()
    StudyFolder(folder).describe(plan)
    assert not StudyFolder(folder).exists()
    assert claim(folder, plan) == []
    assert StudyFolder(folder).recorded().spec["name"] == "tiny"


def test_a_folder_with_something_else_beside_stays_locked(planned, tmp_path: Path) -> None:
    plan = planned()
    StudyFolder(tmp_path).describe(plan)
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(SpecError, match=r"not empty \(thesis.tex\)"):
        claim(tmp_path, plan)
