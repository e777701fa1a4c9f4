"""Specs that older versions recorded are read; their keys are refused where a user gives them."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from cluster.study_folder.study_folder import StudyFolder
from study.results.recorded_spec import RENAMED, with_current_keys
from study.spec import StudySpec

RECORDS = sorted((Path(__file__).parents[3] / "docs").glob("**/study.json"))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.parent.name)
def test_every_study_on_record_is_read(path: Path) -> None:
    recorded = json.loads(path.read_text(encoding="utf-8"))["spec"]
    spec = StudySpec.model_validate(with_current_keys(recorded))
    for old, new in RENAMED.items():
        assert getattr(spec.execution, new) == recorded["execution"].get(old, recorded["execution"].get(new))


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_an_old_key_is_refused_and_read_where_it_was_recorded(
    tiny_fields, finished, old: str, new: str
) -> None:
    with pytest.raises(ValidationError, match=f"{old} is now called {new}"):
        StudySpec.model_validate({**tiny_fields, "execution": {old: 7}})
    study = finished()
    content = json.loads((study / "study.json").read_text(encoding="utf-8"))
    content["spec"]["execution"][old] = 7
    del content["spec"]["execution"][new]
    (study / "study.json").write_text(json.dumps(content), encoding="utf-8")
    recorded = StudySpec.model_validate(StudyFolder(study).recorded().spec)
    assert getattr(recorded.execution, new) == 7
