"""A study's folder holds no symbolic link that leads out of it, and no pipe: the folder may come from somebody else.

Whoever unpacks it would otherwise read, write or move aside what the link leads to, or wait at the pipe for ever. The
store may be anywhere, as with --store: what is read from it is checked by hashes.
"""

import contextlib
import os
import stat
from pathlib import Path

from study.errors import SpecError

STORE, SCRATCH = "store", ".tune"


def refuse_links(folder: Path) -> None:
    """Raises a SpecError that names the first link in a study's folder which leads out of it, or pipe, or device."""
    inside = Path(os.path.realpath(folder))  # a loop of links is an OSError of what comes next
    left = list(inside.iterdir())
    while left:
        path = left.pop()
        if path == inside / STORE:
            continue
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:  # a run takes its own away
            continue
        if stat.S_ISLNK(mode):
            if not Path(os.path.realpath(path)).is_relative_to(inside):
                raise SpecError(
                    f"{folder / path.relative_to(inside)} is a link that leads out of the study, to {path.readlink()}: "
                    "put what it leads to in its place, or remove it (the store may lie elsewhere: --store)"
                )
        elif not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise SpecError(
                f"{folder / path.relative_to(inside)} is neither a file nor a folder (a pipe, a socket, a device), and "
                "reading it might never end: remove it"
            )
        elif stat.S_ISDIR(mode) and path != inside / SCRATCH:
            with contextlib.suppress(FileNotFoundError):  # a run takes its own away
                left += path.iterdir()
