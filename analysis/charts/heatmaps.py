"""The surface: the headline metric over depth × relearn steps, as one grid of panels that share their axes.

Repetition counts or methods stand below each other, corpora beside each other; where there is one corpus, they stand
beside each other.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.charts.chart import Chart, Heat
from analysis.charts.panels import MOST_COLUMNS, PictureRows, in_front, picture_rows
from analysis.charts.pooled import Rows, in_words, rows_with, values_present
from analysis.reading.study_frames import Study
from study.results.attack_words import attack_words
from study.results.headline import ASR, Headline

MOST = 16
"""Rows and columns of a heatmap; a finer grid is thinned evenly."""


def heatmaps(study: Study, rows: Rows) -> Iterator[Chart]:
    """A picture for each model and method that was unlearned."""
    planned = rows_with(study.planned, start="unlearned")
    seeds, pooled = rows_with(rows.seeds, start="unlearned"), rows_with(rows.pooled, start="unlearned")
    depths, thinned = _thinned(values_present(planned, "depth"))
    steps, also = _thinned(values_present(planned, "relearn_steps"))
    searched = study.content["spec"].get("search") is not None
    absent = "not asked" if searched else "missing"
    for part in picture_rows(seeds, pooled, ["model"] if _by_method(pooled) else ["model", "method"]):
        lines = [
            (
                name,
                [
                    (corpus, _heat(f"{corpus}, {name}" if name else corpus, found, depths, steps, absent))
                    for corpus, found in line
                ],
            )
            for name, line in _lines(part)
        ]
        finer = " A finer grid is in the rows; here it is thinned evenly." if thinned or also else ""
        beside = len(part.corpora) == 1 and len(lines) > 1
        names = [name for name, _ in lines]
        panels = [heat for _, line in lines for _, heat in line]
        across = min(MOST_COLUMNS, len(panels)) if beside else len(part.corpora)
        yield Chart(
            f"heatmap{part.suffix}",
            "The surface",
            f"{in_front(_words(rows.headline), part.whose)} over unlearning depth (steps, downwards) and relearn "
            "steps, seeds pooled. Relearn steps 0 is the unlearned model before any relearning. A dashed outline: "
            f"{'the search did not ask this' if searched else 'not computed'}."
            f"{finer}{part.left_out}",
            _alternative(rows.headline, part),
            "relearn steps",
            "unlearning depth",
            tuple(tuple(panels[at : at + across]) for at in range(0, len(panels), across)),
            () if beside else tuple(names),
            (tuple(names) if len(names) <= across else ()) if beside else tuple(part.corpora),
        )


def _by_method(pooled: pd.DataFrame) -> bool:
    """Whether methods are the lines of one picture: each has a single repetition count."""
    return pooled["method"].nunique() > 1 and pooled["repetitions"].nunique() == 1


def _lines(part: PictureRows) -> Iterator[tuple[str, list[tuple[str, pd.DataFrame]]]]:
    """The name of each line of panels, and for each panel its corpus and its rows."""
    if _by_method(part.pooled):
        for method in values_present(part.pooled, "method"):
            mine = rows_with(part.pooled, method=method)
            yield str(method), [(corpus, rows_with(mine, corpus=corpus)) for corpus in part.corpora]
        return
    for count, line in part.panels():
        name = f"r = {count}" if len(part.counts) > 1 else ""
        yield name, [(corpus, pooled) for corpus, _, _, pooled in line]


def _heat(title: str, pooled: pd.DataFrame, depths: list[int], steps: list[int], absent: str) -> Heat:
    by_place = {(int(row["depth"]), int(row["relearn_steps"])): row for _, row in pooled.iterrows()}
    words = []
    values = np.full((len(depths), len(steps)), np.nan)
    for y, depth in enumerate(depths):
        line = []
        for x, step in enumerate(steps):
            row = by_place.get((depth, step))
            place = f"{title}, depth {depth}, {step} relearn steps: "
            if row is not None:
                values[y, x] = row["percent"]
            line.append(place + (in_words(row) if row is not None else absent))
        words.append(tuple(line))
    return Heat(title, tuple(map(str, depths)), tuple(map(str, steps)), values, tuple(words), absent)


def _thinned(values: list[object]) -> tuple[list[int], bool]:
    whole = [int(str(value)) for value in values]
    if len(whole) <= MOST:
        return whole, False
    return [whole[index] for index in np.linspace(0, len(whole) - 1, MOST).round().astype(int)], True


def _words(headline: Headline) -> str:
    if headline.metric == ASR:
        return "attack success rate (the pair anywhere in query and continuation), in percent,"
    return f"{headline.words}, in percent,"


def _alternative(headline: Headline, part: PictureRows) -> str:
    found = []
    last = part.pooled["relearn_steps"].max()
    for count in part.counts:
        for corpus in part.corpora:
            chosen = rows_with(part.pooled, repetitions=count, corpus=corpus, relearn_steps=last)
            several = chosen["method"].nunique() > 1
            rates = [
                f"{row['method'] + ', ' if several else ''}depth {row['depth']}: {row['percent']:.0f}%"
                for _, row in chosen.iterrows()
            ]
            found.append(f"r = {count}, {attack_words(corpus)}: {', '.join(rates) or 'missing'}")
    return f"Heatmaps of {headline.words}. After {last} relearn steps: {'; '.join(found)}."
