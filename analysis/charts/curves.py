"""Along the relearning: the headline metric against relearn steps, a line per depth and a thin one per seed.

Bands are left out: those of five depths lie over each other and hide what they are of. Each mark says its interval.
"""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import pandas as pd

from analysis.charts.chart import OKABE_ITO, Chart, Plane, Series, span, ticks
from analysis.charts.panels import PictureRows, in_front, in_lines, picture_rows, pictures
from analysis.charts.pooled import Rows, in_words, rows_with, values_present
from study.errors import counted
from study.results.attack_words import attack_words
from study.results.headline import Headline

BAND = "Thin lines: the seeds. On a screen each mark says its 95% interval over seeds; paper has means alone."
BAND_OF_ONE = (
    "On a screen each mark says its 95% interval over the queries of this one seed; paper has means alone."
)
MOST_DEPTHS = len(OKABE_ITO)
MOST_THREADS = 5


def curves(rows: Rows) -> Iterator[Chart]:
    """A picture for each model and method that was unlearned, or one of all: see ``pictures``."""
    seeds, pooled = rows_with(rows.seeds, start="unlearned"), rows_with(rows.pooled, start="unlearned")
    for parts in pictures(list(picture_rows(seeds, pooled, ["model", "method"]))):
        part, several = parts[0], len(parts) > 1
        every = pd.concat([each.pooled for each in parts])
        depths = [int(str(value)) for value in values_present(every, "depth")]
        shown = depths
        if len(depths) > MOST_DEPTHS:
            shown = [
                depths[index] for index in np.linspace(0, len(depths) - 1, MOST_DEPTHS).round().astype(int)
            ]
        panels = tuple(
            tuple(_plane(*panel, shown, rows.headline) for panel in line) for line in _lines(parts)
        )
        band = BAND if seeds["seed"].nunique() > 1 else BAND_OF_ONE
        thinned = f" {len(shown)} of {len(depths)} depths are drawn." if len(shown) < len(depths) else ""
        yield Chart(
            "curves" if several else f"curves{part.suffix}",
            "Along the relearning",
            f"{in_front(rows.headline.words, '' if several else part.whose)} against relearn steps, one colour a "
            f"depth, along a ramp. {band}{thinned}{part.left_out}",
            alternative(rows.headline, *((each, each.pooled) for each in parts)),
            "relearn steps",
            axis_label(rows.headline),
            panels,
        )


def _lines(parts: list[PictureRows]) -> Sequence[Sequence[tuple[str, pd.DataFrame, pd.DataFrame]]]:
    """Title, seeds and pooled rows of each panel: of the parts, where they are several."""
    if len(parts) > 1:
        return in_lines([(each.whose, each.seeds, each.pooled) for each in parts])
    return [[panel[1:] for panel in line] for _, line in parts[0].panels()]


def _plane(
    title: str, seeds: pd.DataFrame, pooled: pd.DataFrame, depths: list[int], headline: Headline
) -> Plane:
    found = [
        series(
            rows_with(pooled, depth=depth),
            rows_with(seeds, depth=depth),
            f"depth {depth}",
            depths.index(depth),
            f"{title}, ",
            shade=place_on_ramp(depths.index(depth), len(depths)),
        )
        for depth in depths
    ]
    return plane(title, [each for each in found if each is not None])


def plane(title: str, found: list[Series]) -> Plane:
    """Curves over relearn steps from 0 to 100%."""
    steps = [float(step) for each in found for step in each.x]
    return Plane(title, tuple(found), span(steps), x_ticks=ticks(steps, 6), band_opacity=0.0)


def place_on_ramp(index: int, count: int) -> float:
    """The place of a value among several, from 0 to 1."""
    return index / max(1, count - 1)


def series(
    pooled: pd.DataFrame,
    seeds: pd.DataFrame,
    label: str,
    colour: int,
    where: str,
    dashed: bool = False,
    shade: float | None = None,
) -> Series | None:
    """One trajectory as a curve; None where nothing of it is there."""
    if not len(pooled):
        return None
    line = pooled.sort_values("relearn_steps")
    threads = []
    if seeds["seed"].nunique() > 1:
        for _, of_seed in list(seeds.groupby("seed"))[:MOST_THREADS]:
            ordered = of_seed.sort_values("relearn_steps")
            threads.append((_numbers(ordered, "relearn_steps"), _numbers(ordered, "percent")))
    words = tuple(
        f"{where}{label}, {counted(row['relearn_steps'], 'step')}: {in_words(row)}"
        for _, row in line.iterrows()
    )
    x, y, low, high = (_numbers(line, name) for name in ("relearn_steps", "percent", "low", "high"))
    return Series(label, x, y, low, high, words, colour, shade=shade, dashed=dashed, threads=tuple(threads))


def _numbers(frame: pd.DataFrame, name: str) -> np.ndarray:
    return frame[name].to_numpy(float)


def axis_label(headline: Headline) -> str:
    """The axis' name."""
    return f"{headline.words}, %"


def alternative(headline: Headline, *parts: tuple[PictureRows, pd.DataFrame]) -> str:
    """First → last step of each panel's mean, in words; of each part, with the rows that are drawn of it."""
    found = []
    for part, pooled in parts:
        whose = f"{part.whose}, " if len(parts) > 1 else ""
        for count, corpus in product(part.counts, part.corpora):
            rows = rows_with(pooled, repetitions=count, corpus=corpus)
            if len(rows):
                means = rows.groupby("relearn_steps")["percent"].mean()
                found.append(
                    f"{whose}r = {count}, {attack_words(corpus)}: {means.iloc[0]:.0f}% at {means.index[0]} steps, "
                    f"{means.iloc[-1]:.0f}% at {means.index[-1]}"
                )
    return f"Line charts of {headline.words}, depths averaged. {'; '.join(found)}."
