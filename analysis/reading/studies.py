"""One study's folder, or several together, read into frames; the column ``study`` tells them apart.

Their spaces may differ. What a study is judged by belongs to each one and is never shared: see ``Studies.parts``.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.reading.location import Location, locate
from analysis.reading.row_reader import read_corpora, read_rows
from analysis.reading.study_frames import Study, ordered
from study.errors import PreflightError, RelearnError, SpecError, counted
from study.results.files import PLANNED_FILE
from study.results.headline import Headline
from study.results.links import refuse_links
from study.results.near_studies import no_study
from study.results.recorded_spec import read_study
from study.results.schema import COORDINATES


def _below_each_other(frame_of: Callable[[Study], pd.DataFrame]) -> "cached_property[pd.DataFrame]":
    """A frame of each study, one below the other."""
    return cached_property(lambda studies: _joined([frame_of(part) for part in studies.parts]))


@dataclass(frozen=True, eq=False, repr=False)
class Studies:
    """Several studies, read together: the frames of a ``Study``, one below the other."""

    parts: tuple[Study, ...]

    cells = _below_each_other(lambda study: study.cells)
    planned = _below_each_other(lambda study: study.planned)
    missing = _below_each_other(lambda study: study.missing)
    corpora = _below_each_other(lambda study: study.corpora)
    probes = _below_each_other(lambda study: study.probes)

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

    def __repr__(self) -> str:
        return f"<studies {', '.join(map(repr, self.parts))}>"

    def summary(self) -> str:
        """How much of each is there, a line for each study."""
        return "\n".join(f"{part.name}: {part.summary()}" for part in self.parts)


ALL = "all"
"""Every device: for whoever pools none of the rows, or pools those of several devices and says so."""


@overload
def load(folder: str | Path, /, *, device: str | Sequence[str] | None = None) -> Study: ...


@overload
def load(
    folder: str | Path, second: str | Path, /, *more: str | Path, device: str | Sequence[str] | None = None
) -> Studies: ...


def load(*folders: str | Path, device: str | Sequence[str] | None = None) -> Study | Studies:
    """Reads a study's folder, or several together.

    Args:
        folders: each a folder, or an address that fsspec opens (``s3://bucket/study``, ``file:///study``).
        device: which computed the cells that are kept: one, several, or ``"all"``. It must be named where a study has
            cells of several: their seeds would be pooled in silence, and what differs between seeds may be what differs
            between devices.

    Returns:
        A ``Study``; of several folders ``Studies``, with the same frames.

    Raises:
        SpecError: no folder, one is no study, the same twice, rows of another schema version, or cells of several
            devices and none was named.
        IntegrityError: a file of rows is torn or changed.
    """
    if not folders:
        raise SpecError("nothing to load: give a study's folder, or several")
    for each in folders:
        if not isinstance(each, str | Path):
            raise SpecError(
                "expected a study's folder, or several beside each other, as load('studies/a', 'studies/b'); got a "
                f"{type(each).__name__}"
            )
    locations = [locate(each) for each in folders]
    roots = [os.path.realpath(each.root) if each.filesystem is None else each.given for each in locations]
    for root in roots:
        if roots.count(root) > 1:
            raise SpecError(f"{root} is given twice: its cells would count double")
    read = [_read_there(each, name) for each, name in zip(locations, _names(roots), strict=True)]
    chosen = [_on_device(study, device) for study in read]
    return chosen[0] if len(chosen) == 1 else Studies(tuple(chosen))


def _on_device(study: Study, device: str | Sequence[str] | None) -> Study:
    if device == ALL:
        return study
    if device is not None:
        return study.on_device(*([device] if isinstance(device, str) else device))
    if len(study.devices) > 1:
        cells = study.cells.drop_duplicates(list(COORDINATES))["device"].value_counts()
        words = ", ".join(f"{name} ({counted(int(cells[name]), 'cell')})" for name in study.devices)
        raise SpecError(
            f"{study.location.given} was computed on {words}, and what several devices computed is not pooled: name "
            f"one, as analysis.load(…, device={study.devices[0]!r}), or the several that you want to pool"
        )
    return study


def _names(roots: list[str]) -> list[str]:
    """The shortest ends of the paths that tell them apart."""
    paths = [root.rstrip("/").split("/") for root in roots]
    for length in range(1, max(map(len, paths)) + 1):
        names = ["/".join(path[-length:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return roots


def _read(location: Location, name: str) -> Study:
    try:
        if location.filesystem is None:
            refuse_links(Path(location.root))
        content = read_study(location.read(location.path_of("study.json")))
        planned = pq.read_table(pa.BufferReader(location.read(location.path_of(PLANNED_FILE)))).to_pandas()
    except (FileNotFoundError, NotADirectoryError):
        if location.filesystem is None:
            raise SpecError(no_study(Path(location.root))) from None
        raise SpecError(f"{location.given} is no study: it has no study.json") from None
    except (ValueError, AttributeError, pa.ArrowException) as error:
        raise SpecError(
            f"{location.given} cannot be read as a study ({error}): restore its study.json and planned.parquet from "
            "a copy, or run the study again"
        ) from error
    return Study(
        name=name,
        location=location,
        cells=ordered(read_rows(location, "cells").to_pandas(), content, name),
        planned=ordered(planned, content, name),
        corpora=ordered(read_corpora(location), content, name),
        content=content,
        failures=[json.loads(location.read(path)) for path in location.files(".json", "failures")],
    )


def _read_there(location: Location, name: str) -> Study:
    """``_read``, and what goes wrong on the way to an address in words: each cloud's client has errors of its own."""
    try:
        return _read(location, name)
    except RelearnError:
        raise
    except Exception as error:
        if location.filesystem is None:
            raise
        raise PreflightError(
            f"{location.given} cannot be read ({type(error).__name__}: {error}): mend the address, the network or the "
            "credentials, or copy the study to a folder here"
        ) from error


def _joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """One below the other; the categories of each column are those of all, in the order of their appearance."""
    coded = [name for name in frames[0].columns if isinstance(frames[0][name].dtype, pd.CategoricalDtype)]
    aligned = [frame.copy(deep=False) for frame in frames]
    for name in coded:
        every = list(dict.fromkeys(value for frame in frames for value in frame[name].cat.categories))
        in_order = bool(frames[0][name].cat.ordered)
        for frame in aligned:
            frame[name] = frame[name].cat.set_categories(every, ordered=in_order)
    return pd.concat(aligned, ignore_index=True)
