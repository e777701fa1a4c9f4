"""Charts as PNG files, for papers and slides: drawn by matplotlib on figures of their own, without pyplot's state.

Cividis and Okabe–Ito hold for colour-blind readers; every cell of a heatmap carries its number and series differ by
marker as well as colour, so both hold in grey print. Missing cells are hatched and say so.
"""

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from analysis.pictures.charts import OKABE_ITO, Chart, Heat, Plane, Series

DPI = 130
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
SMALL = 7.5


def png(chart: Chart) -> bytes:
    """The chart as a PNG on white."""
    rows, columns = len(chart.panels), max(len(line) for line in chart.panels)
    width, height = _size(chart)
    figure = Figure(figsize=(width * columns + 0.9, height * rows + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False)
    image: AxesImage | None = None
    for row, line in enumerate(chart.panels):
        for column in range(columns):
            axes = grid[row][column]
            if column >= len(line):
                axes.set_axis_off()
                continue
            panel = line[column]
            if isinstance(panel, Heat):
                image = _heat(axes, panel)
            else:
                _plane(axes, panel)
            axes.set_title(panel.title, fontsize=9, loc="left")
            below = row + 1 < rows and column < len(chart.panels[row + 1])
            axes.set_xlabel("" if below else chart.x_label, fontsize=8)
            axes.set_ylabel("" if column else chart.y_label, fontsize=8)
    if image is not None:
        bar = figure.colorbar(image, ax=grid.ravel().tolist(), shrink=0.5, aspect=30)
        bar.set_label("%", fontsize=8)
        bar.ax.tick_params(labelsize=7)
    _legend(figure, chart)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor="white")
    return buffer.getvalue()


def _size(chart: Chart) -> tuple[float, float]:
    """Inches of a panel."""
    first = chart.panels[0][0]
    if isinstance(first, Heat):
        return 0.55 * len(first.columns) + 1.2, 0.34 * len(first.rows) + 0.8
    few = sum(len(line) for line in chart.panels) <= 2
    tall = max(len(first.y_ticks) * 0.3, 2.6 if few else 1.75)
    return (4.6 if few else 2.7), tall


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


def _legend(figure: Figure, chart: Chart) -> None:
    shown = chart.legend
    if not shown:
        return
    from matplotlib.lines import Line2D

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
        for series in shown
    ]
    labels = [series.label for series in shown]
    widest = 0.5 + 0.07 * max(len(label) for label in labels)  # inches, roughly, at this size
    columns = max(1, min(len(labels), int(figure.get_figwidth() / widest)))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=8, frameon=False)
