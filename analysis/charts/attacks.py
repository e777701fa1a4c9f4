"""The best attacks of a search, by name: how often each succeeds, on a line of its own."""

import numpy as np

from analysis.charts.chart import Chart, Plane, Series
from analysis.reading.search_result import SearchResult
from study.errors import counted
from study.results.attack_words import attack_words

MOST = 20
MOST_IN_A_PANEL = 8
"""Attacks; more stand in two panels, beside each other where the page has room."""


def attack_chart(found: SearchResult, score: str) -> Chart | None:
    """The Pareto-optimal attacks, the one that succeeds most first; None where none works.

    Args:
        score: the words of the headline metric.
    """
    if found.front.empty:
        return None
    rows = found.front.sort_values(["success", "relearn_steps"], ascending=[False, True], kind="stable")
    several = [name for name in ("model", "method", "repetitions", "depth") if rows[name].nunique() > 1]
    made = rows.head(MOST).to_dict("records")
    names = [
        ", ".join(
            [
                attack_words(str(row["corpus"])),
                counted(row["relearn_steps"], "step"),
                *(f"{name} {row[name]}" for name in several),
            ]
        )
        for row in made
    ]
    success, low, high = (
        np.array([100 * row[name] for row in made], float) for name in ("success", "lowest", "highest")
    )
    words = tuple(
        f"{name}: {value:.0f}% ({least:.0f} to {most:.0f} over {counted(row['seeds'], 'seed')})"
        for name, value, least, most, row in zip(names, success, low, high, made, strict=True)
    )
    cut = len(made) if len(made) <= MOST_IN_A_PANEL else -(-len(made) // 2)
    panels = []
    for part in (slice(0, cut), slice(cut, None)):
        if shown := names[part]:
            place = np.arange(len(shown), dtype=np.float64)
            marks = Series("", success[part], place, low[part], high[part], words[part], joined=False)
            panels.append(
                Plane(
                    "",
                    (marks,),
                    (0.0, 100.0),
                    (cut - 0.5, -0.5),
                    x_ticks=tuple((float(at), f"{at}") for at in (0, 25, 50, 75, 100)),
                    y_ticks=tuple((float(at), name) for at, name in enumerate(shown)),
                    across=True,
                )
            )
    left_out = f" The best {MOST} of {len(rows)}; the table has all." if len(rows) > MOST else ""
    return Chart(
        "attacks",
        "The search",
        "The Pareto-optimal attacks that work, the most successful first: dot, the mean over seeds; whisker, the "
        f"lowest and the highest of them. The best of many noisy rates is on average too high.{left_out}",
        f"Dot chart of attacks. {'; '.join(words)}.",
        f"{score}, %",
        "",
        (tuple(panels),),
    )
