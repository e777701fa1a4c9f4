"""Data from where the user has it: a text file, a table in a file, or a dataset of the hub, checked on entry.

A table is named ``FILE`` (.jsonl, .json, .csv or .parquet), ``FOLDER:NAME`` (the file NAME.* in a folder) or
``OWNER/DATASET[:CONFIG[:SPLIT]]`` on the hub, in one schema. A cell that is learned or asked is a text or a number;
anything else is refused with its row and column, never written out as text. What is read is hashed, so that a study
that goes on notices when its data changed.
"""

import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from study.errors import PreflightError, SpecError
from study.identity import file_sha256
from study.scenarios.table_files import FORMATS, Cells, Repeated, Unreadable, read_rows
from study.text.word_count import in_parts
from study.text.words import normalised

TEXTS = (".txt", ".md")


@dataclass(frozen=True)
class Row:
    """A row of a table, and where it stands, for messages."""

    cells: Cells
    place: str

    def text(self, column: str) -> str:
        """A cell as text, without blanks around it; a number as it is written.

        Raises:
            SpecError: it is neither text nor number, or empty.
        """
        return self.as_text(self.cells[column], column)

    def as_text(self, value: Any, what: str) -> str:
        """A value within a cell as text; see ``text``."""
        problem = _no_text(value)
        if problem is not None:
            raise self.refused(
                f"{what} is {problem}; expected a text or a number: take the row out, or mend it"
            )
        # str() would write a decimal zero as 0E-10.
        return f"{value:f}" if isinstance(value, Decimal) else str(value).strip()

    def refused(self, why: str) -> SpecError:
        """The error that names this row."""
        return SpecError(f"{self.place}: {why}")


def _no_text(value: Any) -> str | None:
    """Why a value is no text, in words; None where it is one, or a number."""
    if isinstance(value, str):
        if not normalised(value):
            return "empty"
        if "\0" in value:
            return "a text with a NUL character, as UTF-16 has"
        half = re.search(r"[\ud800-\udfff]", value)
        if half is not None:
            return (
                f"cut in the middle of a character (half of a surrogate pair, {half.group()!r} after "
                f"{value[max(0, half.start() - 20) : half.start()]!r})"
            )
        return None
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"a truth value ({value})"
    if isinstance(value, int | float | Decimal):
        return None if isinstance(value, int) or math.isfinite(value) else f"no number ({value})"
    if isinstance(value, Unreadable):
        return f"unreadable ({value.why})"
    kinds = {bytes: "bytes", list: "a list", dict: "a mapping", Repeated: "a mapping with a key twice"}
    return f"{kinds.get(type(value), f'a {type(value).__name__}')} ({value!r:.60})"


def is_text_file(source: str) -> bool:
    """Whether a source is named as a file of running text, and not as a table."""
    return source.lower().endswith(TEXTS)


def read_text(path: str, key: str) -> str:
    """A text file.

    Args:
        key: the key of the spec that names it, for the messages.

    Raises:
        PreflightError: it is missing.
        SpecError: it is a table, empty, or not UTF-8.
    """
    file = Path(path)
    if file.suffix.lower() in FORMATS:
        raise SpecError(
            f"{key}={path}: a table, where a text file is expected (one paragraph a line): its rows would be learned "
            "with their commas and braces; write its texts into a .txt file"
        )
    if not file.is_file():
        raise PreflightError(
            f"{key}={path}: no such file; expected a text file in UTF-8, named with --set {key}=FILE"
        )
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError(
            f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8 and try again"
        ) from error
    if "\0" in text:
        raise SpecError(
            f"{path} holds NUL characters (character {text.index(chr(0)) + 1}), as UTF-16 does: save it as UTF-8 and "
            "try again"
        )
    if not text.strip():
        raise SpecError(f"{key}: {path} is empty: expected some text")
    return text


def read_paragraphs(path: str, key: str, most_words: int) -> list[str]:
    """The lines of a text file that hold words; long ones are cut into parts of at most ``most_words``."""
    found = []
    for line in lines_of(read_text(path, key)):
        if normalised(line):  # one of characters that do not show holds no words
            found += in_parts(line, most_words)
    return found


def lines_of(text: str) -> list[str]:
    """The lines of a text file, as every system ends them; a form feed or Unicode's line separator ends none."""
    return re.split(r"\r\n|\r|\n", text)


def read_table(source: str, columns: Sequence[str], key: str) -> list[Row]:
    """The rows of a table, each with the wanted columns, whose cells are texts or numbers.

    Raises:
        PreflightError: it is missing, or the hub cannot be reached.
        SpecError: it or a row of it is malformed, a column is missing, there is no row, or a wanted cell is no text.
    """
    rows = [Row(cells, f"{key}={source}, row {index}") for index, cells in enumerate(_rows(source, key), 1)]
    if not rows:
        raise SpecError(f"{key}={source} holds no row: expected some with {', '.join(columns)}")
    for row in rows:
        for column in columns:
            if column not in row.cells:
                raise row.refused(
                    f"no column {column!r}; it has {', '.join(map(str, row.cells))}; expected {', '.join(columns)}"
                )
            row.text(column)
    return rows


def digest(source: str, key: str) -> str:
    """SHA-256 of a file's bytes, or of a hub dataset's rows."""
    path = _file(source)
    if path is not None and path.is_file():
        return file_sha256(path)
    content = json.dumps(_rows(source, key), sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()


def _file(source: str) -> Path | None:
    """The local file that a source names; None for one on the hub."""
    path = Path(source)
    if path.suffix.lower() in (*FORMATS, *TEXTS):
        return path
    folder, colon, name = source.rpartition(":")
    if colon and Path(folder).is_dir():
        found = [file for suffix in FORMATS if (file := Path(folder) / f"{name}{suffix}").is_file()]
        return found[0] if found else Path(folder) / f"{name}.jsonl"
    if path.is_absolute() or source.startswith("."):
        return path
    return None


def _rows(source: str, key: str) -> list[Cells]:
    path = _file(source)
    given = Path(source) if path is None else path
    if not source or (given.is_file() and given.suffix.lower() not in FORMATS):
        kind = "is a file of another kind" if source else "names nothing"
        raise SpecError(
            f"{key}={source}: {kind}; expected a file ending in {', '.join(FORMATS)}, FOLDER:NAME or a dataset of "
            "the hub as OWNER/DATASET:CONFIG:SPLIT"
        )
    if path is None:
        return _from_hub(source, key)
    if not path.is_file():
        raise PreflightError(
            f"{key}={source}: no such file ({path}); expected {', '.join(FORMATS)}, FOLDER:NAME or a dataset "
            f"of the hub as OWNER/DATASET:CONFIG:SPLIT; name yours with --set {key}=…"
        )
    try:
        return read_rows(path)
    except (ValueError, OSError) as error:
        raise SpecError(f"{key}: {path} cannot be read as a table: {error}") from error


def _from_hub(source: str, key: str) -> list[Cells]:
    name, _, rest = source.partition(":")
    config, _, split = rest.partition(":")
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError

    try:
        loaded = load_dataset(name, config or None, split=split or "train")
    except (DatasetsError, OSError, ValueError) as error:
        raise PreflightError(
            f"{key}={source}: neither a file here nor a dataset that the hub gives "
            f"({type(error).__name__}: {str(error).splitlines()[0]}); expected a file, FOLDER:NAME or "
            "OWNER/DATASET:CONFIG:SPLIT; log in with `hf auth login` for a gated one"
        ) from error
    return [dict(row) for row in loaded]
