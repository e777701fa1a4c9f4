"""An export is whole or absent: what is in the way is refused in words, and what fails leaves what was there."""

from pathlib import Path

import pytest

from analysis.export.files import FORMATS, export
from study.errors import IntegrityError, SpecError
from study.results.files import dataset_files
from tests.analysis.conftest import lawful


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_file_where_the_folder_should_be_is_refused(
    study_folder, tmp_path: Path, form: str, below: str
) -> None:
    folder = study_folder(lawful, seeds=(0,), asked=5)
    taken = tmp_path / "taken"
    taken.write_text("mine")
    with pytest.raises(SpecError, match="taken is a file, and an export needs a folder there"):
        export(folder, form, taken / below)
    assert taken.read_text() == "mine"


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_an_export_that_fails_leaves_the_one_before(study_folder, tmp_path: Path, form: str) -> None:
    folder = study_folder(lawful, seeds=(0,), asked=5)
    before = {path: path.read_bytes() for path in export(folder, form, tmp_path / "out")}
    (rows,) = dataset_files(folder, "probes")
    content = bytearray(rows.read_bytes())
    content[200] ^= 1  # within the pages, which have checksums
    rows.write_bytes(content)
    with pytest.raises(IntegrityError):
        export(folder, form, tmp_path / "out")
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
