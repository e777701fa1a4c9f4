"""Where a command writes: tried before anything is computed, and what nobody can compute again is never replaced.

One rule for every command with ``--to``: the folder is new or empty, or what would be replaced in it is what the same
command wrote before.
"""

import os
import stat
import tempfile
from pathlib import Path
from typing import NoReturn

from study.errors import SpecError

OF_A_STUDY = ("results", "log", ".driver", "quarantine")
"""What a study's folder has of its own, beside what is written into it for readers."""


def existing_folder(target: Path, option: str) -> Path:
    """The folder itself, or the nearest one above it that is there.

    Args:
        option: how the folder was given, such as ``--to``.

    Raises:
        SpecError: a file, a link that leads nowhere or something else is in its place.
    """
    remedy = f"name an empty or a new folder with {option}"
    for path in (target, *target.parents):
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            if path.is_symlink():
                raise SpecError(f"{path} is a link that leads nowhere: {remedy}") from None
            continue
        except OSError as error:
            raise SpecError(f"{path}: {error.strerror}: {remedy}") from None
        if not stat.S_ISDIR(mode):
            raise SpecError(f"{path} is {'a file' if stat.S_ISREG(mode) else 'no folder'}: {remedy}")
        _refuse_among_kept(target, option)
        return path
    return Path()


def _refuse_among_kept(target: Path, option: str) -> None:
    """Refuses a place among the rows of a study or the artifacts of a store, where `relearn verify` knows every file.

    Raises:
        SpecError: it is one.
    """
    whole = Path(os.path.realpath(target))
    for folder in (whole, *whole.parents):
        inside = "/".join(whole.relative_to(folder).parts[:1])
        if inside in OF_A_STUDY and (folder / "study.json").is_file():
            what = f"the study {folder}"
        elif (inside == "artifacts" or (not inside and option != "--study")) and _is_store(folder):
            what = f"the store {folder}"
        else:
            continue
        raise SpecError(f"{target} is for the files of {what} alone: name another folder with {option}")


def _is_store(folder: Path) -> bool:
    """A study may lie in the folder of its store too."""
    return any((folder / "artifacts").glob("[0-9a-f][0-9a-f]"))


def try_folder(target: Path, option: str = "--to") -> None:
    """Makes and removes a hidden folder where the target will be.

    Raises:
        SpecError: as ``existing_folder``, or nothing can be written there.
    """
    there = existing_folder(target, option)
    try:
        Path(tempfile.mkdtemp(prefix=".relearn-", dir=there)).rmdir()
    except OSError as error:
        raise SpecError(
            f"nothing can be written into {there} ({error.strerror}): name another folder with {option}"
        ) from None


def refuse_loss(path: Path, command: str) -> NoReturn:
    """Refuses to replace something that the command did not write.

    Args:
        command: such as ``report``.

    Raises:
        SpecError: always.
    """
    raise SpecError(
        f"{path} would be lost, and no {command} wrote it: name an empty or a new folder with --to"
    )
