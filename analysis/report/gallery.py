"""The gallery: one query along the trajectory that recovers most, what the model says after each number of steps."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from analysis.measures.before_and_after import relearned
from analysis.measures.surface import select
from analysis.reading.study_frames import Study
from analysis.report.sections import Section, Table
from analysis.report.trajectory_rows import rows_of
from study.results.schema import COUNTS

PLACE = ("scenario", "model", "method", "start", "repetitions", "depth", "corpus", "seed")


def gallery(study: Study) -> Section | None:
    """Chosen among the benign trajectories that were unlearned, and asked the query whose score rose most.

    None where nothing came back, or the probes are not there.
    """
    last = relearned(study)
    last = last[last["benign"] & last["was_unlearned"] & (last["value"] > 0)]
    if not len(last):
        return None
    best = last.sort_values("value", kind="stable").iloc[-1]
    along = _along(study, best)
    metric = _metric(study, along) if len(along) else None
    if metric is None:
        return None
    wide = along.pivot(index="probe", columns="relearn_steps", values=metric).astype(float)
    gained = (wide.iloc[:, -1] - wide.iloc[:, 0]).dropna()
    if not len(gained) or gained.max() <= 0:
        return None
    asked = along[along["probe"] == gained.idxmax()]
    first = asked.iloc[0]
    rows = [
        (f"{row['relearn_steps']}", _score(row[metric], metric), _marked(row))
        for row in asked.to_dict("records")
    ]
    rows += _references(study, best, str(first["probe"]), metric)
    where = (
        f"{best['method']}, corpus {best['corpus']}, r = {best['repetitions']}, depth {best['depth']}, seed "
        f"{best['seed']}"
    )
    words = (
        f"The benign trajectory that recovers most ({where}), and of its {len(gained)} queries the one whose score "
        "rises most: chosen to show what coming back looks like, not how often it does.",
        Markup('Asked: <q class="text">{}</q>').format(_shortened(str(first["prompt"]))),
        Markup('The answer that was to be forgotten: <q class="text">{}</q>').format(first["target"]),
    )
    counted = "answered" if metric in COUNTS else study.headline.words
    columns = (("relearn steps", True), (counted, True), ("the model goes on", False))
    return Section("gallery", "One query along one trajectory", words, tables=(Table(columns, rows),))


def _along(study: Study, best: "pd.Series[Any]") -> pd.DataFrame:
    rows = select(study.cells, study.headline.metric)
    for name in PLACE:
        if name != "corpus":
            rows = rows[rows[name] == best[name]]
    rows = rows[rows["corpus"].isin([best["corpus"], "none"])]
    place = {name: best[name] for name in PLACE}
    return rows_of(study, set(rows["stage"].astype(str)), **place)


def _metric(study: Study, along: pd.DataFrame) -> str | None:
    """Where a keyword is looked for, whether it is in the continuation says more of one answer."""
    for name in ("keyword_hit", study.headline.metric):
        if name in along and along[name].notna().any():
            return name
    return None


def _references(
    study: Study, best: "pd.Series[Any]", probe: str, metric: str
) -> list[tuple[str, str, Markup]]:
    """The same query to the original model, and to one that never learned after the same relearning."""
    kinds = (
        ("the original model", "original", "none", 0),
        ("never learned, same relearning", "never_learned", best["corpus"], int(best["relearn_steps"])),
    )
    found = []
    cells = select(study.cells, study.headline.metric)
    for label, start, corpus, steps in kinds:
        place = {
            "model": best["model"],
            "start": start,
            "repetitions": best["repetitions"],
            "corpus": corpus,
            "relearn_steps": steps,
            "seed": best["seed"],
        }
        rows = cells
        for name, value in place.items():
            rows = rows[rows[name] == value]
        if len(rows):
            asked = rows_of(study, set(rows["stage"].astype(str)), **place, probe=probe)
            found += [
                (label, _score(row[metric], metric), _marked(row)) for row in asked.head(1).to_dict("records")
            ]
    return found


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
