"""The rows of all cells in one file, DIR/cells.parquet: a study of thousands of stages has as many small files.

A copy, written when a run or a scoring has ended; the truth stays in results/cells. It names what it is a copy of,
by a hash over the names and checksums of those files, so that a reader passes it over once they are others.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from study.artifacts.atomic_write import checksum_file
from study.results.files import dataset_files, read_dataset, read_file, write_table

MERGED_FILE = "cells.parquet"
MERGED_OF = b"relearn.merged_of"


def merge_cells(study_folder: Path) -> None:
    """Writes the copy again where it is not one of what is there now.

    Raises:
        IntegrityError: a file of rows is torn or changed.
    """
    # Before the rows are read: what changes meanwhile then makes the copy stale.
    sources = sources_of(dataset_files(study_folder, "cells"))
    if sources == b"" or is_merged(study_folder / MERGED_FILE, sources):
        return
    rows = read_dataset(study_folder, "cells")
    named = {**(rows.schema.metadata or {}), MERGED_OF: sources}
    write_table(rows.replace_schema_metadata(named), study_folder / MERGED_FILE)


def true_copy(study_folder: Path) -> Path | None:
    """The copy, where there is one of what is there now."""
    merged = study_folder / MERGED_FILE
    return merged if is_merged(merged, sources_of(dataset_files(study_folder, "cells"))) else None


def read_cells(study_folder: Path, columns: Iterable[str]) -> pa.Table:
    """Some columns of the rows of all cells, from the copy where it is true: one file in place of thousands.

    Raises:
        IntegrityError: a file of rows is torn or changed.
    """
    merged = true_copy(study_folder)
    return (
        read_file(merged, "cells", list(columns)) if merged else read_dataset(study_folder, "cells", columns)
    )


def sources_of(files: list[Path]) -> bytes:
    """What a copy of these files is known by; empty where there is none, or one has no checksum."""
    found = hashlib.sha256()
    for path in files:
        try:
            found.update(
                f"{path.name} {checksum_file(path).read_text(encoding='utf-8').split()[-1]}\n".encode()
            )
        except (FileNotFoundError, IndexError):
            return b""
    return found.hexdigest().encode() if files else b""


def is_merged(path: Path, sources: bytes) -> bool:
    """Whether a file is a copy of them; one that cannot be read is none."""
    try:
        return sources != b"" and (pq.read_metadata(path).metadata or {}).get(MERGED_OF) == sources
    except (OSError, pa.ArrowException):
        return False
