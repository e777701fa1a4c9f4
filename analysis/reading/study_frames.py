"""A study's rows as tidy pandas frames, with the axes in their declared order and the missing cells named.

Works at any moment of a running study: what is not computed is missing, never 0, and the summary says how
much is there. Several studies read together have the same frames; the column ``study`` tells them apart, and
their spaces may differ.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analysis.reading.location import Place, place
from analysis.reading.row_reader import read_corpora, read_rows
from study.errors import SpecError
from study.results.files import PLANNED_FILE
from study.results.headline import Headline, headline
from study.results.recorded_spec import with_current_keys
from study.results.schema import COORDINATES, COUNTS, MEANS, STARTS

WORDS = ("scenario", "model", "method", "start", "corpus")
"""The coordinates that are names; the others are numbers and sort by themselves."""

SCORES = (*COUNTS, *MEANS)
"""The metrics that a probe has by itself."""


def coordinates(frame: pd.DataFrame) -> tuple[str, ...]:
    """What names a cell in a frame: over several studies, the study too."""
    return ("study", *COORDINATES) if "study" in frame else COORDINATES


@dataclass(frozen=True)
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
    """

    name: str
    place: Place
    cells: pd.DataFrame
    planned: pd.DataFrame
    corpora: pd.DataFrame
    content: dict[str, Any]
    failures: list[dict[str, Any]]

    @property
    def folder(self) -> Path:
        """Where it lies.

        Raises:
            SpecError: not on this machine.
        """
        return self.place.folder

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
        return self._framed(read_rows(self.place, "probes"))

    def scores(self, metric: str, split: str = "forget", **fixed: object) -> pd.DataFrame:
        """The scored probes under one metric, without their texts: what ten million rows are read as.

        Args:
            fixed: ``corpus="prefix"``: keeps the cells with that value, or with one of a list of values.

        Returns:
            A row per scored (cell, probe): ``study``, the coordinates, ``benign``, ``split``, ``probe`` and the
            metric as a float.

        Raises:
            SpecError: no such metric of probes, no such coordinate, or a value of another kind.
        """
        if metric not in SCORES:
            raise SpecError(f"metric={metric}: probes are scored by {', '.join(SCORES)}")
        where: dict[str, Sequence[object]] = {"split": [split]}
        for name, value in fixed.items():
            if name not in COORDINATES:
                raise SpecError(f"{name} is no coordinate: choose from {', '.join(COORDINATES)}")
            where[name] = list(value) if isinstance(value, list | tuple) else [value]
        columns = [*COORDINATES, "benign", "split", "probe", metric]
        rows = read_rows(self.place, "probes", columns, where)
        scored = rows.filter(pc.is_valid(rows.column(metric)))
        numbers = scored.column(metric)
        if pa.types.is_boolean(numbers.type):
            numbers = numbers.cast(pa.int8())  # there is no cast from truth values to floats
        at = scored.schema.get_field_index(metric)
        return self._framed(scored.set_column(at, metric, numbers.cast(pa.float64())))

    @cached_property
    def ends(self) -> pd.DataFrame:
        """The scores under the headline metric before relearning and at the last step; read when first asked for."""
        last = int(self.cells["relearn_steps"].max()) if len(self.cells) else 0
        return self.scores(self.headline.metric, relearn_steps=sorted({0, last}))

    def _framed(self, rows: pa.Table) -> pd.DataFrame:
        return ordered(rows.to_pandas(), self.content, self.name)

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


@dataclass(frozen=True)
class Studies:
    """Several studies, read together: the frames of a ``Study``, one below the other.

    What a study is judged by belongs to each one: see ``parts``.
    """

    parts: tuple[Study, ...]

    @cached_property
    def cells(self) -> pd.DataFrame:
        """As of a ``Study``; the column ``study`` tells them apart."""
        return _joined([part.cells for part in self.parts])

    @cached_property
    def planned(self) -> pd.DataFrame:
        """As of a ``Study``."""
        return _joined([part.planned for part in self.parts])

    @cached_property
    def missing(self) -> pd.DataFrame:
        """As of a ``Study``."""
        return _joined([part.missing for part in self.parts])

    @cached_property
    def corpora(self) -> pd.DataFrame:
        """As of a ``Study``."""
        return _joined([part.corpora for part in self.parts])

    @cached_property
    def probes(self) -> pd.DataFrame:
        """As of a ``Study``."""
        return _joined([part.probes for part in self.parts])

    def scores(self, metric: str, split: str = "forget", **fixed: object) -> pd.DataFrame:
        """As of a ``Study``."""
        return _joined([part.scores(metric, split, **fixed) for part in self.parts])

    @property
    def failures(self) -> list[dict[str, Any]]:
        """A row per failed stage, with its ``study``."""
        return [{"study": part.name, **failure} for part in self.parts for failure in part.failures]

    @property
    def headline(self) -> Headline:
        """What they are judged by, where it is one thing.

        Raises:
            SpecError: they are judged by different metrics.
        """
        found = {part.name: part.headline for part in self.parts}
        if len({each.metric for each in found.values()}) > 1:
            words = ", ".join(f"{name} by {each.metric}" for name, each in found.items())
            raise SpecError(f"these studies are judged by different metrics ({words}): name a metric")
        return self.parts[0].headline

    @property
    def models(self) -> list[str]:
        """The models that were run, each once."""
        return list(dict.fromkeys(model for part in self.parts for model in part.models))

    def summary(self) -> str:
        """How much of each is there, a line for each study."""
        return "\n".join(f"{part.name}: {part.summary()}" for part in self.parts)


@overload
def load(folder: str | Path, /) -> Study: ...


@overload
def load(folder: str | Path, second: str | Path, /, *more: str | Path) -> Studies: ...


def load(*folders: str | Path) -> Study | Studies:
    """Reads a study's folder, or several together.

    Args:
        folders: each a folder, or an address that fsspec opens (``s3://bucket/study``, ``file:///study``).

    Returns:
        A ``Study``; of several folders ``Studies``, with the same frames.

    Raises:
        SpecError: no folder, one is no study, the same twice, or rows of another schema version.
        IntegrityError: a file of rows is torn or changed.
    """
    if not folders:
        raise SpecError("nothing to load: give a study's folder, or several")
    places = [place(each) for each in folders]
    roots = [str(Path(each.root).resolve()) if each.filesystem is None else each.words for each in places]
    for root in roots:
        if roots.count(root) > 1:
            raise SpecError(f"{root} is given twice: its cells would count double")
    read = [_one(each, name) for each, name in zip(places, _names(roots), strict=True)]
    return read[0] if len(read) == 1 else Studies(tuple(read))


def _names(roots: list[str]) -> list[str]:
    """The shortest ends of the paths that tell them apart."""
    ways = [root.rstrip("/").split("/") for root in roots]
    for length in range(1, max(map(len, ways)) + 1):
        names = ["/".join(way[-length:]) for way in ways]
        if len(set(names)) == len(names):
            return names
    return roots


def _one(where: Place, name: str) -> Study:
    try:
        content = json.loads(where.read(where.child("study.json")))
        content["spec"] = with_current_keys(content.get("spec", {}))
        planned = pq.read_table(pa.BufferReader(where.read(where.child(PLANNED_FILE)))).to_pandas()
    except (FileNotFoundError, NotADirectoryError):
        raise SpecError(
            f"{where.words} is no study: expected a folder with study.json, as `relearn run` makes it"
        ) from None
    except (ValueError, pa.ArrowException) as error:
        raise SpecError(
            f"{where.words} cannot be read as a study ({error}): restore its study.json and planned.parquet from a "
            "copy, or run the study again"
        ) from error
    return Study(
        name=name,
        place=where,
        cells=ordered(read_rows(where, "cells").to_pandas(), content, name),
        planned=ordered(planned, content, name),
        corpora=ordered(read_corpora(where), content, name),
        content=content,
        failures=[json.loads(where.read(path)) for path in where.files(".json", "failures")],
    )


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


def _joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """One below the other; the categories of each column are those of all, in the order of their appearance."""
    coded = [name for name in frames[0].columns if isinstance(frames[0][name].dtype, pd.CategoricalDtype)]
    alike = [frame.copy(deep=False) for frame in frames]
    for name in coded:
        every = list(dict.fromkeys(value for frame in frames for value in frame[name].cat.categories))
        ordered = bool(frames[0][name].cat.ordered)
        for frame in alike:
            frame[name] = frame[name].cat.set_categories(every, ordered=ordered)
    return pd.concat(alike, ignore_index=True)
