"""Panels on matplotlib's axes. Every mark is drawn in a group with a name, under which the page finds its words."""

from collections.abc import Callable, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle

from analysis.charts.chart import INK, Heat, Plane, Series
from analysis.charts.drawing.colours import LINE, MARKERS, PAPER, SOFT, colour_of, shape_of
from analysis.statistics.wilson import Numbers

SMALL = 7.6
HEAT = "cividis"
"""Holds for colour-blind readers; every cell carries its number as well."""
OF_A_GRID = 8.8
"""Of a grid of squares, which is as wide as the page: a tablet shows it at three quarters of its size."""
WIDE = 0.64
"""Of a digit or a small letter, of the size of letters."""
BELOW_NAME = -0.14
"""Where a name above its line ends, of the height of a line."""
Marks = Callable[[Sequence[str]], str]
"""Gives a group of marks with these words its name."""


def draw_heat(axes: Axes, panel: Heat, marks: Marks, square: float) -> None:
    """Squares with their numbers; where nothing was computed, a dashed outline.

    Args:
        square: the width of one, in inches.
    """
    size = fitting(("100", *panel.columns), square)
    narrow = fitting((panel.absent,), square) < SMALL
    colours = matplotlib.colormaps[HEAT]
    squares = []
    for (y, x), value in np.ndenumerate(panel.values):
        gone = bool(np.isnan(value))
        face = "none" if gone else colours(value / 100)
        edge, dash = (LINE, "--") if gone else (PAPER, "-")
        squares.append(Rectangle((x - 0.5, y - 0.5), 1, 1, fc=face, ec=edge, ls=dash, lw=0.8))
        text, colour = f"{value:.0f}", "#ffffff" if value < 50 else "#111111"
        if gone:
            text, colour = "–" if narrow else panel.absent, SOFT
        axes.text(x, y, text, ha="center", va="center", color=colour, fontsize=size)
    words = [words for line in panel.words for words in line]
    axes.add_collection(PatchCollection(squares, match_original=True, gid=marks(words)))
    axes.set_xlim(-0.5, len(panel.columns) - 0.5)
    axes.set_ylim(len(panel.rows) - 0.5, -0.5)
    axes.set_xticks(range(len(panel.columns)), list(panel.columns), fontsize=size)
    axes.set_yticks(range(len(panel.rows)), list(panel.rows), fontsize=OF_A_GRID)
    axes.spines[:].set_visible(False)


def draw_colour_bar(axes: Axes, short: bool) -> None:
    """What the colours of squares mean, from 0 to 100%."""
    colours = matplotlib.colormaps[HEAT]
    steps = [Rectangle((0, at), 1, 4, fc=colours((at + 2) / 100), ec="none") for at in range(0, 100, 4)]
    axes.add_collection(PatchCollection(steps, match_original=True))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 100)
    axes.set_xticks([])
    axes.yaxis.tick_right()
    ticks = [0, 50, 100] if short else [0, 25, 50, 75, 100]
    axes.set_yticks(ticks, [f"{at}%" if at == 100 else str(at) for at in ticks], fontsize=OF_A_GRID)
    axes.tick_params(length=0, labelcolor=INK)
    axes.spines[:].set_visible(False)


def draw_plane(axes: Axes, panel: Plane, marks: Marks) -> None:
    """Bars, then series, over two axes."""
    low, high = scaled(np.array(panel.y_range), panel.log_y)
    axes.set_xlim(*scaled(np.array(panel.x_range), panel.log_x))
    margin = 0.0 if panel.across else 0.03 * (high - low)
    axes.set_ylim(low - margin, high + margin)
    for ticks, log, put in (
        (panel.x_ticks, panel.log_x, axes.set_xticks),
        (panel.y_ticks, panel.log_y, axes.set_yticks),
    ):
        values = scaled(np.array([value for value, _ in ticks], dtype=np.float64), log)
        named = put == axes.set_xticks or not panel.across
        put(values.tolist(), [words if named else "" for _, words in ticks], fontsize=SMALL)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    if not panel.across:
        axes.grid(axis="y", color=LINE, lw=0.5)
    else:
        # Each name above its line and not beside it: a narrow screen has room for one of them. The ticks' lines stop
        # below the names, so that none is crossed.
        for value, words in panel.y_ticks:
            for place, _ in panel.x_ticks:
                colour, thick = (LINE, 0.5) if place else (SOFT, 0.8)
                axes.vlines(place, value + BELOW_NAME, value + 0.4, color=colour, lw=thick, zorder=1)
            axes.axhline(value - 0.6, color=LINE, lw=0.5)
            axes.text(panel.x_range[0], value - 0.32, words, fontsize=SMALL, color=INK, va="center")
    for bar in panel.bars:
        strength = 0.15 + 0.45 * bar.strength
        axes.plot(panel.x_range, [bar.y] * 2, color=INK, alpha=strength, lw=0.7, gid=marks([bar.words]))
    for series in panel.series:
        _draw_series(axes, series, panel, marks)


def _draw_series(axes: Axes, series: Series, panel: Plane, marks: Marks) -> None:
    colour = colour_of(series)
    x, y = scaled(series.x, panel.log_x), scaled(series.y, panel.log_y)
    logarithmic = panel.log_x if panel.across else panel.log_y
    low, high = scaled(series.low, logarithmic), scaled(series.high, logarithmic)
    style = "--" if series.dashed else "-"
    for along, values in series.threads:
        thread = (scaled(along, panel.log_x), scaled(values, panel.log_y))
        axes.plot(*thread, style, color=colour, lw=0.5, alpha=0.45)
    if series.joined and panel.band_opacity:
        axes.fill_between(x, low, high, color=colour, alpha=panel.band_opacity, lw=0)
    if series.joined:
        axes.plot(x, y, style, color=colour, lw=1.5)
    whiskers = series.whiskers or not series.joined
    thin = 0.8 if series.joined else 1.3  # beside a line, whiskers stand back
    if whiskers and panel.across:
        axes.hlines(y, low, high, color=colour, lw=thin)
    elif whiskers:
        axes.vlines(x, low, high, color=colour, lw=thin)
    there = np.isfinite(x) & np.isfinite(y)
    if series.beyond:
        axes.vlines(x[there], y[there] - 0.06 * np.ptp(axes.get_ylim()), y[there], color=colour, lw=1.3)
    hollow = series.dashed or series.beyond
    axes.plot(
        x[there],
        y[there],
        ls="",
        color=colour,
        marker="^" if series.beyond else MARKERS[shape_of(series)],
        ms=3.6 if series.joined else 5,
        mfc=PAPER if hollow else colour,
        gid=marks([words for words, kept in zip(series.words, there, strict=True) if kept]),
    )


def fitting(words: Sequence[str], inches: float) -> float:
    """The size of letters, up to that of a grid, at which each of these words fits a width."""
    return min(OF_A_GRID, 0.95 * 72 * inches / (WIDE * max(map(len, words))))


def scaled(values: Numbers, log: bool) -> Numbers:
    """Over log(1 + value), where the axis is."""
    return np.log1p(values) if log else values
