"""A full disk: how it is recognised, and the error that says what to do."""

import contextlib
import errno
import os
from pathlib import Path

from study.errors import PreflightError

FULL = (errno.ENOSPC, errno.EDQUOT)
WORDS = tuple(os.strerror(number) for number in FULL)
"""For libraries that wrap the system's error in one of their own, as safetensors does."""


class StorageFullError(PreflightError):
    """No space is left; what was published stays, and the study resumes once there is some."""


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk, or somebody's share of one, is full."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in FULL
    return any(words in str(error) for words in WORDS)


def full(folder: Path) -> StorageFullError:
    """The error for a folder without space."""
    return StorageFullError(
        f"no space left for {folder} ({free(folder)}): make room, then run the same command again; what was "
        "published stays"
    )


def free(folder: Path) -> str:
    """What is free there, in words."""
    for each in (folder, *folder.parents):
        with contextlib.suppress(OSError):
            left = os.statvfs(each)
            words = f"{left.f_bavail * left.f_frsize:,} bytes free"
            # Files may be used up while bytes are left; some file systems do not count them, and say 0 of 0.
            return f"{words}, no more files" if left.f_files and not left.f_favail else words
    return "free space unknown"
