"""What somebody meant who named a folder that is no study: one inside it, beside it, or in a folder called studies."""

from pathlib import Path

from study.errors import did_you_mean

STUDY = "study.json"
STUDIES = "studies"


def meant_instead(folder: Path) -> str:
    """``"; did you mean 'names'?"``, or which studies it holds; nothing where no study is near."""
    if folder.name == STUDY:
        return f"; name its folder: {folder.parent}"
    held = _named(folder)
    if held:
        more = f" ({len(held)} in all)" if len(held) > 1 else ""
        return f"; it holds studies: name one, as {folder / held[0]}{more}"
    return did_you_mean(folder.name, sorted({*_named(folder.parent), *_named(Path(STUDIES))}))


def _named(place: Path) -> list[str]:
    try:
        return sorted(path.parent.name for path in place.glob(f"*/{STUDY}"))
    except OSError:
        return []
