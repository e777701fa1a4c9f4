"""A study's rows as tidy pandas frames, with the axes in their declared order and the missing cells named.

Works at any moment of a running study: what is not computed is missing, never 0, and the summary says how
much is there.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.headline import Headline, headline
from study.errors import SpecError
from study.results import COORDINATES, STARTS, read_dataset

WORDS = ("scenario", "model", "method", "start", "corpus")
"""The coordinates that are names; the others are numbers and sort by themselves."""


@dataclass(frozen=True)
class Study:
    """One study's folder, read.

    Attributes:
        cells: a row per (cell, split, metric), see ``study.results.CELLS``.
        planned: a row per planned cell with its coordinates and ``benign``.
        content: what ``study.json`` says.
        failures: a row per failed stage.
    """

    folder: Path
    cells: pd.DataFrame
    planned: pd.DataFrame
    content: dict[str, Any]
    failures: list[dict[str, Any]]

    @cached_property
    def probes(self) -> pd.DataFrame:
        """A row per (cell, split, probe), see ``study.results.PROBES``; read when first asked for."""
        return _ordered(read_dataset(self.folder, "probes").to_pandas(), self.content)

    @cached_property
    def missing(self) -> pd.DataFrame:
        """The planned cells that have no rows yet."""
        there = pd.MultiIndex.from_frame(self.cells[list(COORDINATES)].drop_duplicates().astype(object))
        wanted = pd.MultiIndex.from_frame(self.planned[list(COORDINATES)].astype(object))
        return self.planned[~wanted.isin(there)]

    @cached_property
    def headline(self) -> Headline:
        """What the study is judged by."""
        scenario = str(self.content["axes"]["scenario"][0])
        return headline(scenario, set(self.cells["metric"].unique()))

    @cached_property
    def forgotten(self) -> float:
        """The value up to which a cell counts as unlearned; NaN where there is no original model to compare."""
        if self.headline.of == "whole":
            return self.headline.forgotten * self.headline.full
        rows = self.cells
        original = rows[
            (rows["metric"] == self.headline.metric)
            & (rows["split"] == "forget")
            & (rows["start"] == "original")
            & (rows["relearn_steps"] == 0)
        ]
        return self.headline.forgotten * float(original["value"].mean())

    @property
    def models(self) -> list[str]:
        """The models that were run, as the spec names them."""
        return [str(model) for model in self.content["axes"]["model"]]

    def summary(self) -> str:
        """How much of the study is there, in one line."""
        planned, missing = len(self.planned), len(self.missing)
        failed = f"; {len(self.failures)} stages failed" if self.failures else ""
        return f"{planned - missing:,} of {planned:,} cells{failed}"


def load(folder: str | Path) -> Study:
    """Reads a study's folder.

    Raises:
        SpecError: it is no study.
        ValueError: its rows were written under another schema version.
    """
    place = Path(folder)
    try:
        content = json.loads((place / "study.json").read_text(encoding="utf-8"))
        planned = pd.read_parquet(place / "planned.parquet")
    except (FileNotFoundError, NotADirectoryError):
        raise SpecError(
            f"{place} is no study: expected a folder with study.json, as `relearn run` makes it"
        ) from None
    failures = [json.loads(path.read_text()) for path in sorted(place.glob("failures/[!.]*.json"))]
    return Study(
        folder=place,
        cells=_ordered(read_dataset(place, "cells").to_pandas(), content),
        planned=_ordered(planned, content),
        content=content,
        failures=failures,
    )


def _ordered(frame: pd.DataFrame, content: dict[str, Any]) -> pd.DataFrame:
    """Names become ordered categories: the declared values first, then whatever else is there."""
    axes = content.get("axes", {})
    for column in WORDS:
        declared = [str(value) for value in axes.get(column, [])]
        if column == "start":
            declared += STARTS
        found = sorted(set(frame[column].astype(str)))
        order = list(dict.fromkeys([*declared, *found]))
        frame[column] = pd.Categorical(frame[column].astype(str), categories=order, ordered=True)
    return frame
