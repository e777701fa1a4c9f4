"""Charts as PNG files, for papers and slides: drawn by matplotlib on figures of their own, without pyplot's state.

Cividis and Okabe–Ito hold for colour-blind readers; every cell of a heatmap carries its number and series differ by
marker as well as colour, so both hold in grey print. Missing cells are hatched and say so.
"""

import io
import re

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from analysis.charts.chart import OKABE_ITO, Chart, Heat, Plane, Series

DPI = 130
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
SMALL = 7.5


def png(chart: Chart) -> bytes:
    """The chart as a PNG on white.

    Places are reckoned here in inches: matplotlib's own layout draws everything twice to find them.
    """
    heat = isinstance(chart.panels[0][0], Heat)
    rows, columns = len(chart.panels), max(len(line) for line in chart.panels)
    wide, tall = _size(chart)
    aside = 0.32 + 0.062 * _longest(chart)
    lines = 1 + max((words.count("\n") for panel in _planes(chart) for _, words in panel.x_ticks), default=0)
    titles = [[_folded(panel.title, wide) for panel in line] for line in chart.panels]
    folds = max(title.count("\n") for line in titles for title in line)
    under, over = 0.2 + 0.13 * lines, 0.26 + 0.16 * folds
    width = max(columns * (aside + wide) + (1.0 if heat else 0.2), 3.2)
    handles, per_line = _keys(chart, width)
    foot = 0.22 + 0.19 * -(-len(handles) // per_line) if handles else 0.22
    height = rows * (over + tall + under) + foot
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    image: AxesImage | None = None
    for row, line in enumerate(chart.panels):
        for column, panel in enumerate(line):
            left = column * (aside + wide) + aside
            bottom = height - (row + 1) * (over + tall + under) + under
            axes = figure.add_axes((left / width, bottom / height, wide / width, tall / height))
            if isinstance(panel, Heat):
                image = _heat(axes, panel)
            else:
                _plane(axes, panel)
            axes.set_title(titles[row][column], fontsize=9, loc="left")
            below = row + 1 < rows and column < len(chart.panels[row + 1])
            axes.set_xlabel("" if below else chart.x_label, fontsize=8)
            axes.set_ylabel("" if column else chart.y_label, fontsize=8)
    if image is not None:
        place = (
            (width - 0.75) / width,
            (foot + under) / height,
            0.12 / width,
            min(tall * rows, 2.2) / height,
        )
        bar = figure.colorbar(image, cax=figure.add_axes(place))
        bar.set_label("%", fontsize=8)
        bar.ax.tick_params(labelsize=7)
    if handles:
        labels = [series.label for series in chart.legend]
        figure.legend(handles, labels, loc="lower center", ncols=per_line, fontsize=8, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor="white")
    return buffer.getvalue()


def _folded(title: str, inches: float) -> str:
    """The title in as many lines as its panel's width takes, broken behind commas and brackets: an attack's is long."""
    letters = int(inches / 0.082)
    lines = [""]
    for part in re.split(r"(?<=[,(])", title):
        if lines[-1] and len(lines[-1] + part.rstrip()) > letters:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.strip() for line in lines)


def _planes(chart: Chart) -> list[Plane]:
    return [panel for line in chart.panels for panel in line if isinstance(panel, Plane)]


def _longest(chart: Chart) -> int:
    """Letters of the longest words beside an axis."""
    first = chart.panels[0][0]
    words = list(first.rows) if isinstance(first, Heat) else [words for _, words in first.y_ticks]
    return max(map(len, words), default=1)


def _size(chart: Chart) -> tuple[float, float]:
    """Inches of a panel."""
    first = chart.panels[0][0]
    if isinstance(first, Heat):
        return max(0.42 * len(first.columns), 1.2), max(0.25 * len(first.rows), 1.1)
    few = sum(len(line) for line in chart.panels) <= 2
    named = max((len(part) for _, words in first.x_ticks for part in words.split("\n")), default=1)
    wide = 4.2 if few else 2.2
    return max(wide, 0.075 * named * len(first.x_ticks) if named > 5 else 0), 2.4 if few else 1.5


def _heat(axes: Axes, panel: Heat) -> AxesImage:
    image = axes.imshow(panel.values, cmap="cividis", vmin=0, vmax=100, aspect="auto")
    for (y, x), value in np.ndenumerate(panel.values):
        if np.isnan(value):
            axes.add_patch(
                Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, hatch="////", edgecolor="#999999", lw=0)
            )
            words, colour = "missing", "#555555"
        else:
            words, colour = f"{value:.0f}", "white" if value < 50 else "black"
        axes.text(x, y, words, ha="center", va="center", color=colour, fontsize=SMALL)
    axes.set_xticks(range(len(panel.columns)), list(panel.columns), fontsize=SMALL)
    axes.set_yticks(range(len(panel.rows)), list(panel.rows), fontsize=SMALL)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    return image


def _plane(axes: Axes, panel: Plane) -> None:
    for series in panel.series:
        _series(axes, series, panel)
    axes.set_xlim(*_scaled(np.array(panel.x_range), panel.log_x))
    low, high = _scaled(np.array(panel.y_range), panel.log_y)
    axes.set_ylim(low - 0.03 * (high - low), high + 0.03 * (high - low))
    for places, log, put in (
        (panel.x_ticks, panel.log_x, axes.set_xticks),
        (panel.y_ticks, panel.log_y, axes.set_yticks),
    ):
        put(
            _scaled(np.array([place for place, _ in places]), log).tolist(),
            [words for _, words in places],
            fontsize=SMALL,
        )
    axes.grid(alpha=0.25, lw=0.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _series(axes: Axes, series: Series, panel: Plane) -> None:
    colour = OKABE_ITO[series.colour % len(OKABE_ITO)]
    marker = MARKERS[(series.colour + series.colour // len(OKABE_ITO)) % len(MARKERS)]
    x, y = _scaled(series.x, panel.log_x), _scaled(series.y, panel.log_y)
    low, high = _scaled(series.low, panel.log_y), _scaled(series.high, panel.log_y)
    style = "--" if series.dashed else "-"
    if series.joined:
        axes.plot(x, y, style, color=colour, lw=1.8, marker=marker, ms=3.2)
        axes.fill_between(x, low, high, color=colour, alpha=0.18, lw=0)
    else:
        axes.vlines(x, low, high, color=colour, lw=1.4)
        axes.plot(
            x, y, ls="", color=colour, marker=marker, ms=5.5, fillstyle="none" if series.dashed else "full"
        )
    for thread in series.threads:
        axes.plot(
            _scaled(thread[0], panel.log_x),
            _scaled(thread[1], panel.log_y),
            style,
            color=colour,
            lw=0.5,
            alpha=0.55,
        )


def _scaled(values: np.ndarray, log: bool) -> np.ndarray:
    return np.log1p(values) if log else values


def _keys(chart: Chart, width: float) -> tuple[list[Line2D], int]:
    """The legend's marks, and how many of them fit a line."""
    handles = [
        Line2D(
            [],
            [],
            color=OKABE_ITO[series.colour % len(OKABE_ITO)],
            marker=MARKERS[(series.colour + series.colour // len(OKABE_ITO)) % len(MARKERS)],
            ls=("--" if series.dashed else "-") if series.joined else "",
            fillstyle="none" if series.dashed and not series.joined else "full",
            ms=4,
        )
        for series in chart.legend
    ]
    widest = 0.5 + 0.07 * max((len(series.label) for series in chart.legend), default=1)
    return handles, max(1, min(len(handles), int(width / widest)))
