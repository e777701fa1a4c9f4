"""Each of the paper's five experiments: our number with its interval, its number, and whether its claims hold here.

What was run is named on every row, and none of it is a replication: the paper's models have seven billion weights.
Which cells our number is from is one rule for all: see ``analysis.paper.claim_cells``.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from analysis.paper.claim_cells import Chosen, ClaimCells
from analysis.paper.claims import CLAIMS, Verdict
from analysis.paper.published import EXPERIMENTS, Experiment, Reported
from analysis.reading.studies import Studies
from analysis.reading.study_frames import Study

COLUMNS = (
    "study experiment what before before_low before_high ours low high unit seeds paper_before paper evidence "
    "holds word ran"
).split()
EMBEDDED = "a model of about a million weights that this project makes"


def experiments(study: Study | Studies) -> pd.DataFrame:
    """Our numbers beside the paper's.

    Returns:
        A row per number that the paper reports and per claim it makes, of each study whose scenario is one of the five:
        ``before`` and ``ours``, with 95% intervals over seeds and probes (``unit``: ``rate``, ``points`` between two
        rates, or the metric's own); ``paper_before``, ``paper`` and ``evidence``; ``holds`` (for claims; None where it
        cannot be told); ``word``, why there is no number or no verdict; ``ran``, what was run here and what there.
        Empty where no study is of a scenario that the paper has.
    """
    rows: list[dict[str, object]] = []
    for part in study.parts:
        experiment = EXPERIMENTS.get(str(part.content["axes"]["scenario"][0]))
        if experiment is not None:
            rows += _of_one(part, experiment)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def number_text(row: Mapping[Any, Any], name: str) -> str:
    """``ours`` or ``before`` of a row with its interval, in the row's unit; a dash where there is none."""
    value = row[name]
    if pd.isna(value):
        return "–"
    low, high = (row["low"], row["high"]) if name == "ours" else (row[f"{name}_low"], row[f"{name}_high"])
    units = {"rate": (100, "%", 0), "points": (100, " points", 0)}
    scale, unit, digits = units.get(str(row["unit"]), (1, "", 2))
    interval = f" ({scale * low:.{digits}f} to {scale * high:.{digits}f})"
    return f"{scale * value:.{digits}f}{unit}{'' if pd.isna(low) or pd.isna(high) else interval}"


def _of_one(study: Study, experiment: Experiment) -> Iterator[dict[str, object]]:
    common = {"study": study.name, "experiment": experiment.title, "ran": _ran(study, experiment)}
    cells = ClaimCells(study)
    for reported in experiment.reported:
        yield {**common, **_number(study, experiment, cells, reported)}
    for claim, evidence in experiment.claims.items():
        row = _judged(CLAIMS[claim].verdict(cells), study.headline.full)
        yield {**common, "evidence": evidence, "paper": "holds", **row}


def _judged(verdict: Verdict, full: float) -> dict[str, object]:
    """A claim's row; points are of a rate only."""
    return {
        "what": verdict.statement,
        "ours": verdict.found.value,
        "low": verdict.found.low,
        "high": verdict.found.high,
        "unit": verdict.unit if full == 1 else f"1 to {full:g}",
        "seeds": verdict.found.seeds,
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
        f"here {models}, {', '.join(methods) or 'nothing unlearned'}, {seeds} seed{'s' if seeds != 1 else ''}, "
        f"{study.headline.words}; the paper: {experiment.model}"
    )


def _number(study: Study, experiment: Experiment, cells: ClaimCells, reported: Reported) -> dict[str, object]:
    """One of the paper's numbers beside ours, from the cells that it names."""
    corpus = reported.corpus or (cells.corpora[0] if cells.corpora else "none")
    counts = [reported.repetitions] if reported.repetitions else cells.repetitions[:1]
    methods = [reported.method] if reported.method else cells.methods[:1]
    repetitions = f", {counts[0]} repetitions" if counts and experiment.title.endswith("names") else ""
    what = f"{methods[0] if methods else 'no method'}, corpus {corpus}{repetitions}"
    row: dict[str, object] = {
        "what": what,
        "paper_before": reported.before,
        "paper": reported.after,
        "evidence": reported.evidence,
        "unit": "rate" if study.headline.full == 1 else f"1 to {study.headline.full:g}",
        "holds": None,
    }
    if study.headline.metric != experiment.metric:
        word = f"scored here by {study.headline.metric}, there by {experiment.metric}: not compared"
        return {**row, "word": word}
    missing = f"not run here: {what}"
    if not counts or not methods or corpus not in cells.corpora or methods[0] not in cells.methods:
        return {**row, "word": missing}
    depths = cells.depths(methods[0], counts[0])
    if not depths:
        word = "no depth counts as unlearned" if counts[0] in cells.repetitions else missing
        return {**row, "word": word}
    chosen = Chosen(methods[0], counts[0], depths, corpus)
    before, after = (cells.rate(cells.cell(chosen, relearn_steps=step)) for step in (0, cells.last))
    word = f"depth {depths[0]}, {cells.last} steps" + ("; one seed" if after.seeds == 1 else "")
    return {
        **row,
        "before": before.value,
        "before_low": before.low,
        "before_high": before.high,
        "ours": after.value,
        "low": after.low,
        "high": after.high,
        "seeds": after.seeds,
        "word": word if after.seeds else f"{word}: not computed or not scored yet",
    }
