"""What somebody meant who named a folder that is no study: one inside it, beside it, or in a folder called studies."""

import difflib
from pathlib import Path

STUDY = "study.json"
STUDIES = "studies"


def meant_instead(folder: Path) -> str:
    """``"; did you mean 'studies/names'?"``, or which studies it holds; nothing where no study is near."""
    if folder.name == STUDY:
        return f"; name its folder: {folder.parent}"
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
