"""One driver at a time: a lock on the study's folder that the operating system drops when its holder dies.

A courtesy, not a safety device: two drivers would do work twice and still accept each artifact once.
"""

import fcntl
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from study.errors import RelearnError


class StudyHeldError(RelearnError):
    """Another driver runs this study."""

    exit_code = 4


@contextmanager
def guard(study_folder: Path) -> Iterator[None]:
    """Holds the study while the block runs.

    Raises:
        StudyHeldError: another process holds it.
    """
    path = study_folder / ".driver.lock"
    with path.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StudyHeldError(
                f"{study_folder} is being run by {_holder(path)}: wait for it, stop it, or look on "
                f"with `relearn status {study_folder}`"
            ) from None
        handle.truncate(0)
        handle.write(json.dumps({"node": platform.node(), "pid": os.getpid(), "since": time.time()}))
        handle.flush()
        yield


def holder_of(study_folder: Path) -> str | None:
    """Who runs the study now, in words; None when nobody does."""
    path = study_folder / ".driver.lock"
    if not path.exists():
        return None
    with path.open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _holder(path)
    return None


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text())
        seconds = time.time() - holder["since"]
        return f"process {holder['pid']} on {holder['node']} for {seconds:.0f} s"
    except (ValueError, KeyError):
        return "another process"
