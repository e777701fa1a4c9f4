"""Along the relearning: the headline metric against relearn steps, a line per depth and a thin one per seed.

Bands are left out: those of five depths lie over each other and hide what they are of. Each mark says its interval.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.charts.chart import OKABE_ITO, Chart, Plane, Series, span, ticks
from analysis.charts.panels import PictureRows, picture_rows
from analysis.charts.pooled import Rows, in_words, rows_with, values_present
from study.results.headline import Headline

BAND = "Thin lines: the seeds. Each mark says its 95% interval over seeds (with one seed over its queries)."
MOST_DEPTHS = len(OKABE_ITO)
MOST_THREADS = 5


def curves(rows: Rows) -> Iterator[Chart]:
    """A picture for each model and method that was unlearned."""
    seeds, pooled = rows_with(rows.seeds, start="unlearned"), rows_with(rows.pooled, start="unlearned")
    for part in picture_rows(seeds, pooled, ["model", "method"]):
        depths = [int(str(value)) for value in values_present(part.pooled, "depth")]
        shown = depths
        if len(depths) > MOST_DEPTHS:
            shown = [
                depths[index] for index in np.linspace(0, len(depths) - 1, MOST_DEPTHS).round().astype(int)
            ]
        panels = tuple(
            tuple(
                _plane(title, shown, seeds_of, pooled_of, rows.headline)
                for _, title, seeds_of, pooled_of in line
            )
            for _, line in part.panels()
        )
        thinned = f" {len(shown)} of {len(depths)} depths are drawn." if len(shown) < len(depths) else ""
        yield Chart(
            f"curves{part.suffix}",
            "Along the relearning",
            f"{part.whose}{in_front(rows.headline.words, part.whose)} against relearn steps, one colour a "
            f"depth, along a ramp. {BAND}{thinned}{part.left_out}",
            alternative(rows.headline, part.pooled, part),
            "relearn steps",
            axis_label(rows.headline),
            panels,
        )


def _plane(
    title: str, depths: list[int], seeds: pd.DataFrame, pooled: pd.DataFrame, headline: Headline
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
        f"{where}{label}, {row['relearn_steps']} steps: {in_words(row)}" for _, row in line.iterrows()
    )
    x, y, low, high = (_numbers(line, name) for name in ("relearn_steps", "percent", "low", "high"))
    return Series(label, x, y, low, high, words, colour, shade=shade, dashed=dashed, threads=tuple(threads))


def _numbers(frame: pd.DataFrame, name: str) -> np.ndarray:
    return frame[name].to_numpy(float)


def axis_label(headline: Headline) -> str:
    """The axis' name."""
    return f"{'ASR' if headline.words == 'attack success rate' else headline.words}, %"


def in_front(words: str, whose: str) -> str:
    """Our own words at the beginning of a caption; after an identifier they stay small, and it keeps its case."""
    return words if whose else f"{words[0].upper()}{words[1:]}"


def alternative(headline: Headline, pooled: pd.DataFrame, part: PictureRows) -> str:
    """First → last step of each panel's mean, in words."""
    found = []
    for count in part.counts:
        for corpus in part.corpora:
            rows = rows_with(pooled, repetitions=count, corpus=corpus)
            if len(rows):
                means = rows.groupby("relearn_steps")["percent"].mean()
                found.append(
                    f"r={count}, {corpus}: {means.iloc[0]:.0f}% at {means.index[0]} steps, {means.iloc[-1]:.0f}% at "
                    f"{means.index[-1]}"
                )
    return f"Line charts of {headline.words}, depths averaged. {'; '.join(found)}."
