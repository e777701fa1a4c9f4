"""Rows of a study into pandas: only the columns and the rows that are asked for, each file opened once.

Names become categories while they are read, so that ten million rows of scores take a few bytes each. Every
file is read whole or not at all, page checksums verified, and its schema version compared.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analysis.reading.location import Location
from study.errors import SpecError
from study.results.files import CORPORA_FILE, opened, stage_of_file
from study.results.merged_cells import MERGED_FILE, true_copy
from study.results.schema import ADDED, CORPORA, DATASETS, with_added_columns

FILES_PER_TASK = 50
"""Files that one task of a thread reads."""

TEXTS = ("prompt", "target", "keywords", "completion", "judge_reply", "phrase")
"""Columns that hardly repeat; every other string is read as a category."""


def read_rows(
    location: Location,
    dataset: str,
    columns: Sequence[str] | None = None,
    where: Mapping[str, Sequence[object]] | None = None,
) -> pa.Table:
    """The rows of ``cells`` or ``probes`` now.

    Args:
        columns: which; None for all.
        where: keeps the rows whose column is one of the values. Files are named after the stage whose rows they hold
            (``cluster.rows.recorder``): of some stages only those are opened, where any is named so.

    Raises:
        SpecError: a file was written under another schema version, or a value is not of its column's kind.
        IntegrityError: a file is torn or changed.
    """
    schema = DATASETS[dataset]
    names = list(columns) if columns is not None else schema.names
    wanted = pa.schema([_as_read(schema.field(name)) for name in names])

    kept = {name: _values(schema.field(name), values) for name, values in (where or {}).items()}

    def part(path: str) -> pa.Table | None:
        return _read(location, path, schema, names, kept)

    paths = _merged(location) if dataset == "cells" else None
    paths = paths or location.files(".parquet", "results", dataset)
    if where and "stage" in where:
        stages = set(map(str, where["stage"]))
        paths = [path for path in paths if stage_of_file(path) in stages] or paths
    tasks = [paths[begin : begin + FILES_PER_TASK] for begin in range(0, len(paths), FILES_PER_TASK)]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
        read = threads.map(lambda task: [part(path) for path in task], tasks)
        parts = [table for tables in read for table in tables if table is not None]
    return pa.concat_tables(parts).unify_dictionaries().cast(wanted) if parts else wanted.empty_table()


def read_corpora(location: Location) -> pd.DataFrame:
    """The relearn corpora as the plan found them, see ``study.results.schema.CORPORA``; empty where none are recorded.

    Raises:
        SpecError: written under another schema version.
    """
    try:
        found = _read(location, location.path_of(CORPORA_FILE), CORPORA, CORPORA.names, {})
    except FileNotFoundError:
        found = None
    frame: pd.DataFrame = (found if found is not None else CORPORA.empty_table()).to_pandas()
    return frame


def _merged(location: Location) -> list[str] | None:
    """The one file that is a copy of all files of cells, where there is one and it is true."""
    path = location.path_of(MERGED_FILE)
    if location.filesystem is not None or not Path(path).exists():
        return None
    return [path] if true_copy(Path(path).parent) else None


def _as_read(field: pa.Field) -> pa.Field:
    if _is_coded(field):
        return pa.field(field.name, pa.dictionary(pa.int32(), pa.string()))
    return field


def _is_coded(field: pa.Field) -> bool:
    return bool(field.type == pa.string()) and field.name not in TEXTS


def _values(field: pa.Field, values: Sequence[object]) -> pa.Array:
    try:
        return pa.array([getattr(value, "item", lambda value=value: value)() for value in values], field.type)
    except (pa.ArrowException, TypeError) as error:
        raise SpecError(f"{field.name}={list(values)}: expected values of type {field.type}") from error


def _read(
    location: Location, path: str, schema: pa.Schema, names: list[str], where: Mapping[str, pa.Array]
) -> pa.Table | None:
    """The rows of one file that are wanted; None where it has none of them."""
    coded = [field.name for field in schema if _is_coded(field) and field.name not in ADDED]
    with location.open(path) as source, opened(source, path, coded) as file:
        mask = _wanted(_columns(file, schema, list(where)), where) if where else None
        if mask is not None and not pc.any(mask).as_py():
            return None  # most files hold one trajectory: those of others are passed over
        table = _columns(file, schema, names)
        return table if mask is None else table.filter(mask)


def _columns(file: pq.ParquetFile, schema: pa.Schema, names: list[str]) -> pa.Table:
    wanted = pa.schema([_as_read(schema.field(name)) for name in names])
    found = with_added_columns(file.read(columns=names, use_threads=False), wanted)
    for at, field in enumerate(wanted):
        if (
            found.schema.field(at).type != field.type
        ):  # one of ADDED, which a file may lack: not read as categories
            found = found.set_column(at, field, found.column(at).dictionary_encode())
    return found


def _wanted(rows: pa.Table, where: Mapping[str, pa.Array]) -> pa.ChunkedArray:
    mask = None
    for name, values in where.items():
        column = rows.column(name)
        plain = column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
        found = pc.is_in(plain, values)
        mask = found if mask is None else pc.and_(mask, found)
    return mask
