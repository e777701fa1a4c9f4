"""What drives recovery: a forest plot, each term's effect in percentage points on a line of its own."""

import textwrap
from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.charts.chart import Chart, Plane, Series

WIDTH = 80
"""Letters of a line beside a mark."""


def effects(rows: pd.DataFrame, words: str) -> Iterator[Chart]:
    """One picture of a table of ``analysis.drivers``, where an effect could be told.

    Args:
        words: the metric's.
    """
    there = rows[rows["points"].notna()] if "points" in rows else rows.head(0)
    if there.empty:
        return
    points, low, high = (there[name].to_numpy(float) for name in ("points", "low", "high"))
    several = there["corpus"].nunique() > 1
    changes = [
        f"{row['corpus']}: {row['change']}" if several else str(row["change"])
        for row in there.to_dict("records")
    ]
    said = tuple(
        f"{change}: {_points(row)}" for change, row in zip(changes, there.to_dict("records"), strict=True)
    )
    place = np.arange(len(there), dtype=np.float64)
    series = Series("", points, place, low, high, said, 0, joined=False)
    reach = max(5.0, float(np.nanmax(np.abs(np.concatenate([points, low, high])))))
    step = next((each for each in (2, 5, 10, 20, 25, 50) if reach / each <= 5), 50)
    ends = float(np.ceil(reach / step) * step)
    yield Chart(
        "effects",
        "What drives it",
        f"Effect on {words} in percentage points, averaged over the relearned cells of each corpus, of moving one "
        f"term and nothing else; {there['fit'].iloc[0]} regression, {_whiskers(int(there['clusters'].iloc[0]))}.",
        f"Forest plot of effects. {'; '.join(said)}.",
        "percentage points: left less comes back, right more",
        "",
        (
            (
                Plane(
                    "",
                    (series,),
                    (-ends, ends),
                    (len(there) - 0.5, -0.5),
                    x_ticks=tuple(
                        (float(at), f"{at:+g}" if at else "0") for at in np.arange(-ends, ends + 1e-9, step)
                    ),
                    y_ticks=tuple(
                        (float(at), textwrap.shorten(change, WIDTH, placeholder=" …"))
                        for at, change in enumerate(changes)
                    ),
                    across=True,
                ),
            ),
        ),
    )


def _whiskers(clusters: int) -> str:
    return (
        "one seed, so no whiskers"
        if clusters == 1
        else f"whisker: over {clusters} seeds, left out in turn; adjusted by Holm as its p is"
    )


def _points(row: dict[object, object]) -> str:
    low, high = float(str(row["low"])), float(str(row["high"]))
    ends = "" if np.isnan(low) or np.isnan(high) else f" ({low:+z.1f} to {high:+z.1f})"
    return f"{float(str(row['points'])):+z.1f} points{ends}"
