"""The tables of docs/RESULTS.md, in Markdown, each a function of a study on record and of the words of its mark."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.charts.chart import Chart
from analysis.charts.controls import controls
from analysis.charts.curves import curves
from analysis.charts.heatmaps import heatmaps
from analysis.charts.methods import methods as method_charts
from analysis.charts.pooled import pooled_rows
from analysis.measures.comparisons import compare, compare_at_last
from analysis.measures.predictors import predictors
from analysis.measures.recovery.before_and_after import depth_table
from analysis.measures.recovery.flow import STAGES, flow_line
from analysis.measures.recovery.verdicts import in_words
from analysis.measures.surface import select
from analysis.paper.experiments import experiments, number_text
from analysis.paper.published import PAPER
from analysis.paper.repetitions import repetitions_table
from analysis.reading.studies import Studies
from analysis.reading.study_frames import Study
from analysis.report.access import access_section
from analysis.report.findings import sentences
from analysis.report.measured_study import MeasuredStudy
from analysis.report.page import markdown_table
from analysis.statistics.rates import rate_interval
from study.errors import SpecError
from study.results.headline import HEADLINES, Headline
from study.results.schema import COORDINATES, COUNTS, SPLITS

SAID = {True: "yes", False: "no", None: "cannot be said"}


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table of Markdown; a note where it would have no row."""
    if not rows:
        return "No cell yet.\n"
    return markdown_table(list(rows[0]), (map(str, row.values()) for row in rows))


def run(study: Study) -> str:
    """How much of it there is, and what it took."""
    cells = study.cells.drop_duplicates(["stage", "stage_step"])
    ends = cells.sort_values("stage_step").groupby("stage").last()
    took = float(ends["train_seconds"].sum() + cells["evaluation_seconds"].sum())
    steps = int(ends["stage_step"].sum())
    partial = "" if not len(study.missing) else " **In part: what is missing is missing, and not 0.**"
    alone = study.train_steps_alone
    factor = f", {alone / steps:.1f} times as many" if alone and steps and not len(study.missing) else ""
    one_by_one = "" if not alone else f"; all planned cells one by one would take {alone:,} steps{factor}"
    return (
        f"{study.summary()}.{partial} {len(ends)} stages with {steps:,} training steps and {len(cells):,} "
        f"evaluations{one_by_one}. The stages' own time is {_duration(took)}.\n"
        f"\nThe command was `{study.content['provenance']['command']}`.\n"
    )


def answer(study: MeasuredStudy) -> str:
    """The answer in sentences."""
    return "".join(f"- {sentence}\n" for sentence in sentences(study))


def repetitions(study: MeasuredStudy) -> str:
    """Relearned ASR by repetitions, beside the paper's."""
    rows = [
        {
            "repetitions": row["repetitions"],
            "original ASR, here": row["original"],
            "unlearned ASR, here": row["unlearned"],
            "relearned ASR, here": row["relearned"],
            "cells": row["cells"],
            "not known": row["not_known"],
            "not forgotten": row["not_forgotten"],
            "unlearned, paper": row["paper_unlearned"] or "–",
            "relearned, paper": row["paper_relearned"] or "–",
        }
        for row in repetitions_table(study.flow).to_dict("records")
    ]
    return f"Paper: {PAPER}.\n\n{markdown(rows)}"


def depths(study: MeasuredStudy) -> str:
    """By depth, before and after relearning."""
    return markdown(depth_table(study.flow))


def claims(study: Study) -> str:
    """The paper's claims, and what the rows say."""
    rows = experiments(study)
    return markdown(
        [
            {
                "claim": row["what"],
                "holds here": SAID[None if row["holds"] is None else bool(row["holds"])],
                "found (95%)": number_text(row, "ours"),
                "from": row["word"],
                "known from": row["evidence"],
            }
            for row in rows[rows["paper"] == "holds"].to_dict("records")
        ]
    )


def steps(study: Study, metric: str = "", split: str = "forget") -> str:
    """One metric of each trajectory by relearn steps, seeds pooled; with its interval where it is a count.

    Args:
        metric: the headline's where it is not named.
        split: forget or retain.
    """
    headline = _headline(study, metric)
    if split not in SPLITS:
        raise SpecError(f"split {split}: expected one of {', '.join(SPLITS)}")
    planned = study.planned[study.planned["corpus"] != "none"]
    columns = sorted(planned["relearn_steps"].unique())
    named = [
        name
        for name in ("model", "start", "method", "repetitions", "depth", "corpus")
        if name in ("start", "depth", "corpus")
        or planned[name].astype(str).nunique() > (name == "method") + 1
    ]
    there = select(study.cells, headline.metric, split=split)
    alike = study.probes_per_title(split)
    made = []
    for values, _ in planned.groupby(named, observed=True):
        mine = there
        for name, value in zip(named, values, strict=True):
            mine = mine[mine[name] == value]
        line = {name: str(value) for name, value in zip(named, values, strict=True)}
        made.append({**line, **_along(mine, headline, columns, alike)})
    return markdown(made)


def reference(study: Study, metric: str = "") -> str:
    """The models that nobody relearned: the published one, and the finetuned one that is unlearned."""
    headline = _headline(study, metric)
    rows = select(study.cells, headline.metric)
    rows = rows[rows["corpus"] == "none"]
    alike = study.probes_per_title()
    return markdown(
        [
            {"start": start, "repetitions": count, headline.words: _entry(cells, headline, alike)}
            for (start, count), cells in rows.groupby(["start", "repetitions"], observed=True)
        ]
    )


def _gain(study: Study, headline: Headline, cell: Mapping[str, Any], last: int) -> str:
    """What comes back, with its interval over the probes (and seeds, where there are several)."""
    try:
        rows = study.scores(headline.metric, "forget", **cell)
        found = compare(rows, "relearn_steps", headline.metric, pairs=[(last, 0)]).iloc[0]
    except SpecError:
        return "–"
    return _with_interval(found, headline)


def _with_interval(row: "Mapping[Hashable, Any] | pd.Series[float]", headline: Headline) -> str:
    value, low, high = (headline.points(float(row[each])) for each in ("difference", "low", "high"))
    return f"{value:+z.0f}" if np.isnan(low) else f"{value:+z.0f} ({low:+z.0f} to {high:+z.0f})"


def methods(study: MeasuredStudy) -> str:
    """Each method where it has just forgotten: its shallowest depth that counts, and what comes back.

    Equal forgetting means: not above the limit of what counts as forgotten, and as near below it as the depths allow.
    Beside it stands what is kept of the original's retain score, before relearning and after.
    """
    headline = study.headline
    trajectory = [name for name in COORDINATES if name != "relearn_steps"]
    made = []
    for (method, corpus, seed), rows in study.flow.groupby(["method", "corpus", "seed"], sort=False):
        forgotten = rows[rows["counts"]].sort_values("depth")
        line = {"method": method, "corpus": corpus, "seed": seed}
        if not len(forgotten):
            nothing = dict.fromkeys(("forgotten to", "comes back to", "gain (95%)", "retain kept"), "–")
            made.append({**line, "depth": "never", **nothing})
            continue
        first = forgotten.iloc[0]
        cell = {name: first[name] for name in trajectory}
        kept = [first[name] / first["retain_original"] for name in ("retain_before", "retain")]
        made.append(
            {
                **line,
                "depth": first["depth"],
                "forgotten to": f"{100 * first['before']:.0f}%",
                "comes back to": f"{100 * first['value']:.0f}%",
                "gain (95%)": _gain(study, headline, cell, int(first["relearn_steps"])),
                "retain kept": " → ".join(
                    "–" if np.isnan(value) else f"{100 * value:.0f}%" for value in kept
                ),
            }
        )
    return markdown(made)


def flow(study: MeasuredStudy) -> str:
    """The flow of the benign relearnings, for each model, method and repetition count, over seeds."""
    benign = study.flow[study.flow["benign"]]
    if benign.empty:
        return markdown([])
    return markdown(
        [
            {
                **{name: row[name] for name in ("model", "method", "repetitions")},
                **{name: row[name] for name in ("relearnings", *STAGES)},
                "recovered, intact or not": row["any_recovered"],
                "at the best step": row["any_recovered_at_best"],
            }
            for row in flow_line(benign, ["model", "method", "repetitions"]).to_dict("records")
        ]
    )


def verdicts(study: MeasuredStudy) -> str:
    """What can be said of the relearnings that count."""
    return markdown(
        [
            {
                "statement": row["statement"],
                "verdict": in_words(row),
                "pairs": row["pairs"],
                "over": row["over"],
            }
            for row in study.verdicts.to_dict("records")
        ]
    )


def differences(study: Study, axis: str, metric: str = "") -> str:
    """What the values of an axis give at the last step that both have, each against each; unlearned models, by depth.

    Args:
        axis: ``corpus`` or ``method``.
        metric: the headline's where it is not named.
    """
    headline = _headline(study, metric)
    found = compare_at_last(study.scores(headline.metric, start="unlearned"), axis, headline.metric)
    settings = [name for name in COORDINATES if name in found]
    if found["relearn_steps"].nunique() == 1:
        settings.remove("relearn_steps")
    tested = bool(found["p"].notna().any())
    return markdown(
        [
            {
                **{name: row[name] for name in settings},
                "one": row["one"],
                "other": row["other"],
                "one − other, points (95%)": _with_interval(row, headline),
                **({"p (Holm)": _p(row["p_adjusted"])} if tested else {}),
            }
            for row in found.to_dict("records")
        ]
    )


def foreseen(studies: Studies) -> str:
    """How well each study's recovery is predicted from the others, in percent of its variance."""
    found = predictors(studies)
    rows = found[found["held_out"] != "all"]
    columns = [str(each) for each in rows["held_out"].unique()]
    return markdown(
        [
            {
                "relearnings": among,
                "predicted from": str(name).replace("_", " "),
                **{each: _predicted(of[of["held_out"] == each].to_dict("records")) for each in columns},
            }
            for (among, name), of in rows.groupby(["among", "predictor"], sort=False)
        ]
    )


def _predicted(rows: Sequence[Mapping[Hashable, Any]]) -> str:
    if not rows or np.isnan(rows[0]["r2"]):
        return "–"
    rank = "" if np.isnan(rows[0]["rank"]) else f", rank {rows[0]['rank']:.2f}"
    return f"{100 * rows[0]['r2']:z.0f}% of {rows[0]['trajectories']}{rank}"


def _p(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2g}"


def charts(study: MeasuredStudy, *kinds: str) -> list[Chart]:
    """The pictures of some kinds, each one of ``CHARTS``."""
    unknown = [kind for kind in kinds if kind not in CHARTS]
    if unknown or not kinds:
        raise SpecError(f"pictures {' '.join(unknown)}: expected some of {', '.join(CHARTS)}")
    return [chart for kind in kinds for chart in CHARTS[kind](study)]


def curves_of(study: Study, metric: str) -> list[Chart]:
    """The curves of another metric than the headline's."""
    rows = pooled_rows(study, _headline(study, metric))
    return [replace(each, name=f"{each.name}-{metric}") for each in curves(rows)]


CHARTS: Mapping[str, Callable[[MeasuredStudy], Iterable[Chart]]] = {
    "heatmap": lambda study: heatmaps(study, pooled_rows(study)),
    "curves": lambda study: curves(pooled_rows(study)),
    "controls": lambda study: controls(pooled_rows(study)),
    "methods": lambda study: method_charts(study.headline, study.flow),
}

PICTURES: Mapping[str, Callable[..., list[Chart]]] = {"pictures": charts, "curves_of": curves_of}


def links(drawn: Iterable[Chart], folder: str) -> str:
    """Pictures beside the cells of a study."""
    return "\n".join(f"![{each.caption}]({folder}/{each.name}.svg)\n" for each in drawn)


TABLES: Mapping[str, Callable[..., str]] = {
    "run": run,
    "answer": answer,
    "repetitions": repetitions,
    "depths": depths,
    "flow": flow,
    "verdicts": verdicts,
    "claims": claims,
    "steps": steps,
    "reference": reference,
    "methods": methods,
    "differences": differences,
}


def access(studies: Studies) -> str:
    """What attackers through an API lose against the one with the weights, as in a report; a table for each service."""
    found = access_section(studies.parts, [part.name for part in studies.parts])
    if found is None:
        return markdown([])
    return "\n".join(
        f"{words}\n\n{markdown_table([name for name, _ in table.columns], table.rows)}\n{table.caption}\n"
        for words, table in zip(found.words[1:], found.tables, strict=True)
    )


JOINT_TABLES: Mapping[str, Callable[..., str]] = {"foreseen": foreseen, "access": access}
"""Of several studies."""


def _headline(study: Study, metric: str) -> Headline:
    """A known headline for the metric, so that percent means the same everywhere; else one of plain numbers."""
    if not metric:
        return study.headline
    known = [each for of in HEADLINES.values() for each in of if each.metric == metric]
    full = 1.0 if metric in COUNTS else float("nan")
    return known[0] if known else Headline(metric, metric, full, float("nan"), "whole")


def _along(rows: pd.DataFrame, headline: Headline, columns: Iterable[int], alike: float) -> dict[str, str]:
    return {
        str(step): _entry(rows[rows["relearn_steps"] == step], headline, alike) if len(rows) else "–"
        for step in columns
    }


def _entry(rows: pd.DataFrame, headline: Headline, alike: float) -> str:
    """Seeds pooled: a rate with its interval, or a mean with the lowest and highest seed."""
    if not len(rows):
        return "–"
    if rows["n"].notna().all():
        by_seed = rows.groupby("seed")[["k", "n"]].sum().to_numpy(float)
        low, high = rate_interval(by_seed[:, 0], by_seed[:, 1], alike=alike)
        return f"{100 * rows['k'].sum() / rows['n'].sum():.0f}% ({100 * low:.0f}–{100 * high:.0f})"
    spread = [_number(value, headline) for value in (rows["value"].min(), rows["value"].max())]
    mean = _number(float(rows["value"].mean()), headline)
    return mean if spread[0] == spread[1] else f"{mean} ({spread[0]}–{spread[1]})"


def _number(value: float, headline: Headline) -> str:
    if np.isnan(value):
        return "–"
    return f"{value:.2f}" if np.isnan(headline.full) else f"{headline.percent(value):.0f}%"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min" if minutes else f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60} min"
