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


def cache_folder() -> Path | None:
    """What this machine keeps of files for all studies: ``RELEARN_CACHE``, or ~/.cache/relearn; None without a home."""
    if named := os.environ.get("RELEARN_CACHE"):
        return Path(named)
    if caches := os.environ.get("XDG_CACHE_HOME"):
        return Path(caches) / "relearn"
    try:
        return Path.home() / ".cache" / "relearn"
    except RuntimeError:  # no HOME, and a user whom the system does not know
        return None


def known_sha256(path: Path) -> str:
    """See ``file_sha256``; read only where the file is small, new, or was changed."""
    stat = path.stat()
    cache = cache_folder()
    if stat.st_size < SMALLEST or cache is None:
        return file_sha256(path)
    state = [str(path.resolve()), stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
    name = hashlib.sha256(json.dumps(state).encode()).hexdigest()
    note = cache / "hashes" / name[:2] / name
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
