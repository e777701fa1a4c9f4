"""Each of the paper's five experiments: our number with its interval, its number, and whether its claims hold here.

What was run is named on every row, and none of it is a replication: the paper's models have seven billion weights.
Our number is the mean over all relearnings that count (``analysis.measures.recovery.flow``) of one model and one
method: nothing is chosen among them, and no two models are put together.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from analysis.measures.recovery.before_and_after import rate_over_seeds
from analysis.measures.recovery.flow import flow
from analysis.measures.recovery.net_recovery import net_recovery, rated_cells
from analysis.measures.recovery.statements import pooled_values
from analysis.measures.recovery.verdicts import counted_steps
from analysis.paper.claims import Cells, Verdict, judge
from analysis.paper.published import EXPERIMENTS, Experiment, Reported
from analysis.reading.given import a_study
from analysis.reading.studies import Studies
from analysis.reading.study_frames import Study
from study.errors import counted
from study.results.headline import Headline

COLUMNS = (
    "study experiment model method what before before_low before_high ours low high unit seeds paper_before "
    "paper evidence "
    "holds word ran"
).split()
EMBEDDED = "a model of about a million weights that this project makes"


def experiments(study: Study | Studies) -> pd.DataFrame:
    """Our numbers beside the paper's.

    Returns:
        For each study whose scenario is one of the five, and each of its models and methods, a row per number that the
        paper reports and per claim it makes: ``before`` and ``ours``, with 95% intervals over seeds (``unit``:
        ``rate``, ``points`` between two
        rates, or the metric's own); ``paper_before``, ``paper`` and ``evidence``; ``holds`` (for claims; None where it
        cannot be told); ``word``, why there is no number or no verdict; ``ran``, what was run here and what there.
        Empty where no study is of a scenario that the paper has.
    """
    rows: list[dict[str, object]] = []
    for part in a_study(study, "experiments").parts:
        experiment = EXPERIMENTS.get(str(part.content["axes"]["scenario"][0]))
        if experiment is not None:
            rows += _of_one(part, experiment)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def number_parts(row: Mapping[Any, Any], name: str) -> tuple[str, str, str, str]:
    """``ours`` or ``before`` of a row: the number, the ends of its interval, and the unit of all; empty if none."""
    value = row[name]
    if pd.isna(value):
        return "", "", "", ""
    low, high = (row["low"], row["high"]) if name == "ours" else (row[f"{name}_low"], row[f"{name}_high"])
    units = {"rate": (100, "%", 0), "points": (100, " points", 0)}
    scale, unit, digits = units.get(str(row["unit"]), (1, "", 2))
    shown = ["" if pd.isna(each) else f"{round(scale * each, 9):z.{digits}f}" for each in (value, low, high)]
    return shown[0], shown[1], shown[2], unit


def number_text(row: Mapping[Any, Any], name: str) -> str:
    """A number of ``number_parts`` with its interval as one text; a dash where there is none."""
    value, low, high, unit = number_parts(row, name)
    if not value:
        return "–"
    return f"{value}{unit}{f' ({low} to {high})' if low and high else ''}"


def _of_one(study: Study, experiment: Experiment) -> Iterator[dict[str, object]]:
    steps = net_recovery(study)
    rows = flow(study, steps)
    counted = counted_steps(study, rows, steps)
    cells = rated_cells(study)
    never = cells[(cells["start"] == "never_learned") & (cells["depth"] == 0)]
    control = never[never["benign"] & (never["corpus"] != "none") & (never["relearn_steps"] > 0)]
    common = {"study": study.name, "experiment": experiment.title, "ran": _ran(study, experiment)}
    places = list(rows[["model", "method"]].drop_duplicates().itertuples(index=False, name=None))
    for model, method in places or [(model, "none") for model in study.models]:
        where = {**common, "model": model, "method": method}
        mine = rows[(rows["model"] == model) & (rows["method"] == method) & rows["benign"]]
        yield from ({**where, **row} for row in _numbers(study, experiment, mine))
        claimed = Cells(
            counted[(counted["model"] == model) & (counted["method"] == method)],
            control[control["model"] == model],
            study.planned.loc[study.planned["model"] == model, "seed"].nunique(),
        )
        for verdict in judge(list(experiment.claims), claimed):
            evidence = experiment.claims[verdict.claim]
            row = {"evidence": evidence, "paper": "holds", **_judged(verdict, study.headline)}
            yield {**where, **row, "what": f"{verdict.statement}{_whose(places, model, method)}"}


def _whose(places: list[tuple[str, str]], model: str, method: str) -> str:
    """Whom a row is about, where there are several."""
    return f" ({model}, {method})" if len(places) > 1 else ""


def _judged(verdict: Verdict, headline: Headline) -> dict[str, object]:
    """A claim's row; points are of a rate only."""
    least = headline.least if verdict.unit == "rate" else 0
    return {
        **{
            of: least + headline.span * each
            for of, each in zip(("ours", "low", "high"), verdict.interval, strict=True)
        },
        "unit": verdict.unit if headline.full == 1 else f"{headline.least:g} to {headline.full:g}",
        "seeds": verdict.seeds,
        "holds": verdict.holds,
        "word": verdict.words,
    }


def _ran(study: Study, experiment: Experiment) -> str:
    rows = study.cells
    methods = [
        str(each)
        for each in rows["method"].cat.categories
        if each != "none" and (rows["method"] == each).any()
    ]
    models = ", ".join(f"{name} ({EMBEDDED})" if name == "embedded" else name for name in study.models)
    seeds = rows["seed"].nunique()
    return (
        f"here {models}, {', '.join(methods) or 'nothing unlearned'}, {counted(seeds, 'seed')}, "
        f"{study.headline.words}; the paper: {experiment.model}"
    )


def _numbers(study: Study, experiment: Experiment, rows: pd.DataFrame) -> Iterator[dict[str, object]]:
    """The paper's numbers beside ours, of one model and method; those of a method that was run too are beside it."""
    method = str(rows["method"].iloc[0]).split("(")[0] if len(rows) else ""
    elsewhere = {str(each).split("(")[0] for each in study.cells["method"].unique()} - {method}
    reported_here = [each for each in experiment.reported if each.method not in elsewhere]
    chosen = [_cells(each, experiment, rows) for each in reported_here]
    kept = [part[part["counts"]] for _, part in chosen]
    before, after = ([rate_over_seeds(part, name) for part in kept] for name in ("before", "value"))
    least, span = study.headline.least, study.headline.span
    for at, reported in enumerate(reported_here):
        what, part = chosen[at]
        row: dict[str, object] = {
            "what": what,
            "paper_before": reported.before,
            "paper": reported.after,
            "evidence": reported.evidence,
            "unit": "rate" if span == 1 else f"{least:g} to {least + span:g}",
            "holds": None,
        }
        word = _why_not(study, experiment, part)
        if word:
            yield {**row, "word": word}
            continue
        seeds = "; one seed" if after[at].seeds == 1 else ""
        count = counted(len(kept[at]), "relearning")
        yield {
            **row,
            "before": least + span * before[at].value,
            "before_low": least + span * before[at].low,
            "before_high": least + span * before[at].high,
            "ours": least + span * after[at].value,
            "low": least + span * after[at].low,
            "high": least + span * after[at].high,
            "seeds": after[at].seeds,
            "word": f"{pooled_values(kept[at], 'repetitions', 'depth')}; {count}{seeds}",
        }


def _cells(reported: Reported, experiment: Experiment, rows: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """What a number of the paper's is about here, in words, and its relearnings."""
    first = rows["corpus"].iloc[0] if len(rows) else "none"
    corpus = reported.corpus or first
    part = rows[rows["corpus"] == corpus]
    counts = ""
    if experiment.title.endswith("names"):
        most = int(rows["repetitions"].max()) if len(rows) else 0
        count = reported.repetitions or most
        part, counts = part[part["repetitions"] == count], f", {count} repetitions"
    if reported.method is not None:
        part = part[part["method"].str.split("(").str[0] == reported.method]
    method = rows["method"].iloc[0] if len(rows) else "no method"
    asked = "" if reported.method in (None, str(method).split("(")[0]) else f" (there {reported.method})"
    return f"{method}{asked}, corpus {corpus}{counts}", part


def _why_not(study: Study, experiment: Experiment, part: pd.DataFrame) -> str:
    """Why there is no number of ours; empty where there is one."""
    if study.headline.metric != experiment.metric:
        return f"scored here by {study.headline.metric}, there by {experiment.metric}: not compared"
    if part.empty:
        return "not run here"
    if part["original"].isna().all():
        return "no original model was asked, so it cannot be said what was known"
    if not part["known"].fillna(False).any():
        return f"not known: the originals answer {100 * part['original'].mean():.0f}%"
    if not part["counts"].any():
        return "no depth at which a model that knew had forgotten"
    return ""
