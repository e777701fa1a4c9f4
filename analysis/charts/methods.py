"""Methods side by side: what each leaves after unlearning, and what relearning brings back, a panel per corpus."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.charts.chart import Chart, Plane, Series
from analysis.charts.curves import axis_label
from analysis.charts.panels import MOST_COLUMNS
from analysis.charts.pooled import rows_with, values_present
from analysis.reading.study_frames import Study

RULE = (
    "Dot: mean over trajectories (depth × seed × repetitions); whisker: the lowest and the highest of them."
)


def methods(study: Study) -> Iterator[Chart]:
    """A picture for each model, where more than one method was run."""
    every = study.relearned
    last = every[every["was_unlearned"]]
    if last["method"].nunique() < 2:
        return
    models = values_present(last, "model")
    for index, model in enumerate(models):
        mine = rows_with(last, model=model)
        names = [str(name) for name in values_present(mine, "method")]
        corpora = [str(name) for name in values_present(mine, "corpus")][:MOST_COLUMNS]
        steps = int(mine["relearn_steps"].max())
        without = [
            str(name) for name in values_present(rows_with(every, model=model), "method") if name not in names
        ]
        left_out = (
            f" Without {', '.join(without)}, of which no trajectory counts as unlearned." if without else ""
        )
        whose = f"{model}: " if len(models) > 1 else ""
        panels = tuple(
            _panel(study, rows_with(mine, corpus=corpus), corpus, names, steps) for corpus in corpora
        )
        yield Chart(
            f"methods-{index + 1}" if len(models) > 1 else "methods",
            "Methods compared",
            f"{whose}{study.headline.words} of the trajectories that count as unlearned ({study.headline.rule}), "
            f"before relearning (open) and after {steps} steps (full). {RULE}{left_out}",
            f"Dot charts by method. {'; '.join(_words(panel) for panel in panels)}.",
            "method",
            axis_label(study.headline),
            (panels,),
        )


def _panel(study: Study, rows: pd.DataFrame, corpus: str, names: list[str], steps: int) -> Plane:
    kinds = (("unlearned", "unlearned_asr", 0, -0.12), (f"after {steps} steps", "value", 3, 0.12))
    series = []
    for label, column, colour, aside in kinds:
        means, lows, highs, places, words = [], [], [], [], []
        for place, name in enumerate(names):
            values = study.headline.percent(1) * rows_with(rows, method=name)[column].to_numpy(float)
            if not len(values):
                continue
            places.append(place + aside)
            means.append(values.mean())
            lows.append(values.min())
            highs.append(values.max())
            words.append(
                f"{corpus}, {name}, {label}: {means[-1]:.0f}% ({lows[-1]:.0f} to {highs[-1]:.0f} over {len(values)} "
                "trajectories)"
            )
        x, y, low, high = (np.array(each, float) for each in (places, means, lows, highs))
        hollow = column == "unlearned_asr"
        series.append(Series(label, x, y, low, high, tuple(words), colour, joined=False, dashed=hollow))
    places_of = tuple((float(index), name.replace("_", "\n")) for index, name in enumerate(names))
    return Plane(corpus, tuple(series), (-0.5, len(names) - 0.5), x_ticks=places_of)


def _words(panel: Plane) -> str:
    return f"{panel.title}: {', '.join(words.split(', ', 1)[1] for words in panel.series[-1].words)}"
