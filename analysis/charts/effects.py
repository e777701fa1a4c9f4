"""What drives recovery: a forest plot for each corpus, each term's effect in percentage points on a line of its own."""

import textwrap
from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.charts.chart import Chart, Plane, Series
from study.results.attack_words import attack_words

WIDTH = 64
"""Letters of a name above its line."""
MOST_PANELS, MOST_LINES = 6, 24
"""Corpora that have a panel each; of more, the effects that are drawn, in one panel."""
STEPS = (2, 5, 10, 20, 25, 50, 100, 200, 500)
"""Points between two ticks."""


def effects(rows: pd.DataFrame, words: str) -> Iterator[Chart]:
    """One picture of a table of ``analysis.drivers``, where an effect could be told: a panel for each corpus.

    Args:
        words: the metric's.
    """
    there = rows[rows["points"].notna()] if "points" in rows else rows.head(0)
    if there.empty:
        return
    parts = [(str(corpus), part) for corpus, part in there.groupby("corpus", sort=False, observed=True)]
    left_out = ""
    if len(parts) > MOST_PANELS:  # the attacks of a search
        largest = there["points"].abs().sort_values(ascending=False, kind="stable").index[:MOST_LINES]
        left_out = (
            f" The largest {len(largest)} of {len(there)}; the table has all."
            if len(there) > MOST_LINES
            else ""
        )
        there = there.loc[largest]
        corpus, change = there["corpus"].astype(str).map(attack_words), there["change"].astype(str)
        alike = change.nunique() == 1
        left_out = f" Term: {change.iloc[0]}.{left_out}" if alike else left_out
        there = there.assign(change=corpus if alike else corpus + ": " + change)
        parts = [("", there)]
    ends = there[["points", "low", "high"]].to_numpy(float)
    low, high = min(-5.0, float(np.nanmin(ends))), max(5.0, float(np.nanmax(ends)))
    step = next((each for each in STEPS if (high - low) / each <= 6), STEPS[-1])
    span = (float(np.floor(low / step) * step), float(np.ceil(high / step) * step))
    most = max(len(part) for _, part in parts)
    several = rows["corpus"].nunique() > 1 and bool(parts[0][0])  # of those that could not be told as well
    panels = [_of_corpus(corpus if several else "", part, most, span, step) for corpus, part in parts]
    across = 2 if len(panels) in (2, 4) else 3
    said = [words for panel in panels for words in panel.series[0].words]
    yield Chart(
        "effects",
        "What drives it",
        f"Effect on {words} in percentage points, averaged over the relearned cells of each corpus, of moving one "
        f"term and nothing else; {there['fit'].iloc[0]} regression, {_whiskers(int(there['clusters'].iloc[0]))}."
        f"{left_out}",
        f"Forest plot of effects. {'; '.join(said)}.",
        "points: left less comes back, right more",
        "",
        tuple(tuple(panels[at : at + across]) for at in range(0, len(panels), across)),
    )


def _of_corpus(corpus: str, rows: pd.DataFrame, most: int, span: tuple[float, float], step: int) -> Plane:
    """One corpus; all panels have as many lines and the same axis, so that they compare."""
    made = rows.to_dict("records")
    points, low, high = (rows[name].to_numpy(float) for name in ("points", "low", "high"))
    whose = f"{corpus}: " if corpus else ""
    said = tuple(f"{whose}{row['change']}: {_points(row)}" for row in made)
    place = np.arange(len(rows), dtype=np.float64)
    return Plane(
        corpus,
        (Series("", points, place, low, high, said, 0, joined=False),),
        span,
        (most - 0.5, -0.5),
        x_ticks=tuple(
            (float(at), f"{at:+g}" if at else "0") for at in np.arange(span[0], span[1] + 1e-9, step)
        ),
        y_ticks=tuple(
            (float(at), textwrap.shorten(str(row["change"]), WIDTH, placeholder=" …"))
            for at, row in enumerate(made)
        ),
        across=True,
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
