"""Beside the paper: its numbers and laws against this study's, with what was run here and what there."""

from typing import Any

import pandas as pd
from markupsafe import Markup

from analysis.paper.experiments import experiments
from analysis.paper.laws import Law
from analysis.paper.published import PAPER
from analysis.reading.study_frames import Study
from analysis.report.sections import Section, Table, table_of


def beside_paper(study: Study, repetitions: list[dict[str, Any]], laws: list[Law]) -> Section:
    """The paper's experiment that this scenario is, as one table; and laws over all cells of the study.

    Args:
        repetitions: rows of ``ends.repetitions_table``.
        laws: of ``analysis.paper.laws``.
    """
    rows = experiments(study).to_dict("records")
    tables = [_experiment(rows)] if rows else []
    if repetitions:
        tables.append(_repetitions(repetitions))
    tables.append(
        Table(
            (("statement", False), ("holds", False), ("found", False)),
            [(law.statement, _holds(law.holds), law.found) for law in laws],
            "The same laws over all unlearned cells of this study, by counting",
        )
    )
    ran = str(rows[0]["ran"]) if rows else f"here {', '.join(study.models)}; the paper: {PAPER}"
    words = (f"What was run: {ran}. Ours is of another model and scale, and replicates nothing.",)
    return Section("paper", "Beside the paper", words, tables=tuple(tables))


def _experiment(rows: list[dict[Any, Any]]) -> Table:
    made = [
        {
            "what": str(row["what"]),
            "before, here": _ours(row, "before"),
            "after, here": _ours(row, "ours"),
            "before, paper": _said(row["paper_before"]),
            "after, paper": _said(row["paper"]),
            "known from": _said(row["evidence"]),
            "holds here": _holds(row["holds"]) if row["paper"] == "holds" else "",
            "remark": _said(row["word"], ""),
        }
        for row in rows
    ]
    columns = {name: name.endswith("here") and name != "holds here" for name in made[0]}
    return table_of(
        columns,
        made,
        f"{rows[0]['experiment']}: numbers and laws of the paper beside ours, in brackets 95% over seeds and queries; "
        "at the last relearn step, the first benign corpus and the shallowest depth that counts as unlearned",
    )


def _ours(row: dict[Any, Any], name: str) -> str:
    value = row[name]
    if pd.isna(value):
        return "–"
    low, high = (row["low"], row["high"]) if name == "ours" else (row[f"{name}_low"], row[f"{name}_high"])
    scale, unit, digits = {"rate": (100, "%", 0), "points": (100, " points", 0)}.get(
        str(row["unit"]), (1, "", 2)
    )
    ends = (
        "" if pd.isna(low) or pd.isna(high) else f" ({scale * low:.{digits}f} to {scale * high:.{digits}f})"
    )
    return f"{scale * value:.{digits}f}{unit}{ends}"


def _said(value: Any, nothing: str = "–") -> str:
    return nothing if value is None or pd.isna(value) or value == "" else str(value)


def _holds(holds: Any) -> Markup:
    if holds is None or pd.isna(holds):
        return Markup("cannot be said")
    return Markup('<span class="{0}">{0}</span>').format("yes" if holds else "no")


def _repetitions(rows: list[dict[str, Any]]) -> Table:
    made = [
        {
            "repetitions": int(row["repetitions"]),
            "unlearned ASR, here": str(row["unlearned"]),
            "relearned ASR, here": str(row["relearned"]),
            "cells": row["cells"],
            "left out: not unlearned": row["left_out"],
            "unlearned, paper": _said(row["paper_unlearned"]),
            "relearned, paper": _said(row["paper_relearned"]),
        }
        for row in rows
    ]
    return table_of(
        dict.fromkeys(made[0], True),
        made,
        "Relearned on prefix to the last step, over the trajectories whose unlearned ASR is at most 2%; in brackets "
        "a 95% interval over seeds and queries",
    )
