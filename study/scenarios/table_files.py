"""The rows of a table in a file, as they stand: CSV, JSON with a row a line, a JSON list of rows, Parquet.

CSV is read by the standard library (strict), JSON by its ``json``, Parquet by pyarrow. The readers of ``datasets``
and of pyarrow were measured and take some malformed or other files for sound ones (docs/DECISIONS.md): they would
change what is learned. Rows of JSON are separated by the line feed alone, since a JSON text may hold every
other line break of Unicode. A malformed row is refused by its number; nothing is guessed.

Deliberately absent: other separators than the comma, and other encodings than UTF-8, with or without byte order mark.
"""

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMATS = (".jsonl", ".json", ".csv", ".parquet")

Cells = Mapping[str, Any]
"""A row: its cells by column."""


@dataclass(frozen=True)
class Repeated:
    """Stands where a JSON object has a key twice, so that the row that holds it can be refused by its number."""

    name: str


@dataclass(frozen=True)
class Unreadable:
    """Stands in a column that cannot be read, so that it is refused only where it is asked for."""

    why: str


def read_rows(path: Path) -> list[Cells]:
    """The rows of a file, whatever is in their cells.

    Raises:
        ValueError: the file or a row of it is malformed; says which.
        OSError: the file cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _parquet(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    if suffix == ".csv":
        return _csv(text)
    try:
        if suffix == ".json" and text.lstrip().startswith("["):
            return _objects(_json(text, "the list"))
        # The hub's own .json files hold a row a line too.
        lines = [line for line in text.split("\n") if line.strip(" \t\r")]
        return _objects(_json(line, f"row {index}") for index, line in enumerate(lines, 1))
    except RecursionError:
        raise ValueError("its values are nested too deeply") from None


def _csv(text: str) -> list[Cells]:
    csv.field_size_limit(sys.maxsize)  # a cell may hold a whole book
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    names: list[str] | None = None
    rows: list[Cells] = []
    try:
        for cells in reader:
            if not cells:  # an empty line
                continue
            if names is None:
                names = cells
                _refuse_repeated(names)
                continue
            if len(cells) != len(names):
                raise ValueError(
                    f"row {len(rows) + 1} (line {reader.line_num}) has {len(cells)} cells, and the first line names "
                    f"{len(names)} columns; put cells with commas or line breaks into double quotes"
                )
            rows.append(dict(zip(names, cells, strict=True)))
    except csv.Error as error:
        raise ValueError(
            f"row {len(rows) + 1} (line {reader.line_num}) is no CSV: {error}; a cell in double quotes ends with one, "
            "and a double quote within it is written twice"
        ) from error
    return rows


def _json(text: str, what: str) -> Any:
    try:
        # A fraction stays as it is written: 1.10 is not 1.1 in a text.
        return json.loads(text, object_pairs_hook=_each_once, parse_float=str)
    except ValueError as error:
        raise ValueError(f"{what} is no JSON: {error}") from error


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any] | Repeated:
    counted = Counter(name for name, _ in pairs)
    twice = next((name for name, count in counted.items() if count > 1), None)
    return dict(pairs) if twice is None else Repeated(twice)


def _objects(values: Iterable[Any]) -> list[Cells]:
    rows: list[Cells] = []
    for value in values:
        if isinstance(value, Repeated):
            raise ValueError(f"row {len(rows) + 1} has the key {value.name!r} twice; leave one out")
        if not isinstance(value, dict):
            raise ValueError(f"row {len(rows) + 1} is no object with named columns: {str(value)[:40]!r}")
        rows.append(value)
    return rows


def _parquet(path: Path) -> list[Cells]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path, page_checksum_verification=True).read()
    except pa.ArrowException as error:
        raise ValueError(str(error)) from error
    _refuse_repeated(table.column_names)
    columns = [_cells(table.column(index)) for index in range(table.num_columns)]
    return [dict(zip(table.column_names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _cells(column: Any) -> list[Any]:
    """The values of a Parquet column; a number in short has the digits that its maker wrote, and no more."""
    import pyarrow as pa

    try:
        if pa.types.is_float16(column.type):
            null = column.is_null().to_pylist()
            written = [
                str(value) for chunk in column.chunks for value in chunk.to_numpy(zero_copy_only=False)
            ]
            return [None if no else float(text) for no, text in zip(null, written, strict=True)]
        if pa.types.is_float32(column.type):
            # By way of its shortest text: as a longer float, 0.1 would have digits that nobody wrote.
            column = column.cast(pa.string()).cast(pa.float64())
        cells: list[Any] = column.to_pylist()
    except (
        pa.ArrowException,
        ArithmeticError,
        ValueError,
        KeyError,
        OSError,
    ) as error:  # a time out of range …
        return [Unreadable(f"{column.type}: {error}")] * len(column)
    return cells


def _refuse_repeated(names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise ValueError(f"{count} columns are called {name!r}; name each once")
