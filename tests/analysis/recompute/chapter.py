"""What only the page has, and ``results.md`` has not: the words of each section, and the table of every cell.

A section with a number in its words that is not known here is an error.
"""

import re
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import pandas as pd

from tests.analysis.recompute.foreseen import check_page
from tests.analysis.recompute.law import check_scores
from tests.analysis.recompute.lead import cells_there
from tests.analysis.recompute.page import flow
from tests.analysis.recompute.same import Line, Same, joined
from tests.analysis.recompute.source import Source
from tests.analysis.truth.relearning import RELEARNING


class Table(Protocol):
    """Of a section: a name of each column and whether it holds numbers; rows of strings."""

    columns: tuple[tuple[str, bool], ...]
    rows: Sequence[Sequence[str]]
    caption: str
    tall: bool


class Section(Protocol):
    """Of a chapter."""

    anchor: str
    words: Sequence[str]
    tables: Sequence[Table]


def check_sections(source: Source, sections: Sequence[Section]) -> int:
    """The words of each section, and its tall tables.

    Returns:
        How many numbers were compared.
    """
    before = Same.compared
    for section in sections:
        words = [str(each) for each in section.words]
        if section.anchor == "law":
            _only(r"log\(1 \+ steps\)")(source, words.pop(0))
            check_scores(source, words)
            continue
        for each in words:
            WORDS.get(section.anchor, _none)(source, each)
        for table in section.tables:
            if table.tall:
                _cells(source, table)
            elif section.anchor in TABLES:
                TABLES[section.anchor](source, table)
    return Same.compared - before


def _none(source: Source, words: str) -> None:
    assert not re.search(r"\d", words), f"nobody recomputes this: {words}"


def _only(*known: str) -> Callable[[Source, str], None]:
    """Words whose numbers are rules and not results."""

    def check(source: Source, words: str) -> None:
        rest = words
        for each in known:
            assert re.search(each, rest), (each, words)
            rest = re.sub(each, "", rest)
        _none(source, rest)

    return check


def _flow(source: Source, words: str) -> None:
    share, of_original = source.truth.limit
    limit = f"at most {100 * share:.0f}% of {'the original' if of_original else 'the queries'}"
    _only("at least 50%", "at least 80%", limit)(source, words)


def _curves(source: Source, words: str) -> None:
    """How many trajectories fall, how many are shown to, and what could have been shown."""
    if not re.search(r"\d", words) and "no trajectory" not in words:
        return
    found = source.trajectories[source.trajectories["start"] == "unlearned"]
    falling = found[found["drop"] > 0]
    if falling.empty:
        Same.text(words, "In no trajectory does the last step lie below the peak.", words)
        return
    began = re.match(r"In (\d+) of (\d+) trajectories the last step lies below the peak\. ", words)
    assert began, words
    Same.text(began[1], len(falling), words)
    Same.text(began[2], len(found), words)
    tested = falling[falling["drop_p_adjusted"].notna()]
    rest = words.removeprefix(began[0])
    if tested.empty:
        Same.text(rest, "Whether that is more than chance is not tested.", words)
        return
    told = re.search(r"\(Holm\), (none|\d+) of these falls (?:are|is) shown", rest)
    least = re.search(r"would have needed a fall of (\d+) points or more", rest)
    assert told and least, words
    Same.text(told[1], int((tested["drop_p_adjusted"] < 0.05).sum()) or "none", words)
    Same.number(least[1], source.percent(tested["drop_detectable"].median()) - source.percent(0), words)


def _paper(source: Source, words: str) -> None:
    """How many seeds were run."""
    found = re.search(r", (\d+) seeds?, ", words)
    assert found, words
    Same.text(found[1], source.cells["seed"].nunique(), words)


def _of_cells(source: Source, words: str) -> None:
    rows = source.headline
    began = re.match(r"([\d,]+) cells\. (?:Each is of ([\d,]+) queries\. )?", words)
    assert began, words
    Same.text(began[1], len(rows), words)
    asked = rows["n"].dropna().unique()
    Same.text(began[2] or "", int(asked[0]) if len(asked) == 1 else "", words)
    fixed = re.search(r"The same in all: (.*?)\. A number", words)
    for part in fixed[1].split(", ") if fixed else []:
        name, _, value = part.partition(" ")
        if name in rows:
            assert set(rows[name].astype(str)) == {value}, words


def _cells(source: Source, table: Table) -> None:
    """Every row of the table against its cell."""
    names = [name.replace(" ", "_") for name, _ in table.columns]
    rows = source.headline.assign(place=range(len(source.headline)))
    place = [name for name in names if name in ("scenario", "model", "method", "start", "corpus", "seed")]
    place += [name for name in names if name in ("repetitions", "depth", "relearn_steps")]
    keys = list(PLACE)
    known = {
        tuple(map(str, values)): at for values, at in zip(rows[place].to_numpy(), rows["place"], strict=True)
    }
    assert len(table.rows) == len(known) == len(rows)
    beside = source.cells.set_index(source.cells[keys].astype(str).agg("|".join, axis=1))
    whole = rows[keys].astype(str).agg("|".join, axis=1).to_list()
    columns = {
        "answered": rows["k"].to_numpy(float),
        "queries": rows["n"].to_numpy(float),
        f"{names[len(place)]}": 100 * rows["value"].to_numpy(float),
    }
    for name in names[len(place) + 1 :]:
        if name in columns:
            continue
        metric, split = (
            ("target_nll", "forget") if name.startswith("target_NLL") else (source.metric, "retain")
        )
        mine = beside[(beside["metric"] == metric) & (beside["split"] == split)]["value"]
        values = mine[~mine.index.duplicated()].reindex(whole).to_numpy(float)
        columns[name] = source.percent(values) if split == "retain" else values
    for row in table.rows:
        line = dict(zip(names, row, strict=True))
        at = known.pop(tuple(line[name] for name in place))
        for name in names[len(place) :]:
            Same.number(str(line[name]), float(columns[name][at]), line)


def _gallery(source: Source, words: str) -> None:
    """The relearning that counts and answers most, and how many queries it was asked."""
    if words.startswith(("Asked: ", "The answer that was to be forgotten: ")):
        return
    found = re.match(
        r"The relearning .*? \((\S+), corpus (\S+), r = (\d+), depth (\d+), seed (\d+)\), and of its (\d+) queries",
        words,
    )
    assert found, words
    counted = [each for each in source.truth.relearnings if each.counts]
    (chosen,) = [
        each
        for each in counted
        if found.groups()[:5]
        == (each.method, each.corpus, str(each.repetitions), str(each.depth), str(each.seed))
    ]
    assert chosen.steps[chosen.last] == max(each.steps[each.last] for each in counted), words
    assert source.probes is not None
    rows = source.probes[
        (source.probes["split"] == "forget") & (source.probes["start"].astype(str) == "unlearned")
    ]
    for name in RELEARNING:
        if name != "corpus":
            rows = rows[rows[name].astype(str) == str(getattr(chosen, name))]
    metric = "keyword_hit" if "keyword_hit" in rows and rows["keyword_hit"].notna().any() else source.metric
    rows = rows[rows[metric].notna()]
    last = rows[(rows["relearn_steps"] == chosen.last) & (rows["corpus"].astype(str) == chosen.corpus)]
    both = set(rows.loc[rows["relearn_steps"] == 0, "probe"]) & set(last["probe"])
    Same.text(found[6], len(both), words)


def _missing(source: Source, table: Table) -> None:
    """Cells without rows: how many, and that each shown is one."""
    keys = [name.replace(" ", "_") for name, _ in table.columns]
    there = set(source.cells[list(PLACE)].drop_duplicates().astype(str).itertuples(index=False, name=None))
    lacking = [row for row in source.truth.planned if tuple(str(row[name]) for name in PLACE) not in there]
    found = re.match(r"([\d,]+) cells have no rows(?:; the first (\d+))?", table.caption)
    assert found, table.caption
    Same.text(found[1], len(lacking), table.caption)
    Same.text(found[2] or found[1], len(table.rows), table.caption)
    known = {tuple(str(row[name]) for name in keys) for row in lacking}
    assert all(tuple(map(str, row)) in known for row in table.rows)


def _lacking(source: Source, words: str) -> None:
    raise AssertionError(f"nobody recomputes what failed: {words}")


def _times(source: Source) -> pd.DataFrame:
    """Stages by kind, with the seconds of training and of evaluation that their rows tell."""
    once = source.cells.drop_duplicates(["stage", "stage_step"])
    kind = np.select(
        [once["relearn_steps"] > 0, once["depth"] > 0, (once["start"] == "base").to_numpy()],
        ["relearn", "unlearn", "base"],
        "finetune",
    )
    by_stage = once.assign(kind=kind).groupby("stage", observed=True)
    of = {"kind": ("kind", "first"), "train": ("train_seconds", "max"), "ask": ("evaluation_seconds", "sum")}
    return by_stage.agg(**of)


def _provenance(source: Source, words: str) -> None:
    recorded = source.content.get("provenance", {})
    whole = _times(source)[["train", "ask"]].sum()
    rest = words
    shared = re.match(
        r"Steps shared: ([\d,]+) training steps and ([\d,]+) evaluations were made, where running each of the ([\d,]+) "
        r"cells alone would take ([\d,]+) steps and ([\d,]+) evaluations\.",
        rest,
    )
    if shared:
        planned = source.truth.planned
        alone = sum(int(row["train_steps_alone"]) for row in planned)
        expected = (recorded["train_steps"], recorded["evaluations"], len(planned), alone, len(planned))
        for shown, value in zip(shared.groups(), expected, strict=True):
            Same.text(shown, value, words)
        return
    wall = re.match(r"Wall time of all runs: (.*?)\. ", rest)
    if wall:
        _duration(wall[1], recorded["wall_seconds"])
        rest = rest[wall.end() :]
    took = re.fullmatch(r"Stages took (.*?), (\d+)% of it evaluation\. No stage asked for a GPU\.", rest)
    assert took, words
    _duration(took[1], whole.sum())
    Same.number(took[2], 100 * whole["ask"] / max(whole.sum(), 1e-9), words)


def _duration(shown: str, seconds: float) -> None:
    number, unit = shown.split()
    Same.number(number, seconds / {"s": 1, "min": 60, "h": 3600}[unit], shown)


def _where_time_went(source: Source, table: Table) -> None:
    if not table.caption.startswith("Where the time went"):
        assert table.caption == "How it was run", table.caption  # as it was recorded
        return
    times = _times(source)
    whole = times[["train", "ask"]].sum().sum()
    assert {row[0] for row in table.rows} == set(times["kind"])
    for kind, stages, train, ask, share in table.rows:
        mine = times[times["kind"] == kind]
        Same.text(stages, len(mine), kind)
        Same.number(train, mine["train"].sum(), kind)
        Same.number(ask, mine["ask"].sum(), kind)
        Same.number(share, 100 * mine[["train", "ask"]].sum().sum() / whole if whole else np.nan, kind)


PLACE = ("scenario", "model", "method", "start", "repetitions", "depth", "corpus", "relearn_steps", "seed")
TABLES: dict[str, Callable[[Source, Table], None]] = {"lacking": _missing, "provenance": _where_time_went}
"""Those that the page alone has."""
WORDS: dict[str, Callable[[Source, str], None]] = {
    "flow": _flow,
    "verdicts": _only("near 0 or 100%", "above 0", "below 0", "whether 0 is", "10 points of 0", "80% of"),
    "curves": _curves,
    "paper": _paper,
    "cells": _of_cells,
    "gallery": _gallery,
    "lacking": _lacking,
    "provenance": _provenance,
}


def check_together(sources: dict[str, Source], section: Section) -> None:
    """Several studies side by side: the flow of each model and method, and how much of each is there."""
    (table,) = section.tables
    names = [name for name, _ in table.columns]
    for values in table.rows:
        row = Line(zip(names, map(str, values), strict=True))
        source = sources[row["study"]]
        whole = len(source.truth.planned)
        Same.text(row["cells"], f"{cells_there(source):,} of {whole:,} cells", row)
        assert row["scenario"] == source.truth.scenario, row
        flow(source, [row])
    pairs = {(name, each.model, each.method) for name in sources for each in sources[name].truth.relearnings}
    assert {(row[0], row[2], row[3]) for row in table.rows} == pairs


def check_prediction(sources: dict[str, Source], section: Section) -> None:
    """The table of studies that are left out in turn."""
    (table,) = section.tables
    rows = [
        Line(joined(dict(zip([name for name, _ in table.columns], map(str, values), strict=True))))
        for values in table.rows
    ]
    check_page(sources, rows)
