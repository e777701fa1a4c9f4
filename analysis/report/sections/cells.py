"""Every cell in one table: thousands of rows that still scroll, sort and can be searched."""

import numpy as np
import pandas as pd

from analysis.measures.surface import select
from analysis.reading.study_frames import WORDS, Study
from analysis.report.elements import Section, Table
from study.results.schema import COORDINATES

MOST = 10_000
"""Rows in the page: more would make a file that no mail takes. `relearn export` has all."""


def all_cells(study: Study) -> Section | None:
    """A row per cell with the headline metric on forget and retain probes; None where nothing is scored."""
    headline = study.headline
    rows = study.headline_cells
    if rows.empty:
        return None
    rows = rows.sort_values(list(COORDINATES), kind="stable")
    shown = rows.head(MOST)
    varying = [name for name in COORDINATES if rows[name].nunique() > 1] or ["seed"]
    fixed = [f"{name} {rows[name].iloc[0]}" for name in COORDINATES if name not in varying]
    columns = [(name.replace("_", " "), name not in WORDS) for name in varying]
    values = [shown[name].astype(str).to_numpy() for name in varying]
    columns.append((headline.words + ", %", True))
    values.append(_formatted(100 * study.shares(shown["value"].to_numpy(float)), 1))
    asked = shown["n"].dropna().unique()
    if len(asked):
        columns.append(("answered", True))
        values.append(_formatted(shown["k"].to_numpy(float), 0))
        if len(asked) > 1:
            columns.append(("queries", True))
            values.append(_formatted(shown["n"].to_numpy(float), 0))
    for label, metric, split in (
        (f"{headline.words} on retain, %", headline.metric, "retain"),
        ("target NLL, nats", "target_nll", "forget"),
    ):
        beside = _beside(study, shown, metric, split)
        if beside is not None:
            columns.append((label, True))
            shown_as = 100 * study.shares(beside) if metric == headline.metric else beside
            values.append(_formatted(shown_as, 1))
    words = [
        f"{len(shown):,} of {len(rows):,} cells that have rows."
        if len(rows) > MOST
        else f"{len(rows):,} cells."
    ]
    if len(rows) > MOST:
        words.append("The rest is in the Parquet files; `relearn export` writes all.")
    if len(asked) == 1:
        words.append(f"Each is of {asked[0]:,.0f} queries.")
    if fixed:
        words.append(f"The same in all: {', '.join(fixed)}.")
    words.append(
        "A number in the search finds cells of that value (10 finds depth 10, and not 100); a column and a value, as "
        "in depth:10 corpus:prefix, finds those of that column."
    )
    table = Table(
        tuple(columns),
        list(zip(*values, strict=True)),
        tall=True,
        file=f"{study.name}/results/cells/*.parquet",
    )
    return Section("cells", "Every cell", (" ".join(words),), tables=(table,))


def _beside(study: Study, shown: pd.DataFrame, metric: str, split: str) -> np.ndarray | None:
    """Another metric of the same cells, in their order; None where it was never scored."""
    if metric not in set(study.cells["metric"].unique()):
        return None
    other = select(study.cells, metric, split)
    if other.empty:
        return None
    keys = ["stage", "stage_step", *COORDINATES]
    joined = shown[keys].merge(other[[*keys, "value"]], on=keys, how="left", sort=False)
    return joined["value"].to_numpy(float)


def _formatted(values: np.ndarray, digits: int) -> np.ndarray:
    return np.array(["–" if np.isnan(value) else f"{value:,.{digits}f}" for value in values], dtype=object)
