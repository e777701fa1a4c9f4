"""Data from where the user has it: a text file, a table in a file, or a dataset of the hub, checked on entry.

A table is named ``FILE`` (.jsonl, .json, .csv or .parquet), ``FOLDER:NAME`` (the file NAME.* in a folder) or
``OWNER/DATASET[:CONFIG[:SPLIT]]`` on the hub, in one schema. What is read is hashed, so that a study that
goes on notices when its data changed.
"""

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from study.errors import PreflightError, SpecError
from study.identity import file_sha256

TABLES = (".jsonl", ".json", ".csv", ".parquet")
TEXTS = (".txt", ".md")


def is_text_file(source: str) -> bool:
    """Whether a source is named as a file of running text, and not as a table."""
    return source.lower().endswith(TEXTS)


def read_text(path: str, key: str) -> str:
    """A text file.

    Args:
        key: the key of the spec that names it, for the messages.

    Raises:
        PreflightError: it is missing.
        SpecError: it is empty or not UTF-8.
    """
    file = Path(path)
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
    if not text.strip():
        raise SpecError(f"{key}: {path} is empty: expected some text")
    return text


def read_paragraphs(path: str, key: str, most_words: int) -> list[str]:
    """The lines of a text file that hold words; long ones are cut into parts of at most ``most_words``."""
    found = []
    for line in read_text(path, key).splitlines():
        words = line.split()
        found += [" ".join(words[at : at + most_words]) for at in range(0, len(words), most_words)]
    return found


def read_table(source: str, columns: Sequence[str], key: str) -> list[dict[str, Any]]:
    """The rows of a table, each with the wanted columns and text in them.

    Raises:
        PreflightError: it is missing, or the hub cannot be reached.
        SpecError: a column is missing, there is no row, or a text is null or empty.
    """
    rows = _rows(source, key)
    if not rows:
        raise SpecError(f"{key}={source} holds no row: expected some with {', '.join(columns)}")
    for index, row in enumerate(rows):
        for column in columns:
            if column not in row:
                raise SpecError(
                    f"{key}={source}, row {index + 1}: no column {column!r}; it has {', '.join(map(str, row))}; "
                    f"expected {', '.join(columns)}"
                )
            value = row[column]
            if value is None or (isinstance(value, str) and not value.strip()):
                raise SpecError(
                    f"{key}={source}, row {index + 1}: {column} is {'null' if value is None else 'empty'}; "
                    "take the row out, or fill it"
                )
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
    if path.suffix.lower() in (*TABLES, *TEXTS):
        return path
    folder, colon, name = source.rpartition(":")
    if colon and Path(folder).is_dir():
        found = [file for suffix in TABLES if (file := Path(folder) / f"{name}{suffix}").is_file()]
        return found[0] if found else Path(folder) / f"{name}.jsonl"
    if path.is_absolute() or source.startswith("."):
        return path
    return None


def _rows(source: str, key: str) -> list[dict[str, Any]]:
    path = _file(source)
    if path is None:
        return _from_hub(source, key)
    if not path.is_file():
        raise PreflightError(
            f"{key}={source}: no such file ({path}); expected {', '.join(TABLES)}, FOLDER:NAME or a dataset "
            f"of the hub as OWNER/DATASET:CONFIG:SPLIT; name yours with --set {key}=…"
        )
    try:
        return _parsed(path)
    except (ValueError, OSError, csv.Error) as error:
        raise SpecError(f"{key}: {path} cannot be read as a table: {error}") from error


def _parsed(path: Path) -> list[dict[str, Any]]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        return pq.read_table(path).to_pylist()  # type: ignore[no-any-return]
    text = path.read_bytes().decode("utf-8-sig")
    if suffix == ".csv":
        return [dict(row) for row in csv.DictReader(text.splitlines())]
    if suffix == ".json" and text.lstrip().startswith("["):
        rows = json.loads(text)
    else:  # the hub's own .json files hold a row a line too
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    if not all(isinstance(row, Mapping) for row in rows):
        raise ValueError("expected an object with named columns in each row")
    return [dict(row) for row in rows]


def _from_hub(source: str, key: str) -> list[dict[str, Any]]:
    name, _, rest = source.partition(":")
    config, _, split = rest.partition(":")
    from datasets import load_dataset
    from datasets.exceptions import DatasetNotFoundError

    try:
        loaded = load_dataset(name, config or None, split=split or "train")
    except (DatasetNotFoundError, ConnectionError, OSError, ValueError) as error:
        raise PreflightError(
            f"{key}={source}: neither a file here nor a dataset that the hub gives "
            f"({type(error).__name__}: {str(error).splitlines()[0]}); expected a file, FOLDER:NAME or "
            "OWNER/DATASET:CONFIG:SPLIT; log in with `hf auth login` for a gated one"
        ) from error
    return [dict(row) for row in loaded]
