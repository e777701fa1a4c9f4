"""The corpus ladder: what relearning brings back, against how near the corpus is to the forget set."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.charts.chart import Chart, Plane, Series, span, ticks
from analysis.charts.curves import axis_label
from analysis.charts.methods import RULE
from analysis.charts.panels import in_front
from analysis.charts.pooled import rows_with, values_present
from analysis.reading.study_frames import Study
from study.errors import counted

MEASURES = (
    ("lexical_overlap", "by words: share of its words that the forget set has"),
    ("edit_distance", "by edit distance: 100 − distance"),
)


def ladder_rows(study: Study, rows: pd.DataFrame) -> pd.DataFrame:
    """Corpora with what they hold and what they bring back.

    Args:
        rows: of ``analysis.measures.recovery.flow``.

    Returns:
        For each model and method a row per (repetitions, corpus) of ``Study.corpora``: its columns, and in percent
        ``mean``, ``lowest`` and ``highest`` over the ``trajectories`` that count, each at its last step (``steps``),
        and
        ``control``, the mean of their controls. NaN where nothing was computed.
    """
    found = study.corpora
    if found.empty or rows.empty:
        return pd.DataFrame()
    kept = rows[rows["counts"]]
    made = []
    for model, method in rows[["model", "method"]].drop_duplicates().itertuples(index=False, name=None):
        for row in found.to_dict("records"):
            place = {"corpus": row["corpus"], "repetitions": row["repetitions"]}
            mine = rows_with(kept, model=model, method=method, **place)
            values = 100 * mine["value"].to_numpy(float)
            made.append(
                {
                    "model": model,
                    "method": method,
                    **row,
                    "trajectories": len(values),
                    "steps": ", ".join(map(str, sorted(mine["relearn_steps"].unique()))),
                    "mean": values.mean() if len(values) else np.nan,
                    "lowest": values.min() if len(values) else np.nan,
                    "highest": values.max() if len(values) else np.nan,
                    "control": 100 * mine["control"].mean() if len(values) else np.nan,
                }
            )
    return pd.DataFrame(made)


def ladders(study: Study, rows: pd.DataFrame) -> Iterator[Chart]:
    """A picture for each model and method, a panel for each measure of nearness, where two corpora were relearned."""
    there = rows[rows["mean"].notna()] if len(rows) else rows
    groups = [part for _, part in there.groupby(["model", "method"], sort=False)] if len(there) else []
    groups = [part for part in groups if part["corpus"].nunique() > 1]
    for at, part in enumerate(groups):
        suffix = f"-{at + 1}" if len(groups) > 1 else ""
        whose = f"{part['model'].iloc[0]}, {part['method'].iloc[0]}" if len(groups) > 1 else ""
        yield _ladder(study, part, suffix, whose)


def _ladder(study: Study, there: pd.DataFrame, suffix: str, whose: str) -> Chart:
    names = [name for name in values_present(study.cells, "corpus") if name in set(there["corpus"])]
    panels = tuple(_panel(there, names, *measure) for measure in MEASURES)
    return Chart(
        f"ladder{suffix}",
        "The corpus ladder",
        f"{in_front(study.headline.words, whose)} after relearning each corpus to its last step, against two "
        "measures of how near the corpus is to the forget set, as recorded when the study was planned; "
        "relearnings that "
        "count. "
        f"{RULE} "
        "Open, where there is one: the control, on the same corpus.",
        f"Dot charts of corpora. {'; '.join(words for series in panels[0].series for words in series.words)}.",
        "nearness of the corpus to the forget set, %",
        axis_label(study.headline),
        (panels,),
    )


def _panel(rows: pd.DataFrame, names: list[object], column: str, title: str) -> Plane:
    series = []
    for index, name in enumerate(names):
        mine = rows[rows["corpus"] == name]
        x = _nearness(mine, column)
        words = [
            f"{name}, r = {row['repetitions']}, nearness {at:.0f}%: {row['mean']:.0f}% ({row['lowest']:.0f} to "
            f"{row['highest']:.0f} over {counted(row['trajectories'], 'relearning')})"
            for at, row in zip(x, mine.to_dict("records"), strict=True)
        ]
        mean, low, high = (mine[each].to_numpy(float) for each in ("mean", "lowest", "highest"))
        series.append(Series(str(name), x, mean, low, high, tuple(words), index, joined=False))
        control = mine["control"].to_numpy(float)
        if np.isfinite(control).any():
            nothing = np.full(len(x), np.nan)
            said = tuple(f"{name}, the model that never learned: {value:.0f}%" for value in control)
            series.append(
                Series(
                    f"{name}, never learned",
                    x,
                    control,
                    nothing,
                    nothing,
                    said,
                    index,
                    joined=False,
                    dashed=True,
                )
            )
    every = [float(value) for each in series for value in each.x]
    return Plane(title, tuple(series), span(every, 0.08), x_ticks=_round_ticks(every))


def _nearness(rows: pd.DataFrame, column: str) -> np.ndarray:
    share = rows[column].to_numpy(float)
    return 100 * (share if column == "lexical_overlap" else 1 - share)


def _round_ticks(values: list[float]) -> tuple[tuple[float, str], ...]:
    """Ticks at round values within what the points span."""
    low, high = span(values, 0.08)
    width = next(each for each in (1, 2, 5, 10, 20, 50, 100) if (high - low) / each <= 6)
    return ticks([float(place) for place in np.arange(np.ceil(low / width) * width, high + 1e-9, width)])
