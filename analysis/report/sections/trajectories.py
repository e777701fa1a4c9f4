"""Measures that rest on single answers: each trajectory's peak and drop, and paired differences."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.measures.comparisons import compare_at_last
from analysis.measures.trajectories import trajectories
from analysis.reading.study_frames import Study
from analysis.report.elements import Table, percent, signed, table_of, with_interval
from study.errors import SpecError
from study.results.schema import COORDINATES

PLACE = [name for name in COORDINATES if name not in ("seed", "relearn_steps")]


NO_RATIO = (
    "“Recovered of what was lost” is a dash where the interval of the original does not lie above that of the rate "
    "before relearning, or no original was asked: then what was lost may be nothing, and a share of it anything."
)


def trajectory_table(study: Study) -> tuple[tuple[str, ...], Table] | None:
    """What each relearning did, the one that falls most first; with a paragraph on whether more steps are better.

    None where no trajectory is scored from its first step on.
    """
    try:
        found = trajectories(study)
    except SpecError:
        return None
    found = found[found["start"] == "unlearned"]
    if found.empty:
        return None
    varying = [name for name in PLACE if found[name].nunique() > 1]
    rows = [
        {
            **{name: _plain(row[name]) for name in varying},
            **_rate("before", study, row, "first"),
            **_rate("peak", study, row, "peak"),
            "at step": row["peak_step"],
            **_rate("last", study, row, "final"),
            **_points("drop after the peak, points", study, row, "drop"),
            "p, adjusted": p_in_words(row["drop_p_adjusted"]),
            "a fall is shown": "yes"
            if row["drop_real"]
            else "–"
            if pd.isna(row["drop_p"])
            else "cannot be said",
            **_points("above the control, points", study, row, "lift"),
            **_share("recovered of what was lost", row, "recovery"),
            **_points("retain, points", study, row, "utility"),
        }
        for row in found.sort_values("drop", ascending=False, kind="stable").to_dict("records")
    ]
    text = {"method", "start", "corpus", "model", "scenario", "a fall is shown"}
    columns = {name: name not in text for name in rows[0]}
    words = (_of_falls(study, found), *_alone(int(found["seeds"].max())))
    if found["recovery"].isna().any() and found["recovery"].notna().any():
        words = (*words, NO_RATIO)
    over = "over the queries of this one seed" if found["seeds"].max() == 1 else "over seeds"
    caption = f"Each trajectory, seeds together, with 95% intervals {over}; the one that falls most first"
    return words, table_of(columns, rows, caption)


def _of_falls(study: Study, found: pd.DataFrame) -> str:
    """How many fall, how many are shown to, and what could have been shown."""
    falling = found[found["drop"] > 0]
    if falling.empty:
        return "In no trajectory does the last step lie below the peak."
    said = f"In {len(falling)} of {len(found)} trajectories the last step lies below the peak."
    tested = falling[falling["drop_p"].notna()]
    if tested.empty:
        return f"{said} Whether that is more than chance is not tested."
    real = int(tested["drop_real"].sum())
    least = study.headline.points(float(tested["drop_detectable"].median()))
    return (
        f"{said} A peak is the largest of several noisy rates, so most curves have one. After a test that allows for "
        f"it, and for the number of trajectories (Holm), {real or 'none'} of these falls {'are' if real > 1 else 'is'} "
        "shown to be more than chance. In the others nothing is shown, which is not to say that nothing fell: half of "
        f"the tests would have needed a fall of {least:.0f} points or more"
        + (", which no score can have." if least > 100 else ".")
    )


def difference_table(study: Study, axis: str) -> Table | None:
    """Paired differences between the values of an axis at the last step; None where there are not two."""
    metric = study.headline.metric
    try:
        found = compare_at_last(study.scores(metric, start="unlearned"), axis, metric)
    except SpecError:
        return None
    settings = [name for name in found.columns if name in COORDINATES]
    steps = sorted(found["relearn_steps"].unique())
    if len(steps) == 1:
        settings.remove("relearn_steps")
    after = f"after {steps[0]} relearn steps" if len(steps) == 1 else "at the last step that both sides have"
    rows = [
        {
            **{name: _plain(row[name]) for name in settings},
            "one": str(row["one"]),
            "other": str(row["other"]),
            **_points("one − other, points", study, row, "difference"),
            "p, adjusted": p_in_words(row["p_adjusted"]),
            "could be seen, points": _whole(study.headline.points(row["detectable"])),
        }
        for row in found.to_dict("records")
    ]
    text = {"method", "corpus", "model", "scenario", "one", "other"}
    columns = {name: name not in text for name in rows[0]}
    intervals = (
        f"intervals and p over seeds, adjusted by Holm over the {len(found)} rows; beside them the difference that "
        "such a test finds in 80% of studies"
        if found["seeds"].max() > 1
        else "intervals over the queries of this one seed, each row by itself; nothing is tested"
    )
    caption = (
        f"Paired differences by {axis} {after}, every trajectory, whether it counts or not: the same seeds and queries "
        f"on both sides; {intervals}"
    )
    return table_of(columns, rows, caption)


def _alone(seeds: int) -> tuple[str, ...]:
    return ("With one seed the intervals are over queries alone.",) if seeds == 1 else ()


def _plain(value: Any) -> str | int:
    return int(value) if isinstance(value, int | np.integer) else str(value)


def _rate(name: str, study: Study, row: Mapping[Any, Any], of: str) -> dict[str, str]:
    full = study.headline.percent
    return with_interval(name, *(percent(float(full(row[each]))) for each in (of, f"{of}_low", f"{of}_high")))


def _points(name: str, study: Study, row: Mapping[Any, Any], of: str) -> dict[str, str]:
    """A difference; the ends of its interval are cut where no difference can be."""
    full = study.headline.points
    low, high = ("low", "high") if of == "difference" else (f"{of}_low", f"{of}_high")
    return with_interval(
        name, *(signed(float(np.clip(full(row[each]), -100, 100))) for each in (of, low, high))
    )


def _whole(points: float) -> str:
    return "–" if pd.isna(points) else "> 100" if points > 100 else f"{points:.0f}"


def _share(name: str, row: Mapping[Any, Any], of: str) -> dict[str, str]:
    return with_interval(name, *(percent(100 * float(row[each])) for each in (of, f"{of}_low", f"{of}_high")))


def p_in_words(value: float) -> str:
    """A p value; a dash where nothing was tested."""
    if pd.isna(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
