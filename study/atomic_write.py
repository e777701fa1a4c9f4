"""A seal: the hash of a file of rows beside it, in a file whose name begins with a dot.

Page checksums cover the values of a Parquet file and not its statistics or its schema. Readers of rows need
no seal; `relearn verify` does.
"""

import hashlib
import os
import uuid
from pathlib import Path


def seal_of(path: Path) -> Path:
    """Where the seal of a file lies."""
    return path.parent / f".{path.name}.sha256"


def replace_sealed(temporary: Path, path: Path) -> None:
    """Puts a whole file in its place; at every moment the file that is there is one that the seal knows."""
    digest = _digest(temporary)
    before = seal_of(path).read_text() if seal_of(path).exists() else ""
    _write(seal_of(path), f"{before}{digest}\n")
    temporary.replace(path)
    if before:
        _write(seal_of(path), f"{digest}\n")


def is_sealed(path: Path) -> bool:
    """Whether a file is what was written."""
    seal = seal_of(path)
    return seal.exists() and _digest(path) in seal.read_text(errors="replace").split()


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _write(path: Path, text: str) -> None:
    temporary = path.parent / f"{path.name}.{uuid.uuid4().hex}"
    try:
        with temporary.open("w") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
