"""What drives recovery, and whether it is foreseen in studies that were not seen."""

from collections import Counter
from collections.abc import Hashable
from typing import Any

import pandas as pd

from analysis.charts.effects import effects
from analysis.measures.drivers import drivers
from analysis.measures.law import law
from analysis.measures.predictors import predictors
from analysis.reading.studies import Studies
from analysis.reading.study_frames import Study
from analysis.report.elements import Section, signed, table_of, with_interval
from analysis.report.sections.trajectories import p_in_words
from study.errors import SpecError

ABOUT = (
    "One model for each corpus, of all its relearned cells, which looks at every axis at once: what is said of one "
    "holds while the others stay as they are. It describes these cells and is no cause of anything outside them."
)

LAW = (
    "Rate = rate of the original × logistic(a + b · log(1 + steps) − c · log depth), with a and b for each corpus. It "
    "holds within this configuration at most, and says nothing of other text."
)
LAW_TABLE = "Coefficients on the logit, with 95% intervals over seeds, left out in turn"

MOST_UNTOLD = 24
"""Rows of a table in which an effect that cannot be told has a row of its own."""


def drivers_section(study: Study | Studies) -> Section | None:
    """None where nothing can be told, as where every answer is alike."""
    try:
        found = drivers(study)
    except SpecError:
        return None
    rows = [
        {
            "corpus": row["corpus"],
            "term": row["change"] if isinstance(row.get("change"), str) else row["term"],
            **with_interval(
                "effect, points", *(signed(_float(row, name), 1) for name in ("points", "low", "high"))
            ),
            "p, adjusted": p_in_words(row["p_adjusted"]),
            "remark": row["word"] if isinstance(row["word"], str) else "",
        }
        for row in found.to_dict("records")
    ]
    untold = [row for row in rows if row["effect, points"] == "–"] if len(rows) > MOST_UNTOLD else []
    rows = [row for row in rows if row not in untold]
    columns = {name: name not in ("corpus", "term", "remark") for name in rows[0]}
    words = study.headline.words
    over = (
        "with their intervals over seeds; intervals and p adjusted by Holm over the rows"
        if found["low"].notna().any()
        else "of one seed, so without intervals"
    )
    caption = f"Effects on {words}, {over}{_of_untold(untold)}"
    return Section(
        "drivers",
        "What drives it",
        (ABOUT,),
        tuple(effects(found, words)),
        (table_of(columns, rows, caption),),
    )


def _of_untold(rows: list[dict[str, str]]) -> str:
    """What a long table leaves out: each term, of how many corpora, and why."""
    causes = Counter((row["term"], row["remark"]) for row in rows)
    named = "; ".join(
        f"{term} of {count} {'corpus' if count == 1 else 'corpora'}: {why}"
        for (term, why), count in causes.items()
    )
    return f". Left out, since there is no number: {named}" if named else ""


def law_section(study: Study) -> Section | None:
    """The law of corpus, steps and depth, and what it says of seeds not seen; None where it has no cells."""
    try:
        found = law(study)
    except SpecError:
        return None
    if found.scores.empty:
        return None
    said = [
        f"{row['model']}, {row['method']}: fitted to all seeds but one and asked of that one, it explains "
        f"{_percent(row['explained'])} of the deviance that the corpora's means leave, with a typical error of "
        f"{100 * row['error']:.0f} points; a lookup of the other seeds' own means {_percent(row['lookup'])}."
        for row in found.scores.to_dict("records")
    ]
    several = [name for name in ("model", "method") if found.coefficients[name].nunique() > 1]
    rows = [
        {
            **{name: str(row[name]) for name in (*several, "term")},
            **with_interval("value", *(_number(_float(row, name)) for name in ("value", "low", "high"))),
            "remark": row["word"],
        }
        for row in found.coefficients.to_dict("records")
    ]
    columns = {name: name.startswith("value") for name in rows[0]}
    return Section(
        "law", "A law for this configuration", (LAW, *said), tables=(table_of(columns, rows, LAW_TABLE),)
    )


def prediction_section(studies: Studies) -> Section:
    """Whether weight distance or the unlearned likelihood predicts recovery in a study that the rule never saw."""
    title = "Is recovery foreseen in a study not seen?"
    try:
        found = predictors(studies)
    except SpecError as error:
        return Section("foreseen", title, (f"It cannot be asked: {error}.",))
    rows = [
        {
            "among": str(row["among"]),
            "from": str(row["predictor"]).replace("_", " "),
            "study left out": str(row["held_out"]),
            "variance predicted": _number(row["r2"]),
            **with_interval(
                "rank correlation",
                *(_number(_float(row, name)) for name in ("rank", "rank_low", "rank_high")),
            ),
            "AUC": _number(row["auc"]),
            "trajectories": int(row["trajectories"]),
        }
        for row in found.to_dict("records")
    ]
    columns = {name: name not in ("among", "from", "study left out") for name in rows[0]}
    words = (
        "How far the weights moved in unlearning, and the forgotten fraction (how far the target's likelihood went "
        "from the original's to that of a model that never learned it), are known before any relearning. A rule fitted "
        "to all other studies, which never gives more than the original scored, is asked for each study's recovery. "
        "Variance predicted: 1 is all of it, 0 no better than the others' mean, below 0 worse. Known and forgotten: "
        "those that count, by the rule of each study. A study that repeats another is no study that was not seen.",
    )
    return Section(
        "foreseen",
        title,
        words,
        tables=(table_of(columns, rows, "Each study predicted from all the others"),),
    )


def _float(row: dict[Hashable, Any], name: str) -> float:
    return float(row.get(name, "nan"))


def _percent(share: float) -> str:
    return "–" if pd.isna(share) else "nothing" if share <= 0 else f"{100 * share:.0f}%"


def _number(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:z.2f}"
