"""Two studies against each other: what differs in their specs, and in the cells that both have.

Cells are the same when their coordinates are. Both studies are asked the same probes there, so differences are paired:
over seeds and probes, as by ``analysis.compare``. Studies without a cell in common are told apart and not compared.
"""

from collections.abc import Hashable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.measures.comparisons import differences as differences_of
from analysis.measures.surface import select
from analysis.reading.study_frames import WORDS, Study
from analysis.statistics.crossed_design import Answers
from study.errors import counted
from study.results.schema import COORDINATES, COUNTS, MEANS
from study.results.spec_entries import differences

POPULATION = ("scenario", "model", "method", "start")
"""What is never averaged over."""
PLACE = [name for name in COORDINATES if name != "seed"]
Both = tuple[pd.DataFrame, pd.DataFrame]
"""The scores of one place in both studies, seeds × probes."""


@dataclass(frozen=True)
class Pair:
    """One place that both studies have, seeds taken together; rates as shares of the whole.

    Attributes:
        difference: second − first, with its interval over the seeds and probes that both have, adjusted for the number
            of places (``analysis.compare``); NaN interval where probes are not scored in both, and where every answer
            is the same in both.
    """

    place: dict[str, Any]
    first: float
    second: float
    difference: float
    low: float
    high: float
    seeds: int
    probes: int

    @property
    def apart(self) -> bool:
        """Whether the interval excludes 0."""
        return bool(self.low > 0 or self.high < 0)

    @property
    def untold(self) -> bool:
        """Whether they differ, and nothing tells how surely."""
        return self.difference != 0 and bool(np.isnan(self.low))


@dataclass(frozen=True)
class Comparison:
    """What two studies differ in.

    Attributes:
        spec: ``(entry, first, second)`` for each entry of the spec that is not the same.
        metric: what the shared cells are compared by; None where the two have no metric in common.
        shared: cells that both have under that metric; ``only_first`` and ``only_second`` those of one.
        equal: shared cells with the same value to the bit.
        overall: for each model, method and start, the mean difference of its shared cells, paired, of the seeds and
            probes that all of these have; a control is not averaged with what it is the control of.
        pairs: one for each shared place.
        empty: where those lie that have no cell yet.
        devices: what computed the cells of each.
    """

    names: tuple[str, str]
    spec: list[tuple[str, ...]]
    metric: str | None
    shared: int
    only_first: int
    only_second: int
    equal: int
    overall: list[Pair]
    pairs: list[Pair]
    empty: tuple[str, ...] = ()
    devices: tuple[list[str], list[str]] = ([], [])

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``; NaN becomes null."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain

    def verdict(self) -> str:
        """The answer in a sentence or two."""
        if self.empty:
            return f"{' and '.join(self.empty)}: no cell has rows yet, so nothing can be compared."
        if self.metric is None:
            return "The two have no metric in common, so no cell can be compared."
        if not self.shared:
            return (
                f"Nothing to compare: of {self.only_first:,} and {self.only_second:,} cells scored by {self.metric} "
                "none has the same coordinates in both. The entries above say where their spaces part."
            )
        apart = sum(pair.apart for pair in self.pairs)
        rest = f"; {self.only_first:,} are only in the first, {self.only_second:,} only in the second"
        same = f"{self.equal:,} of the {self.shared:,} shared cells have the same {self.metric} to the bit{rest}."
        if self.equal == self.shared:
            return same
        untold = sum(pair.untold for pair in self.pairs)
        told = len(self.pairs) - untold
        if told:
            same += (
                f" In {apart} of {told} places the interval of the difference excludes 0; were there no "
                "difference anywhere, one of them or more would in at most 5% of comparisons."
            )
        if untold:
            places = "place differs and has" if untold == 1 else "places differ and have"
            same += (
                f" {untold} {places} no interval, so whether another seed would differ alike is not known."
            )
        return same


def compare_studies(first: Study, second: Study) -> Comparison:
    """Compares the specs, and the cells that both have."""
    metric = _metric(first, second)
    titles = (str(first.content["spec"]["name"]), str(second.content["spec"]["name"]))
    names = (
        titles if len(set(titles)) == 2 else (f"{titles[0]} ({first.name})", f"{titles[1]} ({second.name})")
    )
    spec = list(_spec(first.content["spec"], second.content["spec"]))
    if metric is None:
        empty = tuple(study.location.given for study in (first, second) if study.cells.empty)
        return Comparison(names, spec, None, 0, 0, 0, 0, [], [], empty)
    one, other = _cells(first, metric, "value_first"), _cells(second, metric, "value_second")
    joined = one.join(other, how="outer")
    shared = joined.dropna()
    pairs, overall = _pairs(first, second, metric, shared) if len(shared) else ([], [])
    return Comparison(
        names,
        spec,
        metric,
        len(shared),
        int(joined["value_second"].isna().sum()),
        int(joined["value_first"].isna().sum()),
        int((shared["value_first"] == shared["value_second"]).sum()),
        overall,
        pairs,
        devices=(first.devices, second.devices),
    )


def _metric(first: Study, second: Study) -> str | None:
    """The first's headline where the second has it too, else the second's, else any that a probe has by itself."""
    both = set(first.cells["metric"].unique()) & set(second.cells["metric"].unique())
    wanted = (first.headline.metric, second.headline.metric, *COUNTS, *MEANS)
    return next((name for name in wanted if name in both), None)


def _spec(first: dict[str, Any], second: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    return (each for each in differences(first, second) if each[0] not in ("name", "question"))


def _cells(study: Study, metric: str, name: str) -> pd.DataFrame:
    rows = select(study.cells, metric)
    plain = rows.astype(dict.fromkeys(WORDS, str)).set_index(list(COORDINATES))
    return plain[["value"]].rename(columns={"value": name})


def _pairs(first: Study, second: Study, metric: str, shared: pd.DataFrame) -> tuple[list[Pair], list[Pair]]:
    """A pair for each place, and those of each population together."""
    scores = [_scores(study, metric) for study in (first, second)]
    judged = first.headline
    least, span = (judged.least, judged.span) if judged.metric == metric else (0.0, 1.0)
    scale = (least, span)
    places: list[tuple[dict[str, Any], pd.DataFrame, Both | None]] = []
    for place, cells in shared.groupby(level=PLACE, sort=False):
        key = place if isinstance(place, tuple) else (place,)
        both = [of_study.get(key) for of_study in scores]
        found = _together(both) if both[0] is not None and both[1] is not None else None
        places.append((dict(zip(PLACE, key, strict=True)), cells, found))
    populations: dict[tuple[Any, ...], list[tuple[pd.DataFrame, Both | None]]] = {}
    for where, cells, found in places:
        populations.setdefault(tuple(where[name] for name in POPULATION), []).append((cells, found))
    means = [
        (
            dict(zip(POPULATION, names, strict=True)),
            pd.concat([cells for cells, _ in of]),
            _mean([b for _, b in of]),
        )
        for names, of in populations.items()
    ]
    return _as_pairs(places, scale), _as_pairs(means, scale)


def _as_pairs(
    places: list[tuple[dict[str, Any], pd.DataFrame, Both | None]], scale: tuple[float, float]
) -> list[Pair]:
    """Read together as one table."""
    apart = [found for *_, found in places if found is not None and not _same(found)]
    rows = iter(differences_of([_answers(found) for found in apart]).to_dict("records"))
    return [
        _pair(
            place,
            cells,
            found,
            None if found is None else _zero(found) if _same(found) else next(rows),
            scale,
        )
        for place, cells, found in places
    ]


def _same(found: Both) -> bool:
    """Every answer of both is the same: nothing differs, and there is nothing to estimate."""
    return bool((found[0].to_numpy() == found[1].to_numpy()).all())


def _zero(found: Both) -> dict[Hashable, Any]:
    """A row of ``differences_of`` of what is the same."""
    seeds, probes = found[0].shape
    return {"difference": 0.0, "low": np.nan, "high": np.nan, "seeds": seeds, "probes": probes}


def _scores(study: Study, metric: str) -> dict[tuple[Any, ...], pd.DataFrame]:
    """Place → seeds × probes; a probe is its name and its texts, since another study may ask something else by it."""
    probes = study.probes
    rows = (
        probes[(probes["split"] == "forget") & probes[metric].notna()] if metric in probes else probes.head(0)
    )
    rows = rows[[*COORDINATES, "probe", "prompt", "target", metric]].astype(dict.fromkeys(WORDS, str))
    asked = rows["probe"].astype(str) + "\0" + rows["prompt"] + "\0" + rows["target"]
    rows = rows.assign(asked=asked, score=rows[metric].astype(float))
    return {
        place if isinstance(place, tuple) else (place,): of_place.pivot(
            index="seed", columns="asked", values="score"
        )
        for place, of_place in rows.groupby(PLACE, observed=True)
    }


def _together(both: list[Any]) -> Both | None:
    """Two matrices over the seeds and the probes that they share; None where they share none."""
    one, other = both
    seeds = one.index.intersection(other.index)
    asked = one.loc[seeds].dropna(axis=1).columns.intersection(other.loc[seeds].dropna(axis=1).columns)
    if not len(seeds) or not len(asked):
        return None
    return one.loc[seeds, asked], other.loc[seeds, asked]


def _mean(found: list[Both | None]) -> Both | None:
    """The mean over places, of the seeds and probes that all of them have; None where one has no probes."""
    answered = [each for each in found if each is not None]
    if not answered or len(answered) < len(found):
        return None
    seeds = sorted(set.intersection(*(set(one.index) for one, _ in answered)))
    asked = sorted(set.intersection(*(set(one.columns) for one, _ in answered)))
    if not seeds or not asked:
        return None
    means = [
        pd.DataFrame(
            np.mean([pair[which].loc[seeds, asked].to_numpy() for pair in answered], axis=0), seeds, asked
        )
        for which in (0, 1)
    ]
    return means[0], means[1]


def _answers(found: Both) -> Answers:
    first, second = found
    return Answers(
        np.stack([second.to_numpy(float), first.to_numpy(float)]),
        ("second", "first"),
        tuple(first.index),
        tuple(map(_probe, first.columns)),
    )


def _probe(asked: str) -> str:
    return asked.split("\0", 1)[0]


def _pair(
    place: dict[str, Any],
    cells: pd.DataFrame,
    both: Both | None,
    found: dict[Hashable, Any] | None,
    scale: tuple[float, float],
) -> Pair:
    """A place; ``found`` is its row of ``differences_of``. All three numbers are of the same seeds and probes."""
    first, second = (
        (float(cells[name].mean()) for name in ("value_first", "value_second"))
        if both is None
        else (float(each.to_numpy(float).mean()) for each in both)
    )
    least, span = scale
    seeds = int(cells.index.get_level_values("seed").nunique())
    row = found or {"difference": second - first, "low": np.nan, "high": np.nan, "seeds": seeds, "probes": 0}
    value, low, high = (float(row[name]) / span for name in ("difference", "low", "high"))
    counts = (int(row["seeds"]), int(row["probes"]))
    return Pair(place, (first - least) / span, (second - least) / span, value, low, high, *counts)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and np.isnan(value) else value


def in_words(found: Comparison) -> list[str]:
    """Lines for a terminal."""
    lines = [f"{found.names[0]}  against  {found.names[1]}", ""]
    lines.append("In the specs:" if found.spec else "Their specs are the same, but for names and questions.")
    lines += [f"  {name}: {one} → {other}" for name, one, other in found.spec]
    if len({*found.devices[0], *found.devices[1]}) > 1:
        said = (", ".join(each) or "what their rows do not name" for each in found.devices)
        lines += ["", "Computed on {}  against  {}: what differs may be the device.".format(*said)]
    if found.pairs and found.metric is not None:
        lines += [
            "",
            f"{found.metric}, first → second, second − first in points (95% over seeds and probes):",
        ]
        varying = [name for name in PLACE if len({pair.place[name] for pair in found.pairs}) > 1]
        for pair in found.pairs:
            if pair.first != pair.second:
                place = ", ".join(f"{name} {pair.place[name]}" for name in varying)
                lines.append(f"  {place or 'all'}: {_said(pair)}")
        named = [name for name in POPULATION if len({pair.place[name] for pair in found.overall}) > 1]
        for pair in found.overall:
            of = "".join(f", {name} {pair.place[name]}" for name in named)
            lines.append(f"  all shared cells{of}: {_said(pair)}")
    return [*lines, "", found.verdict()]


def _said(pair: Pair) -> str:
    interval = "" if np.isnan(pair.low) else f" ({100 * pair.low:+z.1f} to {100 * pair.high:+z.1f})"
    return (
        f"{100 * pair.first:.1f}% → {100 * pair.second:.1f}%, {100 * pair.difference:+z.1f}{interval}, "
        f"{counted(pair.seeds, 'seed')}"
    )
