"""A study's rows as tidy pandas frames, with the axes in their declared order and the missing cells named.

Works at any moment of a running study: what is not computed is missing, never 0, and the summary says how much is
there. What many measures select from the rows (the cells under the headline metric) is selected once, when first asked
for, and kept with the study. What is said of them, such as which had forgotten, is no property of a row: it is measured
(``analysis.measures.recovery.flow``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from analysis.reading.location import Location
from analysis.reading.row_reader import read_rows
from analysis.reading.titles import probes_per_cluster
from study.errors import SpecError, counted, did_you_mean
from study.results.headline import BOUNDS, Headline, headline
from study.results.schema import COORDINATES, COUNTS, MEANS, STARTS

WORDS = ("scenario", "model", "method", "start", "corpus")
"""The coordinates that are names; the others are numbers and sort by themselves."""

SCORES = (*COUNTS, *MEANS)
"""The metrics that a probe has by itself."""


def coordinates(frame: pd.DataFrame) -> tuple[str, ...]:
    """What names a cell in a frame: over several studies, the study too."""
    return ("study", *COORDINATES) if "study" in frame else COORDINATES


def of_scored_cells(probes: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The probes of cells in which one is scored; a judge may have rated some answers of a cell and not others."""
    scored = probes[metric].notna().to_numpy(bool, copy=True)
    if scored.all() or not scored.any():
        return probes[scored]
    keys = [*coordinates(probes), "split"]
    cells = probes.loc[scored, keys].drop_duplicates().assign(scored=True)
    beside = probes.loc[~scored, keys].merge(cells, on=keys, how="left")["scored"].notna().to_numpy(bool)
    scored[~scored] = beside
    return probes[scored]


@dataclass(frozen=True, eq=False, repr=False)  # frames neither compare to one truth value nor hash
class Study:
    """One study's folder, read.

    Attributes:
        name: the folder's name.
        cells: a row per (cell, split, metric), ``study.results.schema.CELLS``, under ``study``, its name. Strings that
            repeat are categories.
        planned: a row per planned cell, ``study.results.schema.PLANNED``.
        corpora: a row per relearn corpus with its nearness to the forget set, see ``study.results.schema.CORPORA``.
        content: what ``study.json`` says.
        failures: a row per failed stage.
        elsewhere: the coordinates of cells that another device computed and that were left out; None where none was.
    """

    name: str
    location: Location
    cells: pd.DataFrame
    planned: pd.DataFrame
    corpora: pd.DataFrame
    content: dict[str, Any]
    failures: list[dict[str, Any]]
    elsewhere: pd.DataFrame | None = None

    @property
    def folder(self) -> Path:
        """The folder on this machine.

        Raises:
            SpecError: it is not on this machine.
        """
        return self.location.folder

    @property
    def train_steps_alone(self) -> int | None:
        """Optimiser steps of all planned cells, were each run by itself; None where an older version planned them."""
        if "train_steps_alone" not in self.planned:
            return None
        return int(self.planned["train_steps_alone"].sum())

    @property
    def parts(self) -> tuple["Study", ...]:
        """Itself: one study read like several."""
        return (self,)

    @cached_property
    def probes(self) -> pd.DataFrame:
        """A row per (cell, split, probe), ``study.results.schema.PROBES``; read when first asked for, texts and all."""
        return self._framed(read_rows(self.location, "probes"))

    def scores(self, metric: str, split: str = "forget", **fixed: object) -> pd.DataFrame:
        """The scored probes under one metric, without their texts: what ten million rows are read as.

        Args:
            fixed: ``corpus="prefix"``: keeps the cells with that value, or with one of a list of values.

        Returns:
            A row per (cell, probe) of cells that are scored: ``study``, the coordinates, ``benign``, ``split``,
            ``probe`` and the metric as a float; NaN where others of its cell have a score, and this one has none.

        Raises:
            SpecError: no such metric of probes, no such coordinate, or a value of another kind.
        """
        if metric not in SCORES:
            near = did_you_mean(str(metric), SCORES)
            raise SpecError(f"metric={metric}: probes are scored by {', '.join(SCORES)}{near}")
        where: dict[str, Sequence[object]] = {"split": [split]}
        for name, value in fixed.items():
            if name not in COORDINATES:
                near = did_you_mean(name, COORDINATES)
                raise SpecError(f"{name} is no coordinate: choose from {', '.join(COORDINATES)}{near}")
            where[name] = list(value) if isinstance(value, list | tuple) else [value]
        return self.read_scores(metric, where)

    def read_scores(self, metric: str, where: Mapping[str, Sequence[object]]) -> pd.DataFrame:
        """The scores under one metric as they lie in the files, of the rows whose columns have one of the values."""
        columns = [*COORDINATES, "benign", "split", "probe", metric]
        rows = read_rows(self.location, "probes", columns, where)
        if metric not in BOUNDS:  # only a judge leaves out single answers of a cell
            rows = rows.filter(pc.is_valid(rows.column(metric)))
        numbers = rows.column(metric)
        if pa.types.is_boolean(numbers.type):
            numbers = numbers.cast(pa.int8())  # there is no cast from truth values to floats
        at = rows.schema.get_field_index(metric)
        return of_scored_cells(self._framed(rows.set_column(at, metric, numbers.cast(pa.float64()))), metric)

    def _framed(self, rows: pa.Table) -> pd.DataFrame:
        frame = ordered(rows.to_pandas(), self.content, self.name)
        return frame if self.elsewhere is None else _not_among(frame, self.elsewhere)

    @property
    def devices(self) -> list[str]:
        """What computed its cells; rows of before 2026-11-27 do not say."""
        return sorted(self.cells["device"].dropna().astype(str).unique())

    def on_device(self, *devices: str) -> "Study":
        """The study as far as some devices computed it; cells that do not say which are kept.

        Raises:
            SpecError: a device that computed none of its cells.
        """
        unknown = [device for device in devices if device not in self.devices]
        if unknown or not devices:
            raise SpecError(
                f"device={', '.join(unknown)}: the cells of {self.name} were computed on "
                f"{', '.join(self.devices) or 'devices that they do not name'}"
            )
        other = self.cells["device"].notna() & ~self.cells["device"].isin(devices)
        if not other.any():
            return self
        cells = self.cells.loc[other, list(COORDINATES)].drop_duplicates().astype(dict.fromkeys(WORDS, str))
        kept = _not_among(self.cells, cells)
        return replace(self, cells=kept, planned=_not_among(self.planned, cells), elsewhere=cells)

    @cached_property
    def missing(self) -> pd.DataFrame:
        """The planned cells that have no rows yet."""
        keys = list(COORDINATES)
        there = self.cells[keys].drop_duplicates()
        both = pd.concat([self.planned[keys], there], ignore_index=True)
        for name in WORDS:  # as categories of one kind, numbers are compared and not strings
            both[name] = pd.factorize(both[name])[0]
        number = both.groupby(keys, sort=False).ngroup().to_numpy()
        found = np.isin(number[: len(self.planned)], number[len(self.planned) :])
        return self.planned[~found]

    @cached_property
    def headline(self) -> Headline:
        """What the study is judged by."""
        scenario = str(self.content["axes"]["scenario"][0])
        return headline(scenario, set(self.cells["metric"].unique()))

    def probes_per_title(self, split: str = "forget") -> float:
        """How many probes of a split share a title, in the mean; it counts where an interval is over probes alone."""
        if split not in self._per_title:
            where: dict[str, Sequence[object]] = {"split": [split], "relearn_steps": [0]}
            names = read_rows(self.location, "probes", ["probe"], where).column("probe").unique().to_pylist()
            self._per_title[split] = probes_per_cluster(map(str, names))
        return self._per_title[split]

    @cached_property
    def _per_title(self) -> dict[str, float]:
        return {}

    def shares(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Values of the headline metric as shares of the whole, 0 to 1: a judge's lowest rating is 0."""
        found: npt.NDArray[np.float64] = (values - self.headline.least) / self.headline.span
        return found

    @cached_property
    def headline_cells(self) -> pd.DataFrame:
        """The rows of ``cells`` of the forget probes under the headline metric; empty where there are none."""
        rows = self.cells
        return rows[(rows["metric"] == self.headline.metric) & (rows["split"] == "forget")]

    @property
    def models(self) -> list[str]:
        """The models that were run, as the spec names them."""
        return [str(model) for model in self.content["axes"]["model"]]

    def __repr__(self) -> str:
        seeds = self.planned["seed"].nunique()
        return f"<study {self.name}: {self.summary()}; {', '.join(self.models)}; {counted(seeds, 'seed')}>"

    def summary(self) -> str:
        """How much of the study is there, in one line."""
        planned, missing = len(self.planned), len(self.missing)
        failed = f"; {counted(len(self.failures), 'stage')} failed" if self.failures else ""
        return f"{planned - missing:,} of {counted(planned, 'cell')}{failed}"


def _not_among(rows: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """The rows that are of none of some cells."""
    keys = list(COORDINATES)
    found = rows[keys].astype(dict.fromkeys(WORDS, str)).merge(cells, on=keys, how="left", indicator=True)
    return rows[(found["_merge"] == "left_only").to_numpy()]


def ordered(frame: pd.DataFrame, content: dict[str, Any], study: str) -> pd.DataFrame:
    """Names become ordered categories: the declared values first, then whatever else is there."""
    axes = content.get("axes", {})
    for column in WORDS:
        if column not in frame:
            continue
        declared = [str(value) for value in axes.get(column, [])]
        if column == "start":
            declared += STARTS
        coded = frame[column].astype("category")
        found = sorted(map(str, coded.cat.categories))
        order = list(dict.fromkeys([*declared, *found]))
        frame[column] = coded.cat.set_categories(order, ordered=True)
    named = pd.Series(study, index=frame.index, dtype=pd.CategoricalDtype([study], ordered=True))
    frame.insert(0, "study", named)
    return frame
