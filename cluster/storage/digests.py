"""What a record says of a file's bytes: their SHA-256, or for a large file ``tree-`` and that of its pieces' hashes.

A file of several GB takes a core many seconds to hash. Its pieces of 64 MiB are hashed by as many threads as there are
cores (hashlib lets go of Python's lock), and the SHA-256 of their hashes, one after the other, stands for them all. It
depends on no number of threads. Files of one piece have their plain SHA-256, as all files had before.
"""

import hashlib
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from study.identity import file_sha256

PIECE = 1 << 26
"""Bytes; part of the meaning of ``tree-``, so it never changes."""
TREE = "tree-"
MOST_THREADS = 8
READ = 1 << 20
FORM = re.compile(f"({TREE})?[0-9a-f]{{64}}")


def digest_of(path: Path) -> str:
    """The digest of a file that is published now."""
    return _tree(path) if path.stat().st_size > PIECE else file_sha256(path)


def digest_as(recorded: str, path: Path) -> str:
    """The digest of a file, in the form of the one that a record has."""
    return _tree(path) if recorded.startswith(TREE) else file_sha256(path)


def _tree(path: Path) -> str:
    begins = range(0, path.stat().st_size, PIECE)
    threads = min(MOST_THREADS, len(os.sched_getaffinity(0)), len(begins))
    with ThreadPoolExecutor(max(1, threads)) as pool:
        pieces = pool.map(lambda begin: _piece(path, begin), begins)
        return TREE + hashlib.sha256(b"".join(pieces)).hexdigest()


def _piece(path: Path, begin: int) -> bytes:
    digest, left = hashlib.sha256(), PIECE
    with path.open("rb") as file:
        file.seek(begin)
        while left and (read := file.read(min(READ, left))):
            digest.update(read)
            left -= len(read)
    return digest.digest()
