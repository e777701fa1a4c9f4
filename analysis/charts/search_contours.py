"""The contours of a search: one panel a corpus, the level's crossing with its band."""

import io

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from analysis.reading.search_result import Searched

LINE, BAND = "#0072B2", "#56B4E9"

DPI = 130


def contour_picture(found: Searched) -> bytes:
    """The contours as a PNG: a panel per model and method (rows) × attack, and repetitions."""
    contexts = found.contours[["model", "method", "corpus", "repetitions"]].drop_duplicates()
    columns = min(4, len(contexts))
    lines = -(-len(contexts) // columns)
    figure = Figure(figsize=(2.7 * columns + 0.5, 2.3 * lines + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    for axes in grid.flat[len(contexts) :]:
        axes.set_visible(False)
    depths = sorted(found.asked["depth"].unique())
    for axes, context in zip(grid.flat, contexts.to_dict("records"), strict=False):
        _panel(axes, found, {str(name): value for name, value in context.items()}, depths)
    figure.supxlabel("relearn steps", fontsize=9)
    figure.supylabel("depth of unlearning", fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DPI, format="png")
    return buffer.getvalue()


def _panel(axes: Axes, found: Searched, context: dict[str, object], depths: list[int]) -> None:
    contours, asked = (_of(frame, context) for frame in (found.contours, found.asked))
    contours = contours.sort_values("relearn_steps")
    lowest, highest = min(depths) - 0.6, max(depths) + 0.6
    steps = [str(value) for value in contours["relearn_steps"]]
    at = np.arange(len(steps))
    low, place, high = (
        np.clip(contours[name].to_numpy(float), lowest, highest)
        for name in ("depth_low", "depth", "depth_high")
    )
    last = max(1, int(found.asked["round"].max()))
    seeds = sorted(found.asked["seed"].unique())
    for row in asked.to_dict("records"):
        off = 0.14 * (seeds.index(row["seed"]) - (len(seeds) - 1) / 2)
        shade = str(0.8 - 0.65 * row["round"] / last)
        axes.plot([at[0], at[-1]], [row["depth"] + off] * 2, color=shade, linewidth=1.2, zorder=1)
        axes.text(at[-1] + 0.08, row["depth"] + off, row["round"], fontsize=4.5, color=shade, va="center")
    axes.fill_between(at, low, high, color=BAND, alpha=0.35, linewidth=0, zorder=2)
    axes.plot(at, place, color=LINE, marker="o", markersize=3, linewidth=1.6, zorder=3)
    axes.set_xticks(at, steps, fontsize=7)
    axes.set_yticks(depths, [str(depth) for depth in depths], fontsize=7)
    axes.set_ylim(lowest, highest)
    several = [str(context[name]) for name in ("model", "method") if found.contours[name].nunique() > 1]
    title = ", ".join([f"{context['corpus']}, r = {context['repetitions']}", *several])
    axes.set_title(title, fontsize=8)


def _of(frame: pd.DataFrame, context: dict[str, object]) -> pd.DataFrame:
    chosen = frame
    for name, value in context.items():
        chosen = chosen[chosen[name] == value]
    return chosen
