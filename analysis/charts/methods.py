"""Methods side by side: what each leaves of forget and of retain answers, and what relearning brings back."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.charts.chart import Chart, Plane, Series
from analysis.charts.curves import axis_label
from analysis.charts.panels import MOST_COLUMNS, in_front
from analysis.charts.pooled import rows_with
from study.errors import counted
from study.results.headline import Headline

RULE = (
    "Dot: mean over relearnings that count (depth × seed × repetitions); whisker: the lowest and the highest of "
    "them."
)


def methods(headline: Headline, every: pd.DataFrame) -> Iterator[Chart]:
    """A picture for each model, where more than one method was run.

    Args:
        every: rows of ``analysis.measures.recovery.flow``.
    """
    last = every[every["counts"]]
    if last["method"].nunique() < 2:
        return
    models = list(dict.fromkeys(last["model"]))
    for index, model in enumerate(models):
        mine = rows_with(last, model=model)
        names = list(dict.fromkeys(mine["method"]))
        corpora = list(dict.fromkeys(mine["corpus"]))[:MOST_COLUMNS]
        steps = int(mine["relearn_steps"].max())
        without = [
            name for name in dict.fromkeys(rows_with(every, model=model)["method"]) if name not in names
        ]
        left_out = f" Without {', '.join(without)}, of which no relearning counts." if without else ""
        whose = model if len(models) > 1 else ""
        panels = tuple(_panel(rows_with(mine, corpus=corpus), corpus, names, steps) for corpus in corpora)
        yield Chart(
            f"methods-{index + 1}" if len(models) > 1 else "methods",
            "Methods compared",
            f"{in_front(headline.words, whose)} of the relearnings that count (known, and forgotten: "
            f"{headline.rule}), before relearning (open) and after {counted(steps, 'step')} (full); beside it the "
            f"utility, which is what is kept of the original's retain score before relearning. {RULE}{left_out}",
            f"Dot charts by method. {'; '.join(_words(panel) for panel in panels)}.",
            "method",
            axis_label(headline),
            (panels,),
        )


def _panel(rows: pd.DataFrame, corpus: str, names: list[str], steps: int) -> Plane:
    rows = rows.assign(utility=rows["retain_before"] / rows["retain_original"])
    kinds = (
        ("unlearned", "before", 0, -0.2),
        (f"after {counted(steps, 'step')}", "value", 3, 0.0),
        ("utility kept", "utility", 2, 0.2),
    )
    series = []
    for label, column, colour, aside in kinds:
        means, lows, highs, places, words = [], [], [], [], []
        for place, name in enumerate(names):
            values = 100 * rows_with(rows, method=name)[column].dropna().to_numpy(float)
            if not len(values):
                continue
            places.append(place + aside)
            means.append(values.mean())
            lows.append(values.min())
            highs.append(values.max())
            words.append(
                f"{corpus}, {name}, {label}: {means[-1]:.0f}% ({lows[-1]:.0f} to {highs[-1]:.0f} over {len(values)} "
                "relearnings)"
            )
        x, y, low, high = (np.array(each, float) for each in (places, means, lows, highs))
        hollow = column == "before"
        series.append(Series(label, x, y, low, high, tuple(words), colour, joined=False, dashed=hollow))
    places_of = tuple((float(index), name.replace("_", "\n")) for index, name in enumerate(names))
    return Plane(corpus, tuple(series), (-0.5, len(names) - 0.5), x_ticks=places_of)


def _words(panel: Plane) -> str:
    said = [words.split(", ", 1)[1] for series in panel.series[1:] for words in series.words]
    return f"{panel.title}: {', '.join(said)}"
