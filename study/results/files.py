"""Where the rows' files lie, how a table is written with checked pages, and how a dataset is read while it grows."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from study.artifacts.atomic_write import write_file
from study.errors import IntegrityError, SpecError
from study.identity import key
from study.results.schema import (
    _VERSION,
    DATASETS,
    SCHEMA_VERSION,
    VERSION_FIELD,
    Coordinates,
    with_added_columns,
)

PLANNED_FILE = "planned.parquet"
"""A row for each planned cell, so that readers see what is missing."""
CORPORA_FILE = "corpora.parquet"
"""A row for each relearn corpus, see ``schema.CORPORA``."""


def dataset_folder(study_folder: Path, dataset: str) -> Path:
    """``DIR/results/cells`` or ``DIR/results/probes``."""
    return study_folder / "results" / dataset


def rows_file(study_folder: Path, dataset: str, stage: str) -> Path:
    """Where the rows lie of all cells that are read off one stage, whoever writes them: so none stands twice."""
    return dataset_folder(study_folder, dataset) / f"{stage}.parquet"


def stage_of_file(path: str) -> str:
    """The stage whose rows a file holds. Older versions wrote several files a stage: STAGE-CELLS.parquet."""
    return PurePath(path).stem.partition("-")[0]


def has_name_of_rows(path: Path, stages: Iterable[str], cells: Iterable[Coordinates]) -> bool:
    """Whether a file of rows has the name that belongs to its rows."""
    if set(stages) == {path.stem}:
        return True
    return path.stem.rpartition("-")[2] == key(sorted(cells, key=str))[:16]


def write_table(built: pa.Table, path: Path) -> None:
    """Writes a Parquet file that appears whole or not at all, with a checksum in every page and one beside it."""
    write_file(path, lambda temporary: write_pages(built, temporary), checksum=True)


def write_pages(built: pa.Table, path: Path) -> None:
    """Writes a Parquet file with a checksum in every page; into a folder that nobody reads yet."""
    with path.open("wb") as handle:
        pq.write_table(built, handle, write_page_checksum=True)


def dataset_files(study_folder: Path, dataset: str) -> list[Path]:
    """The whole files of a dataset, in the order of their names."""
    return sorted(dataset_folder(study_folder, dataset).glob("[!.]*.parquet"))


def read_dataset(study_folder: Path, dataset: str, columns: Iterable[str] | None = None) -> pa.Table:
    """All rows of a dataset now; an empty table when there are none. Page checksums are verified.

    Raises:
        SpecError: a file was written under another schema version.
    """
    schema = DATASETS[dataset]
    names = list(columns) if columns is not None else schema.names
    parts = [read_file(path, dataset, names) for path in dataset_files(study_folder, dataset)]
    wanted = pa.schema([schema.field(name) for name in names], metadata=_VERSION)
    if not parts:
        return wanted.empty_table()
    return pa.concat_tables(parts).cast(wanted)


def read_file(path: Any, dataset: str, columns: Sequence[str] | None = None, name: str = "") -> pa.Table:
    """The rows of one file, page checksums verified.

    Args:
        path: or an open file, which then has a name in messages.

    Raises:
        SpecError: it was written under another schema version.
        IntegrityError: it is torn or changed.
    """
    names = list(columns) if columns is not None else DATASETS[dataset].names
    wanted = pa.schema([DATASETS[dataset].field(name) for name in names], metadata=_VERSION)
    with opened(path, name or str(path)) as file:
        return with_added_columns(file.read(columns=names), wanted).cast(wanted)


@contextmanager
def opened(source: Any, path: str, coded: Sequence[str] = ()) -> Iterator[pq.ParquetFile]:
    """A file of rows to read from, page checksums verified.

    Args:
        source: what pyarrow opens: a path, or an open file.
        path: its name in messages.
        coded: the columns that are read as categories.

    Raises:
        SpecError: it was written under another schema version.
        IntegrityError: it is torn or changed; also where that is noticed within the block.
    """
    try:
        with pq.ParquetFile(source, page_checksum_verification=True, read_dictionary=list(coded)) as file:
            found = (file.schema_arrow.metadata or {}).get(VERSION_FIELD)
            if found != _VERSION[VERSION_FIELD]:
                raise SpecError(
                    f"{path} was written under schema version {found!r}, this code reads {SCHEMA_VERSION}: use the "
                    "relearn version recorded in study.json"
                )
            yield file
    except FileNotFoundError:
        raise
    except (OSError, KeyError, pa.ArrowException) as error:  # KeyError: it lacks a column
        raise IntegrityError(
            f"{path} is not what was written ({next(iter(str(error).splitlines()), type(error).__name__)}): "
            "move it aside with `relearn verify STUDY --repair`, and run again"
        ) from error
