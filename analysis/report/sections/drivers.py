"""What drives recovery, and whether it is foreseen in studies that were not seen."""

import pandas as pd

from analysis.charts.effects import effects
from analysis.measures.drivers import drivers
from analysis.measures.predictors import predictors
from analysis.reading.studies import Studies
from analysis.reading.study_frames import Study
from analysis.report.elements import Section, table_of
from analysis.report.sections.trajectories import p_in_words
from study.errors import SpecError

ABOUT = (
    "One model of all relearned cells, which looks at every axis at once: what is said of one holds while the others "
    "stay as they are. It describes these cells and is no cause of anything outside them."
)


def drivers_section(study: Study | Studies) -> Section | None:
    """None where nothing can be told, as where every answer is alike."""
    try:
        found = drivers(study)
    except SpecError:
        return None
    rows = [
        {
            "term": row["change"] if isinstance(row.get("change"), str) else row["term"],
            "effect, points": _effect(row),
            "p, adjusted": p_in_words(row["p_adjusted"]),
            "remark": row["word"] if isinstance(row["word"], str) else "",
        }
        for row in found.to_dict("records")
    ]
    columns = {"term": False, "effect, points": True, "p, adjusted": True, "remark": False}
    words = study.headline.words
    caption = f"Effects on {words}, in brackets 95% over seeds; p adjusted by Holm over the rows"
    return Section(
        "drivers",
        "What drives it",
        (ABOUT,),
        tuple(effects(found, words)),
        (table_of(columns, rows, caption),),
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
            "from": str(row["predictor"]).replace("_", " "),
            "study left out": str(row["held_out"]),
            "variance predicted": _number(row["r2"]),
            "rank correlation": _ranked(row),
            "AUC": _number(row["auc"]),
            "trajectories": int(row["trajectories"]),
        }
        for row in found.to_dict("records")
    ]
    columns = {name: name not in ("from", "study left out") for name in rows[0]}
    words = (
        "How far the weights moved in unlearning, and how unlikely the target still is, are known before any "
        "relearning. A rule fitted to all other studies is asked for each study's recovery. Variance predicted: 1 is "
        "all of it, 0 no better than the others' mean, below 0 worse.",
    )
    return Section(
        "foreseen",
        title,
        words,
        tables=(table_of(columns, rows, "Each study predicted from all the others"),),
    )


def _effect(row: dict[object, object]) -> str:
    points = row.get("points")
    if not isinstance(points, float) or pd.isna(points):
        return "–"
    low, high = float(str(row["low"])), float(str(row["high"]))
    return f"{points:+.1f}" + ("" if pd.isna(low) or pd.isna(high) else f" ({low:+.1f} to {high:+.1f})")


def _number(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.2f}"


def _ranked(row: dict[object, object]) -> str:
    low, high = (float(str(row.get(name, "nan"))) for name in ("rank_low", "rank_high"))
    ends = "" if pd.isna(low) or pd.isna(high) else f" ({low:.2f} to {high:.2f})"
    return _number(float(str(row["rank"]))) + ends
