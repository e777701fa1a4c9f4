"""The gallery: one query along the trajectory that recovers most, what the model says after each number of steps."""

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup, escape

from analysis.reading.row_reader import read_rows
from analysis.reading.study_frames import WORDS
from analysis.report.elements import Section, Table
from analysis.report.measured_study import MeasuredStudy
from study.results.schema import COORDINATES, COUNTS


def gallery(study: MeasuredStudy) -> Section | None:
    """Chosen among the benign relearnings that count, and asked the query whose score rose most.

    None where nothing came back, or the probes or their texts are not there.
    """
    last = study.flow
    last = last[last["benign"] & last["counts"] & (last["value"] > 0)]
    if last.empty:
        return None
    best = last.sort_values("value", kind="stable").iloc[-1]
    probes = _probes(study, best)
    along = probes[probes["start"] == best["start"]].sort_values("relearn_steps", kind="stable")
    metric = _metric(study, along)
    if metric is None:
        return None
    wide = along.pivot(index="probe", columns="relearn_steps", values=metric).astype(float)
    gained = (wide.iloc[:, -1] - wide.iloc[:, 0]).dropna()
    if gained.empty or gained.max() <= 0:
        return None
    probe = gained.idxmax()
    asked = along[along["probe"] == probe]
    first = asked.iloc[0]
    if not (asked["completion"] != "").any():
        return None  # a study on record keeps scores without texts
    lines = [(f"{row['relearn_steps']}", row) for row in asked.to_dict("records")]
    for label, start in (
        ("the original model", "original"),
        ("never learned, same relearning", "never_learned"),
    ):
        answers = probes[(probes["start"] == start) & (probes["probe"] == probe)]
        lines += [(label, row) for row in answers.head(1).to_dict("records")]
    rows = [(label, _score(row[metric], metric), _marked(row)) for label, row in lines]
    trajectory = (
        f"{best['method']}, corpus {best['corpus']}, r = {best['repetitions']}, depth {best['depth']}, seed "
        f"{best['seed']}"
    )
    words = (
        f"The relearning that counts and answers most at its last step ({trajectory}), and of its {len(gained)} "
        "queries that have a score at either end the one whose score rises most: chosen to show what coming back "
        "looks like, not how often it happens.",
        Markup('Asked: <q class="text">{}</q>').format(_shortened(str(first["prompt"]))),
        Markup('The answer that was to be forgotten: <q class="text">{}</q>').format(first["target"]),
    )
    counted = "answered" if metric in COUNTS else study.headline.words
    columns = (("relearn steps", False), (counted, False), ("the model goes on", False))
    return Section(
        "gallery", "One query along one trajectory", words, tables=(Table(columns, rows, stacked=True),)
    )


def _probes(study: MeasuredStudy, best: "pd.Series[Any]") -> pd.DataFrame:
    """The forget probes, texts and all, of a trajectory and of its two references, read together.

    These are the original model, and the one that never learned after the same relearning.
    """
    cells = study.headline_cells
    world = ("scenario", "model", "repetitions", "seed")
    cells = cells[np.logical_and.reduce([cells[name] == best[name] for name in world])]
    start, corpus = cells["start"], cells["corpus"]
    alike = np.logical_and.reduce([cells[name] == best[name] for name in ("start", "method", "depth")])
    chosen = cells[
        (alike & (corpus == best["corpus"]))
        | ((start == "original") & (corpus == "none") & (cells["relearn_steps"] == 0))
        | (
            (start == "never_learned")
            & (cells["depth"] == 0)
            & (corpus == best["corpus"])
            & (cells["relearn_steps"] == best["relearn_steps"])
        )
    ]
    where = {name: [best[name]] for name in world} | {
        "split": ["forget"],
        "stage": list(chosen["stage"].unique()),
    }
    rows: pd.DataFrame = read_rows(study.location, "probes", where=where).to_pandas()
    return rows.merge(chosen[list(COORDINATES)].astype(dict.fromkeys(WORDS, str)), on=list(COORDINATES))


def _metric(study: MeasuredStudy, along: pd.DataFrame) -> str | None:
    """Of one answer, whether the keyword is in the continuation says more than whether it is anywhere."""
    for name in ("keyword_hit", study.headline.metric):
        if name in along and along[name].notna().any():
            return name
    return None


def _score(value: Any, metric: str) -> str:
    if value is None or value != value:
        return "–"
    if metric in COUNTS:
        return "yes" if value else "no"
    return f"{float(value):.2f}"


def _marked(row: Mapping[Any, Any]) -> Markup:
    """The completion, with its keywords marked; one that the model says at once, where it counts only there."""
    text = str(row["completion"])
    keywords = [word for word in json.loads(row["keywords"]) if word]
    if not keywords:
        return Markup('<span class="text">{}</span>').format(_shortened(text, 600))
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in keywords), re.IGNORECASE)
    parts, at = [], 0
    shown = _shortened(text, 600)
    for match in pattern.finditer(shown):
        if row["hit"] == "next" and shown[: match.start()].strip():
            break
        parts += [escape(shown[at : match.start()]), Markup("<mark>{}</mark>").format(match.group())]
        at = match.end()
    parts.append(escape(shown[at:]))
    return Markup('<span class="text">{}</span>').format(Markup("").join(parts))


def _shortened(text: str, most: int = 400) -> str:
    return text if len(text) <= most else f"{text[:most]} …"
