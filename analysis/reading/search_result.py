"""What a search found, and what it asked in which order.

Read from DIR/search, where the search leaves its answer; a study that was computed whole has no such folder.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd


@dataclass(frozen=True)
class Searched:
    """A search's answer.

    Attributes:
        sentences: in words.
        contours: a row per context and number of steps, with the depth up to which the attack works and its band;
            empty for a search that draws none.
        front: a row per attack that works and that none beats; empty for a search that looks for none.
        asked: a row per trajectory, in the order in which they were asked; round 0 was published before.
    """

    sentences: tuple[str, ...]
    contours: pd.DataFrame
    front: pd.DataFrame
    asked: pd.DataFrame


def searched(folder: str | Path) -> Searched | None:
    """The answer of the search in a study's folder; None where nothing was searched, or nothing is answered yet."""
    place = Path(folder) / "search"
    path = place / "answer.json"
    if not path.exists():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    tables = {
        name: pd.read_parquet(place / f"{name}.parquet") if name in content["tables"] else pd.DataFrame()
        for name in ("contours", "front", "asked")
    }
    return Searched(tuple(content["sentences"]), **tables)
