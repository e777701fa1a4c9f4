"""What somebody meant who named a folder that is no study: one inside it, beside it, or in a folder called studies."""

import difflib
import os
from pathlib import Path

from study.errors import command_line

STUDY = "study.json"
STUDIES = "studies"


def no_study(folder: Path, *, model: bool = False) -> str:
    """That a folder is no study, with what to do: the one sentence of every verb.

    Args:
        model: whether a model folder would do as well.
    """
    kind, files = ("no study", f"no {STUDY}")
    if model:
        kind, files = "neither a study nor a model folder", f"{files} and no config.json"
    if folder.name != STUDY and folder.exists() and not folder.is_dir():
        return f"{folder} is {kind}: it is {'a file' if folder.is_file() else 'no folder'}; name a study's folder"
    start = f"; start one with `{command_line('run', 'names', '--study', folder)}`"
    return f"{folder} is {kind}: it has {files}{_meant_instead(folder) or start}"


def _meant_instead(folder: Path) -> str:
    """``"; did you mean 'studies/names'?"``, or which studies it holds; nothing where no study is near."""
    if folder.name == STUDY:
        return f"; name its folder: {folder.parent}"
    for above in folder.absolute().parents:
        if (above / STUDY).is_file():
            return f"; it lies within one: name {os.path.relpath(above)}"
    held = _named(folder)
    if held:
        more = f" ({len(held)} in all)" if len(held) > 1 else ""
        return f"; it holds studies: name one, as {folder / held[0]}{more}"
    known = {name: place / name for place in (Path(STUDIES), folder.parent) for name in _named(place)}
    near = difflib.get_close_matches(folder.name, sorted(known), n=1)
    return f"; did you mean {str(known[near[0]])!r}?" if near else ""


def _named(place: Path) -> list[str]:
    try:
        return sorted(path.parent.name for path in place.glob(f"*/{STUDY}"))
    except OSError:
        return []
