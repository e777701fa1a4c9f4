"""An export is whole or absent: what is in the way is refused in words, and what fails leaves what was there."""

from functools import partial
from pathlib import Path

import fsspec
import pytest

from analysis.export.files import FORMATS, export
from analysis.report import write_report
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
    with pytest.raises(SpecError, match="taken is a file: name an empty or a new folder"):
        export(folder, form, taken / below)
    assert taken.read_text() == "mine"


@pytest.mark.parametrize(
    ("form", "name"), [("csv", "cells.csv"), ("parquet", "probes.parquet"), ("netcdf", "cells.nc")]
)
def test_only_what_an_export_wrote_is_replaced(study_folder, tmp_path: Path, form: str, name: str) -> None:
    folder = study_folder(lawful, seeds=(0,), asked=5)
    written = export(folder, form, tmp_path / "out")
    assert export(folder, form, tmp_path / "out") == written
    foreign = tmp_path / "out" / name
    foreign.write_text("corpus,mine\n")
    with pytest.raises(SpecError, match=f"{name} would be lost, and no export wrote it"):
        export(folder, form, tmp_path / "out")
    assert foreign.read_text() == "corpus,mine\n"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder in which nobody can write")
@pytest.mark.parametrize(
    ("write", "where"), [(partial(export, form="csv"), "destination"), (write_report, "to")]
)
def test_the_target_is_tried_before_anything_is_computed(
    study_folder, monkeypatch, write, where: str
) -> None:
    monkeypatch.setattr("analysis.report.chapter", lambda *_: pytest.fail("computed first"))
    with pytest.raises(SpecError, match="nothing can be written into /proc"):
        write(study_folder(lawful, seeds=(0,), asked=5), **{where: Path("/proc/nope")})


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


@pytest.mark.parametrize("form", FORMATS)
def test_an_address_is_exported_into_a_folder_that_is_named(study_folder, tmp_path: Path, form: str) -> None:
    folder = study_folder(lawful, seeds=(0,), asked=5)
    storage = fsspec.filesystem("memory")
    storage.put(str(folder), "/exported/study", recursive=True)
    try:
        there = [path.read_bytes() for path in export("memory://exported/study", form, tmp_path / "there")]
        with pytest.raises(SpecError, match="memory://exported/study is not on this machine: name a folder"):
            export("memory://exported/study", form)
    finally:
        storage.rm("/exported", recursive=True)
    here = [path.read_bytes() for path in export(folder, form, tmp_path / "here")]
    assert form == "netcdf" or there == here
    assert all(there)
