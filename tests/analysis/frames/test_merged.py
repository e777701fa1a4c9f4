"""All cells in one file: a copy that readers use while it is true, and pass over once it is not."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

import analysis
from study.errors import IntegrityError
from study.results.files import dataset_files, read_dataset, read_file, write_table
from study.results.merged_cells import MERGED_FILE, is_merged, merge_cells, sources_of
from tests.analysis.conftest import lawful


@pytest.fixture
def study(study_folder) -> Path:
    """Its rows of cells in three files with checksums."""
    folder: Path = study_folder(lawful)
    path = folder / "results" / "cells" / "all.parquet"
    rows = read_file(path, "cells")
    path.unlink()
    third = rows.num_rows // 3
    for part, begin in enumerate((0, third, 2 * third)):
        length = third if part < 2 else None
        write_table(rows.slice(begin, length), path.with_name(f"{part}.parquet"))
    return folder


def is_true(study: Path) -> bool:
    return is_merged(study / MERGED_FILE, sources_of(dataset_files(study, "cells")))


def test_the_copy_is_read_in_place_of_the_files(study: Path) -> None:
    before = analysis.load(study).cells
    merge_cells(study)
    assert read_file(study / MERGED_FILE, "cells").equals(read_dataset(study, "cells"))
    for path in dataset_files(study, "cells"):
        path.write_bytes(b"nobody opens this one")
    assert analysis.load(study).cells.equals(before)


def test_a_copy_of_other_rows_is_passed_over(study: Path) -> None:
    merge_cells(study)
    first = dataset_files(study, "cells")[0]
    write_table(read_file(first, "cells").slice(5), first)
    assert not is_true(study)
    assert len(analysis.load(study).cells) == read_dataset(study, "cells").num_rows
    merge_cells(study)
    assert is_true(study)
    first.unlink()
    assert not is_true(study)


def test_it_is_written_only_where_it_is_not_true(study: Path) -> None:
    merge_cells(study)
    before = (study / MERGED_FILE).stat().st_mtime_ns
    merge_cells(study)
    assert (study / MERGED_FILE).stat().st_mtime_ns == before


def test_a_torn_copy_is_named_or_passed_over(study: Path) -> None:
    merge_cells(study)
    whole = (study / MERGED_FILE).read_bytes()
    rows = read_dataset(study, "cells").num_rows
    (study / MERGED_FILE).write_bytes(whole[:-100])
    assert len(analysis.load(study).cells) == rows
    page = pq.read_metadata(_written(study, whole)).row_group(0).column(5).data_page_offset
    (study / MERGED_FILE).write_bytes(whole[: page + 60] + bytes(8) + whole[page + 68 :])
    with pytest.raises(IntegrityError, match=r"cells\.parquet is not what was written"):
        analysis.load(study)


def _written(study: Path, data: bytes) -> Path:
    (study / MERGED_FILE).write_bytes(data)
    return study / MERGED_FILE
