"""Loading: one study or several, from folders and addresses, whole or not."""

import shutil
import subprocess
import sys
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pytest

import analysis
from analysis.reading.studies import Studies
from analysis.reading.study_frames import Study
from study.errors import IntegrityError, SpecError
from study.results.files import read_dataset
from study.results.schema import ADDED, COORDINATES
from tests.analysis.conftest import lawful


@pytest.fixture
def two(study_folder, tmp_path: Path) -> tuple[Path, Path]:
    """Two studies with different spaces: other depths, other corpora, other seeds."""
    first = study_folder(lawful, depths=(6, 8), corpora=("prefix", "retain"), seeds=(0, 1))
    first = first.rename(tmp_path / "first")
    second = study_folder(lawful, depths=(12,), corpora=("gibberish",), seeds=(7,)).rename(
        tmp_path / "second"
    )
    return first, second


def test_the_frames_hold_every_row_that_was_written(study_folder) -> None:
    folder = study_folder(lawful)
    study = analysis.load(folder)
    for frame, dataset in ((study.cells, "cells"), (study.probes, "probes")):
        written = read_dataset(folder, dataset).to_pandas()
        read = frame.drop(columns="study")
        assert list(read.columns) == list(written.columns)
        assert (
            read.astype(object)
            .where(read.notna(), None)
            .equals(written.astype(object).where(written.notna(), None))
        )


def test_scores_are_the_probes_without_their_texts(study_folder) -> None:
    study = analysis.load(study_folder(lawful))
    found = study.scores("keyword_anywhere", corpus="prefix", repetitions=[7, 5])
    probes = study.probes
    kept = probes[(probes["corpus"] == "prefix") & probes["repetitions"].isin([7, 5])]
    assert "completion" not in found
    assert found["keyword_anywhere"].dtype == np.float64
    keys = [*COORDINATES, "probe"]
    expected = kept.set_index(keys)["keyword_anywhere"].astype(float).sort_index()
    assert found.set_index(keys)["keyword_anywhere"].sort_index().tolist() == expected.tolist()
    assert study.scores("rouge_l").empty, "an unscored probe is no row, and no 0"


def test_scores_ask_for_what_there_is(study_folder) -> None:
    study = analysis.load(study_folder(lawful))
    with pytest.raises(SpecError, match=r"metric=keyword_hat: probes are scored by keyword_hit"):
        study.scores("keyword_hat")
    with pytest.raises(SpecError, match="dephts is no coordinate"):
        study.scores("keyword_hit", dephts=8)
    with pytest.raises(SpecError, match=r"depth=\['deep'\]: expected values of type int32"):
        study.scores("keyword_hit", depth="deep")


def test_several_studies_are_one_frame_that_tells_them_apart(two) -> None:
    both = analysis.load(*two)
    assert isinstance(both, Studies)
    alone = [analysis.load(each) for each in two]
    assert all(isinstance(each, Study) for each in alone)
    assert both.cells["study"].value_counts().to_dict() == {
        "first": len(alone[0].cells),
        "second": len(alone[1].cells),
    }
    assert list(both.cells["corpus"].cat.categories) == ["prefix", "retain", "gibberish"]
    for name, part in zip(("first", "second"), alone, strict=True):
        of_one = both.cells[both.cells["study"] == name].reset_index(drop=True)
        assert of_one.astype(str).equals(part.cells.astype(str))
        assert len(both.scores("keyword_anywhere").query("study == @name")) == len(part.probes)
    assert len(both.planned) == sum(len(part.planned) for part in alone)
    assert both.summary().splitlines() == [f"first: {alone[0].summary()}", f"second: {alone[1].summary()}"]


def test_studies_of_one_name_are_named_by_more_of_their_path(two, tmp_path: Path) -> None:
    first, second = two
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    both = analysis.load(first.rename(tmp_path / "a" / "s"), second.rename(tmp_path / "b" / "s"))
    assert [part.name for part in both.parts] == ["a/s", "b/s"]


def test_the_same_study_twice_is_refused(two) -> None:
    with pytest.raises(SpecError, match="given twice"):
        analysis.load(two[0], two[0].parent / "." / two[0].name)
    with pytest.raises(SpecError, match="nothing to load"):
        analysis.load()


def test_an_address_is_read_in_place(study_folder) -> None:
    folder = study_folder(lambda seed, **place: None if seed == 2 else lawful(seed=seed, **place))
    here = analysis.load(folder)
    memory = fsspec.filesystem("memory")
    memory.put(str(folder), "/bucket/study", recursive=True)
    try:
        there = analysis.load("memory://bucket/study")
        assert there.summary() == here.summary()
        assert there.cells.drop(columns="study").equals(here.cells.drop(columns="study"))
        assert len(there.scores("keyword_hit")) == len(here.scores("keyword_hit"))
        with pytest.raises(SpecError, match="not on this machine"):
            _ = there.folder
    finally:
        memory.rm("/bucket", recursive=True)
    assert analysis.load(folder.as_uri()).cells.equals(here.cells)


def test_what_is_no_study_is_said(tmp_path: Path) -> None:
    for given in (tmp_path / "nowhere", "memory://nowhere", tmp_path):
        with pytest.raises(SpecError, match=r"is no study: it "):
            analysis.load(given)
    with pytest.raises(SpecError, match="cannot be read here"):
        analysis.load("nosuchscheme://x")
    with pytest.raises(SpecError, match=r"load\('studies/a', 'studies/b'\); got a list"):
        analysis.load([tmp_path])


def test_a_torn_file_is_named(study_folder) -> None:
    folder = study_folder(lawful)
    path = folder / "results" / "cells" / "all.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(IntegrityError, match=r"all\.parquet is not what was written"):
        analysis.load(folder)


def test_another_schema_is_refused_everywhere(study_folder) -> None:
    import pyarrow.parquet as pq

    folder = study_folder(lawful)
    path = folder / "results" / "probes" / "all.parquet"
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({b"relearn.schema_version": b"1"}), path)
    study = analysis.load(folder)
    with pytest.raises(SpecError, match="schema version b'1'"):
        _ = study.probes
    with pytest.raises(SpecError, match="schema version b'1'"):
        study.scores("keyword_hit")


def test_files_of_before_lack_columns_that_came_later(study_folder) -> None:
    import pyarrow.parquet as pq

    folder = study_folder(lawful)
    expected = analysis.load(folder)
    for dataset in ("cells", "probes"):
        path = folder / "results" / dataset / "all.parquet"
        table = pq.read_table(path)
        half = table.num_rows // 2
        pq.write_table(
            table.slice(0, half).drop_columns([name for name in ADDED if name in table.column_names]), path
        )
        pq.write_table(table.slice(half), path.with_name("later.parquet"))
    found = analysis.load(folder)
    for name in ("cells", "probes"):
        there, before = getattr(found, name), getattr(expected, name)
        kept = [column for column in before if column not in ADDED]
        pd.testing.assert_frame_equal(there[kept], before[kept], check_like=True)
        assert "device" not in there or there["device"].isna().sum() == len(before) // 2


def test_missing_cells_are_those_without_rows(two) -> None:
    """Against plain sets of tuples; the second study has no file of rows at all."""
    for path in (two[1] / "results").rglob("*.parquet"):
        path.unlink()
    both = analysis.load(*two)
    there = {tuple(map(str, row)) for row in both.cells[list(COORDINATES)].to_numpy()}
    gone = {tuple(map(str, row)) for row in both.planned[list(COORDINATES)].to_numpy()} - there
    assert {tuple(map(str, row)) for row in both.missing[list(COORDINATES)].to_numpy()} == gone
    assert set(both.missing["study"]) == {"second"}


def test_loading_imports_neither_torch_nor_ray(two) -> None:
    """What costs seconds is counted, not timed: no model library, no plotting, no statistics."""
    code = (
        "import sys\nimport analysis\n"
        f"study = analysis.load({str(two[0])!r}, {str(two[1])!r})\nstudy.summary()\nstudy.scores('keyword_hit')\n"
        "heavy = {'torch', 'ray', 'transformers', 'datasets', 'optuna', 'matplotlib', 'statsmodels', 'jinja2'}\n"
        "print(sorted(heavy & set(sys.modules)), len(study.cells))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("[] ")


def test_a_study_that_moved_is_the_same(study_folder, tmp_path: Path) -> None:
    folder = study_folder(lawful)
    before = analysis.load(folder).cells
    shutil.move(folder, tmp_path / "elsewhere")
    after = analysis.load(tmp_path / "elsewhere").cells
    pd.testing.assert_frame_equal(before.drop(columns="study"), after.drop(columns="study"))
