"""A study's rows as the second program reads them: cells and probes, and the units in which a page shows a score."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.analysis.recompute.trajectories import BOUNDS, trajectories
from tests.analysis.truth.rows import Truth

STARTS = ("unlearned", "original", "never_learned", "base")


@dataclass
class Source:
    """A study's rows."""

    truth: Truth
    cells: pd.DataFrame
    probes: pd.DataFrame | None
    metric: str
    content: dict[str, Any]
    corpora: list[dict[str, Any]]

    @cached_property
    def trajectories(self) -> pd.DataFrame:
        assert self.probes is not None
        return trajectories(self.probes, self.metric)

    @cached_property
    def headline(self) -> pd.DataFrame:
        """The headline's cells of the forget probes, as shares."""
        rows = self.cells[(self.cells["metric"] == self.metric) & (self.cells["split"] == "forget")]
        return rows.assign(value=self.percent(rows["value"]) / 100)

    def percent(self, value: Any) -> Any:
        """Of the way from the least score to the most."""
        least, most = BOUNDS.get(self.metric, (0.0, 1.0))
        return 100 * (value - least) / (most - least)

    def points(self, difference: float) -> float:
        """A difference of two scores, cut where none can be."""
        return float(np.clip(self.percent(difference) - self.percent(0), -100, 100))


def source_of(folder: Path, scenario: str, metric: str) -> Source:
    """A study's folder."""
    cells = pd.read_parquet(folder / "results" / "cells")
    content = json.loads((folder / "study.json").read_text())
    axes = content["axes"]
    for name in ("scenario", "model", "method", "start", "corpus"):
        declared = [*axes.get(name, []), *(STARTS if name == "start" else ())]
        order = list(dict.fromkeys([*declared, *sorted(cells[name].unique())]))
        cells[name] = pd.Categorical(cells[name], order)
    there = (folder / "results" / "probes").exists()
    probes = pd.read_parquet(folder / "results" / "probes") if there else None
    recorded = folder / "corpora.parquet"
    corpora = pd.read_parquet(recorded).to_dict("records") if recorded.exists() else []
    return Source(Truth(folder, scenario, metric), cells, probes, metric, content, corpora)
