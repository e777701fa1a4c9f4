"""The hashes of a model's large files, remembered on this machine: every command and every worker asks for them.

A file is known again by its place, size, inode and the times of its last write and of its last change of any kind,
which a copy that keeps the time of writing has too. A file that was changed a moment ago is not remembered, since
another change in the same tick of the file system's clock would look the same.
"""

import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path

from study.artifacts.atomic_write import write_bytes
from study.identity import file_sha256

SMALLEST = 1 << 24
"""Bytes; what is smaller is hashed in a few milliseconds."""
SETTLED_SECONDS = 2.0


def cache_folder() -> Path:
    """What this machine keeps of files for all studies: ``RELEARN_CACHE``, or ~/.cache/relearn."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("RELEARN_CACHE") or home / "relearn")


def known_sha256(path: Path) -> str:
    """See ``file_sha256``; read only where the file is small, new, or was changed."""
    stat = path.stat()
    if stat.st_size < SMALLEST:
        return file_sha256(path)
    state = [str(path.resolve()), stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
    name = hashlib.sha256(json.dumps(state).encode()).hexdigest()
    note = cache_folder() / "hashes" / name[:2] / name
    with suppress(OSError, ValueError):
        found = note.read_text(encoding="ascii")
        if len(found) == 64:
            return found
    digest = file_sha256(path)
    if time.time() - max(stat.st_mtime, stat.st_ctime) > SETTLED_SECONDS:
        with suppress(OSError):  # without a folder of one's own, it is hashed each time
            note.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(note, digest.encode())
    return digest
