"""What a search found, and which trajectories it asked, in their order.

Read from DIR/search, where the search leaves its answer; a study that was computed whole has no such folder.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd


@dataclass(frozen=True)
class SearchResult:
    """A search's answer.

    Attributes:
        sentences: the answer in words.
        contours: a row per context (model, method, corpus, repetitions) and number of relearn steps: ``depth``, up to
            which the attack works, with ``depth_low`` and ``depth_high``, its 95% band; empty for a search of attacks.
        front: a row per Pareto-optimal attack that works; empty for a search of contours.
        asked: a row per trajectory, in the order in which they were asked; those of round 0 were published before.
    """

    sentences: tuple[str, ...]
    contours: pd.DataFrame
    front: pd.DataFrame
    asked: pd.DataFrame


def read_search_result(study_folder: Path) -> SearchResult | None:
    """The answer of the search in a study's folder; None where there was no search, or it has no answer yet."""
    folder = study_folder / "search"
    path = folder / "answer.json"
    if not path.exists():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    tables = {
        name: pd.read_parquet(folder / f"{name}.parquet") if name in content["tables"] else pd.DataFrame()
        for name in ("contours", "front", "asked")
    }
    return SearchResult(tuple(content["sentences"]), **tables)
