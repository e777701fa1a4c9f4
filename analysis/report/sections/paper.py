"""Beside the paper: its numbers and claims against this study's, with what was run here and what there."""

from typing import Any

import pandas as pd
from markupsafe import Markup

from analysis.measures.recovery.before_and_after import Rate
from analysis.paper.experiments import experiments, number_parts
from analysis.paper.repetitions import repetitions_table
from analysis.report.elements import Section, Table, percent, table_of, with_interval
from analysis.report.measured_study import MeasuredStudy
from study.results.attack_words import attack_words


def beside_paper(study: MeasuredStudy) -> Section | None:
    """The paper's experiment that this scenario is; None where it is none, as of attacks that vary, or has no cell."""
    corpora = study.flow["corpus"].unique()
    if study.cells.empty or (
        len(corpora) and all(attack_words(str(corpus)) != str(corpus) for corpus in corpora)
    ):
        return None
    rows = experiments(study).to_dict("records")
    if not rows:
        return None
    repetitions = repetitions_table(study.flow).to_dict("records")
    claims = [row for row in rows if row["paper"] == "holds"]
    numbers = [row for row in rows if row["paper"] != "holds"]
    made = ((_numbers, numbers), (_claims, claims), (_repetitions, repetitions))
    tables = [table(mine) for table, mine in made if mine]
    words = (f"What was run: {rows[0]['ran']}. Ours is of another model and scale, and replicates nothing.",)
    return Section("paper", "Beside the paper", words, tables=tuple(tables))


def _numbers(rows: list[dict[Any, Any]]) -> Table:
    made = [
        {
            **_whose(row, rows),
            "what": str(row["what"]).removeprefix(f"{_whose(row, rows).get('method', '')}, "),
            **_number("before", row, "before"),
            **_number("after", row, "ours"),
            "before, paper": _said(row["paper_before"]),
            "after, paper": _said(row["paper"]),
            "known from": _said(row["evidence"]),
            "remark": _said(row["word"], ""),
        }
        for row in rows
    ]
    columns = {name: name.startswith(("before", "after")) and "paper" not in name for name in made[0]}
    return table_of(
        columns,
        made,
        f"Section {rows[0]['experiment']}: the paper's numbers beside ours, {HOW}, each at its last step",
    )


def _claims(rows: list[dict[Any, Any]]) -> Table:
    made = [
        {
            **_whose(row, rows),
            "claim of the paper": str(row["what"]),
            "holds here": _holds(row["holds"]),
            **_number("ours", row, "ours"),
            "known from": _said(row["evidence"]),
            "remark": _said(row["word"], ""),
        }
        for row in rows
    ]
    return table_of(
        {name: name.startswith("ours") for name in made[0]},
        made,
        f"Section {rows[0]['experiment']}: the paper's claims beside ours, {HOW}",
    )


HOW = "with 95% over seeds (of one seed over its queries); over all benign relearnings that count"


def _whose(row: dict[Any, Any], rows: list[dict[Any, Any]]) -> dict[str, Any]:
    return {name: row[name] for name in ("model", "method") if len({each[name] for each in rows}) > 1}


def _number(name: str, row: dict[Any, Any], of: str) -> dict[str, str]:
    *numbers, unit = number_parts(row, of)
    return with_interval(name, *(f"{each}{unit}" if each else "–" for each in numbers))


def _rate(name: str, rate: Rate) -> dict[str, str]:
    return with_interval(name, *(percent(100 * each) for each in (rate.value, rate.low, rate.high)))


def _said(value: Any, nothing: str = "–") -> str:
    return nothing if value is None or pd.isna(value) or value == "" else str(value)


def _holds(holds: Any) -> Markup:
    if holds is None or pd.isna(holds):
        return Markup("cannot be said")
    return Markup('<span class="{0}">{0}</span>').format("yes" if holds else "no")


def _repetitions(rows: list[dict[Any, Any]]) -> Table:
    made = [
        {
            **_whose(row, rows),
            "repetitions": int(row["repetitions"]),
            **_rate("original", row["original"]),
            **_rate("unlearned", row["unlearned"]),
            **_rate("relearned", row["relearned"]),
            "cells": row["cells"],
            "left out: not known": row["not_known"],
            "left out: not forgotten": row["not_forgotten"],
            "unlearned, paper": _said(row["paper_unlearned"]),
            "relearned, paper": _said(row["paper_relearned"]),
        }
        for row in rows
    ]
    return table_of(
        {name: name not in ("model", "method") for name in made[0]},
        made,
        "Relearned on prefix to the last step, over the relearnings that count: attack success rates, with 95% over "
        "seeds (of one seed over its queries)",
    )
