"""One study's chapter: its sections in the order of a reader's questions, and what cannot be shown, with the reason."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pandas as pd

from analysis.charts import pictures
from analysis.charts.chart import Chart
from analysis.charts.ladder import ladder_rows
from analysis.measures.before_and_after import depth_table
from analysis.measures.surface import select
from analysis.paper.published import PAPER
from analysis.paper.repetitions import repetitions_table
from analysis.reading.study_frames import Study
from analysis.report.all_cells import all_cells
from analysis.report.cached_study import ReadOnce
from analysis.report.drivers_section import driving
from analysis.report.findings import sentences
from analysis.report.gallery import gallery
from analysis.report.paper_section import beside_paper
from analysis.report.provenance import provenance
from analysis.report.search_section import search_section
from analysis.report.sections import Chapter, Section, Table, percent, table_of
from analysis.report.trajectory_tables import difference_table, trajectory_table

LISTED = 40


def chapter(study: Study, name: str, anchor: str) -> Chapter:
    """Everything the report says of one study, under a name that no other in the report has."""
    study = ReadOnce.of(study)
    charts = list(pictures(study, study.by_answers))
    facts = _facts(study)
    found = [
        search_section(study.folder) if study.place.filesystem is None else None,
        _drawn("surface", "The surface", charts, _depths(study, facts["depths"])),
        _drawn("frontier", "The frontier", charts),
        _along(study, charts),
        driving(study),
        _drawn("controls", "The controls", charts, _controls(study)),
        _drawn("methods", "Methods compared", charts, _differences(study, "method")),
        _drawn("ladder", "The corpus ladder", charts, _ladder(study), _differences(study, "corpus")),
        gallery(study),
        beside_paper(study, facts["repetitions"]),
        _lacking(study),
        all_cells(study),
        provenance(study),
    ]
    return Chapter(
        anchor,
        name,
        str(study.content["spec"].get("question", "")),
        facts["sentences"],
        _state(study),
        [section for section in found if section is not None],
        _absent(study, found),
        facts,
    )


def _facts(study: Study) -> dict[str, Any]:
    """What ``results.md`` is made of."""
    return {
        "study": study,
        "name": study.content["spec"]["name"],
        "question": study.content["spec"].get("question", ""),
        "summary": study.summary(),
        "sentences": sentences(study),
        "repetitions": repetitions_table(study).to_dict("records"),
        "depths": depth_table(study),
        "paper": PAPER,
        "headline": study.headline,
        "models": ", ".join(study.models),
    }


def _state(study: Study) -> str:
    missing = len(study.missing)
    kept = f" {missing:,} cells are missing and shown as missing, never as 0." if missing else ""
    seeds = study.cells["seed"].nunique()
    alone = " One seed was run, so nothing is said about others." if seeds == 1 else ""
    return f"{study.summary()}. Model: {', '.join(study.models)}.{kept}{alone}"


def _drawn(anchor: str, title: str, charts: list[Chart], *tables: Table | None) -> Section | None:
    mine = tuple(chart for chart in charts if chart.heading == title)
    kept = tuple(table for table in tables if table is not None)
    return Section(anchor, title, charts=mine, tables=kept) if mine or kept else None


def _along(study: ReadOnce, charts: list[Chart]) -> Section | None:
    """The curves, and what each trajectory measures."""
    found = trajectory_table(study) if study.by_answers else None
    section = _drawn("curves", "Along the relearning", charts, found[1] if found else None)
    return replace(section, words=found[0]) if section is not None and found is not None else section


def _differences(study: ReadOnce, axis: str) -> Table | None:
    return difference_table(study, axis) if study.by_answers else None


def _depths(study: Study, depths: list[dict[str, str]]) -> Table | None:
    if not depths:
        return None
    columns = {name: name == "depth" for name in depths[0]}
    caption = (
        f"{study.headline.words}, unlearned → relearned to the last step, every trajectory; mean over seeds, in "
        "brackets the lowest and the highest seed"
    )
    return table_of(columns, [{name: line.get(name, "–") for name in columns} for line in depths], caption)


def _controls(study: Study) -> Table | None:
    """A line per control and corpus: where it begins, and the most it reaches."""
    rows = select(study.cells, study.headline.metric, start=["base", "original", "never_learned"])
    rows = rows.assign(start=rows["start"].cat.remove_unused_categories())
    made = []
    for (start, corpus, repetitions), cells in rows.groupby(
        ["start", "corpus", "repetitions"], observed=True
    ):
        first = cells[cells["relearn_steps"] == 0]["value"]
        made.append(
            {
                "start": str(start).replace("_", " "),
                "corpus": str(corpus),
                "repetitions": int(str(repetitions)),
                "seeds": int(cells["seed"].nunique()),
                "before relearning": percent(
                    study.headline.percent(first.mean()) if len(first) else float("nan")
                ),
                "most in any cell": percent(study.headline.percent(cells["value"].max())),
            }
        )
    if not made:
        return None
    columns = {name: not isinstance(made[0][name], str) or "re" in name[-10:] for name in made[0]}
    columns["before relearning"] = columns["most in any cell"] = True
    return table_of(columns, made, "The controls in numbers")


def _ladder(study: Study) -> Table | None:
    rows = ladder_rows(study)
    if rows.empty:
        return None
    made = [
        {
            "corpus": row["corpus"],
            "repetitions": row["repetitions"],
            "benign": "yes" if row["benign"] else "no",
            "words": row["words"],
            "shared words": percent(100 * row["lexical_overlap"]),
            "edit distance": f"{row['edit_distance']:.2f}",
            "longest shared run, words": row["shared_run"],
            "relearned, mean": percent(row["mean"]),
            "lowest": percent(row["lowest"]),
            "highest": percent(row["highest"]),
            "trajectories": row["trajectories"],
            "never learned": percent(row["control"]),
        }
        for row in rows.to_dict("records")
    ]
    columns = {name: name not in ("corpus", "benign") for name in made[0]}
    return table_of(columns, made, "Each corpus as the plan recorded it, and what it brings back")


def _lacking(study: Study) -> Section | None:
    """What failed, and which cells have no rows."""
    missing = study.missing
    if not study.failures and missing.empty:
        return None
    words = [f"{failure['label']}: {failure['cause']}: {failure['message']}" for failure in study.failures]
    tables: tuple[Table, ...] = ()
    if len(missing):
        shown = missing.head(LISTED)
        more = f"; the first {len(shown)}" if len(missing) > len(shown) else ""
        columns = {
            name: not isinstance(shown[name].dtype, pd.CategoricalDtype) for name in shown if name != "benign"
        }
        rows = shown.astype(dict.fromkeys(columns, str)).to_dict("records")
        tables = (table_of(columns, rows, f"{len(missing):,} cells have no rows{more}"),)
    return Section("lacking", "What failed, what is missing", tuple(words), tables=tables)


def _absent(study: ReadOnce, found: Iterable[Section | None]) -> list[str]:
    there = {section.anchor for section in found if section is not None}
    cells = study.cells
    reasons = {
        "surface": "no unlearned model was relearned and scored",
        "frontier": "half of the queries are nowhere answered after relearning an unlearned model, or too few steps "
        "were asked",
        "curves": "no unlearned model was relearned and scored",
        "drivers": "no axis varies, or every relearned answer is alike",
        "controls": "no cell starts from the original model, or from one that never learned",
        "methods": "fewer than two methods have a trajectory that counts as unlearned",
        "ladder": "fewer than two corpora were relearned from a model that counts as unlearned, or there is no "
        "corpora.parquet",
        "gallery": "nothing came back in a trajectory that counts as unlearned, or the probes are not there",
        "cells": "no cell has been accepted yet"
        if cells.empty
        else "nothing is scored under the headline metric",
    }
    titles = {
        "surface": "The surface",
        "frontier": "The frontier",
        "curves": "Curves along the relearning",
        "drivers": "What drives it",
        "controls": "Controls",
        "methods": "A comparison of methods",
        "ladder": "The corpus ladder",
        "gallery": "A gallery",
        "cells": "A table of cells",
    }
    answers = (
        []
        if study.by_answers
        else [
            f"Measures of each trajectory and paired differences: {study.why_not}. The frontier's band "
            "is over seeds alone."
        ]
    )
    return answers + [
        f"{titles[anchor]}: {reason}." for anchor, reason in reasons.items() if anchor not in there
    ]
