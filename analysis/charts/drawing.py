"""A chart drawn by matplotlib, once: a PNG for papers and slides, and SVG panels for the page.

Cividis and Okabe–Ito hold for colour-blind readers; every cell of a heatmap carries its number, and series differ by
marker as well as by colour, so both hold in grey print. Figures are drawn without pyplot's state.

In the page every panel is a picture of its own, so that a narrow screen stacks them; each mark has its words as a
``<title>``, and every colour but those of heat is a variable of the style sheet, so that light and dark have their own.
Sizes are computed here, in inches: matplotlib's own layout draws everything twice to find them.
"""

import io
import re
from collections.abc import Callable, Sequence
from html import escape
from xml.etree import ElementTree

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from analysis.charts.chart import INK, OKABE_ITO, Chart, Heat, Plane, Series
from analysis.statistics.wilson import Numbers

SOFT, LINE, PAPER = "#5b6470", "#d9dee4", "#fffffe"
PAGE_COLOURS = {
    INK: "var(--ink)",
    SOFT: "var(--soft)",
    LINE: "var(--line)",
    PAPER: "var(--paper)",
    **{colour: f"var(--c{index})" for index, colour in enumerate(OKABE_ITO) if colour != INK},
}
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
FULL, HOLLOW = "●■▲◆▼✚✖★", "○□△◇▽✚✖☆"
"""The markers as letters, for the page's legend."""
DPI = 130
POINTS = 72
PAGE_SCALE = 1.4
"""Pixels of the page for a point of the figure."""
SMALL = 7.5


class Drawing:
    """A chart on its figure."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self._words: dict[str, list[str]] = {}
        """Group of marks in the figure → the words of each."""
        self._panels: dict[str, tuple[str, tuple[float, float, float, float]]] = {}
        """Panel → its title, and left, top, width and height in inches, labels included."""
        with matplotlib.rc_context({"text.parse_math": False}):  # a name with two dollar signs is no formula
            self._figure = self._draw()

    def png(self) -> bytes:
        """The whole picture on white."""
        buffer = io.BytesIO()
        self._figure.savefig(buffer, format="png", dpi=DPI, facecolor="white")
        return buffer.getvalue()

    def svg(self, salt: str) -> Markup:
        """The panels and the legend for the page; the caption is the page's.

        Args:
            salt: of the ids; no other chart of the page may have the same.
        """
        buffer = io.BytesIO()
        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
            self._figure.savefig(buffer, format="svg", metadata={"Date": None})
        written = re.sub(
            rb"[\x00-\x08\x0b\x0c\x0e-\x1f]", b"", buffer.getvalue()
        )  # XML has no control characters
        root = ElementTree.fromstring(written)  # noqa: S314 - written two lines above
        for element in root.iter():
            _without_namespace(element)
        groups = {element.get("id"): element for element in root.iter("g")}
        for name, words in self._words.items():
            _add_words(groups[name], words)
        lines: dict[str, str] = {}
        for name, (title, box) in self._panels.items():
            _, line, _ = name.split("-")
            lines[line] = lines.get(line, "") + self._panel(groups[name], title, box)
        panels = "".join(f'<div class="line">{line}</div>' for line in lines.values())
        keys = "".join(_key(series) for series in self.chart.legend)
        legend = f'<div class="legend" aria-hidden="true">{keys}</div>' if keys else ""
        label = escape(self.chart.alternative)
        text = f'<div class="chart" role="group" aria-label="{label}">{panels}{legend}</div>'
        return Markup(text)  # noqa: S704 - every text in it is escaped

    def _panel(self, group: ElementTree.Element, title: str, box: tuple[float, float, float, float]) -> str:
        left, top, width, height = (POINTS * inches for inches in box)
        name, wide = escape(self.chart.name), PAGE_SCALE * width
        return (
            f'<svg class="panel" data-chart="{name}" role="img" aria-label="{escape(title)}" '
            f'viewBox="{left:.0f} {top:.0f} {width:.0f} {height:.0f}" width="{wide:.0f}" '
            f'style="min-width: {0.7 * wide:.0f}px" height="{PAGE_SCALE * height:.0f}">{_page_text(group)}</svg>'
        )

    def _draw(self) -> Figure:
        chart = self.chart
        rows, columns = len(chart.panels), max(len(line) for line in chart.panels)
        wide, tall = _panel_size(chart)
        aside = 0.36 + 0.062 * max((len(words) for words in _side_words(chart)), default=1)
        lines = 1 + max((words.count("\n") for words in _bottom_words(chart)), default=0)
        titles = [[_folded(panel.title, wide) for panel in line] for line in chart.panels]
        folds = max(title.count("\n") for line in titles for title in line)
        under, over = 0.26 + 0.13 * lines, 0.26 + 0.16 * folds
        heat = isinstance(chart.panels[0][0], Heat)
        width = max(columns * (aside + wide) + (1.0 if heat else 0.2), 3.2)
        handles, per_line = _legend(chart, width)
        foot = 0.1 + 0.19 * -(-len(handles) // per_line) if handles else 0.1
        height = rows * (over + tall + under) + foot
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        for row, line in enumerate(chart.panels):
            for column, panel in enumerate(line):
                left, top = column * (aside + wide), row * (over + tall + under)
                bottom = height - top - over - tall
                axes = figure.add_axes(((left + aside) / width, bottom / height, wide / width, tall / height))
                name = f"panel-{row}-{column}"
                axes.set_gid(name)
                axes.patch.set_visible(False)
                box = (left, top, aside + wide + 0.12, over + tall + under)
                self._panels[name] = (panel.title or chart.heading, box)
                if isinstance(panel, Heat):
                    _draw_heat(axes, panel, self._marks)
                else:
                    _draw_plane(axes, panel, self._marks)
                axes.set_title(titles[row][column], fontsize=8.5, loc="left", color=INK, weight="bold")
                axes.set_xlabel(chart.x_label, fontsize=8, color=SOFT)
                axes.set_ylabel(chart.y_label, fontsize=8, color=SOFT)
                axes.tick_params(length=0, labelcolor=INK)
        if heat:
            place = (
                (width - 0.75) / width,
                (foot + under) / height,
                0.12 / width,
                min(tall * rows, 2.2) / height,
            )
            bar = figure.colorbar(ScalarMappable(Normalize(0, 100), "cividis"), cax=figure.add_axes(place))
            bar.set_label("%", fontsize=8)
            bar.ax.tick_params(labelsize=7)
        if handles:
            labels = [series.label for series in chart.legend]
            figure.legend(handles, labels, loc="lower center", ncols=per_line, fontsize=8, frameon=False)
        return figure

    def _marks(self, words: Sequence[str]) -> str:
        """The name of a group of marks that have these words, in the order in which they are drawn."""
        name = f"marks-{len(self._words)}"
        self._words[name] = list(words)
        return name


def _draw_heat(axes: Axes, panel: Heat, marks: Callable[[Sequence[str]], str]) -> None:
    colours = matplotlib.colormaps["cividis"]
    squares = []
    for (y, x), value in np.ndenumerate(panel.values):
        gone = bool(np.isnan(value))
        face = "none" if gone else colours(value / 100)
        edge, dash = (LINE, "--") if gone else (PAPER, "-")
        squares.append(Rectangle((x - 0.5, y - 0.5), 1, 1, fc=face, ec=edge, ls=dash, lw=0.8))
        text, colour = ("missing", SOFT) if gone else (f"{value:.0f}", "#ffffff" if value < 50 else "#111111")
        axes.text(x, y, text, ha="center", va="center", color=colour, fontsize=SMALL - gone)
    words = [words for line in panel.words for words in line]
    axes.add_collection(PatchCollection(squares, match_original=True, gid=marks(words)))
    axes.set_xlim(-0.5, len(panel.columns) - 0.5)
    axes.set_ylim(len(panel.rows) - 0.5, -0.5)
    axes.set_xticks(range(len(panel.columns)), list(panel.columns), fontsize=SMALL)
    axes.set_yticks(range(len(panel.rows)), list(panel.rows), fontsize=SMALL)
    axes.spines[:].set_visible(False)


def _draw_plane(axes: Axes, panel: Plane, marks: Callable[[Sequence[str]], str]) -> None:
    low, high = _scaled(np.array(panel.y_range), panel.log_y)
    axes.set_xlim(*_scaled(np.array(panel.x_range), panel.log_x))
    axes.set_ylim(low - 0.03 * (high - low), high + 0.03 * (high - low))
    for ticks, log, put in (
        (panel.x_ticks, panel.log_x, axes.set_xticks),
        (panel.y_ticks, panel.log_y, axes.set_yticks),
    ):
        values = _scaled(np.array([value for value, _ in ticks], dtype=np.float64), log)
        put(values.tolist(), [words for _, words in ticks], fontsize=SMALL)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=LINE, lw=0.5)
    axes.spines[:].set_visible(False)
    for bar in panel.bars:
        strength = 0.2 + 0.7 * bar.strength
        axes.plot(panel.x_range, [bar.y] * 2, color=INK, alpha=strength, lw=1.2, gid=marks([bar.words]))
        axes.text(
            panel.x_range[1], bar.y, f" {bar.label}", fontsize=5, color=INK, alpha=strength, va="center"
        )
    for series in panel.series:
        _draw_series(axes, series, panel, marks)


def _draw_series(axes: Axes, series: Series, panel: Plane, marks: Callable[[Sequence[str]], str]) -> None:
    colour, marker = _colour(series), MARKERS[_shape(series)]
    x, y = _scaled(series.x, panel.log_x), _scaled(series.y, panel.log_y)
    low, high = _scaled(series.low, panel.log_y), _scaled(series.high, panel.log_y)
    style = "--" if series.dashed else "-"
    for along, values in series.threads:
        thread = (_scaled(along, panel.log_x), _scaled(values, panel.log_y))
        axes.plot(*thread, style, color=colour, lw=0.5, alpha=0.55)
    if series.joined:
        axes.fill_between(x, low, high, color=colour, alpha=panel.band_opacity, lw=0)
        axes.plot(x, y, style, color=colour, lw=1.5)
    else:
        axes.vlines(x, low, high, color=colour, lw=1.3)
    there = np.isfinite(x) & np.isfinite(y)
    axes.plot(
        x[there],
        y[there],
        ls="",
        color=colour,
        marker=marker,
        ms=3.6 if series.joined else 5,
        mfc=PAPER if series.dashed else colour,
        gid=marks([words for words, kept in zip(series.words, there, strict=True) if kept]),
    )


def _scaled(values: Numbers, log: bool) -> Numbers:
    return np.log1p(values) if log else values


def _colour(series: Series) -> str:
    return OKABE_ITO[series.colour % len(OKABE_ITO)]


def _shape(series: Series) -> int:
    """The number of its marker: other than that of the series whose colour it shares."""
    return (series.colour + series.colour // len(OKABE_ITO)) % len(MARKERS)


def _legend(chart: Chart, width: float) -> tuple[list[Line2D], int]:
    """The legend's marks, and how many of them fit a line."""
    handles = [
        Line2D(
            [],
            [],
            color=_colour(series),
            marker=MARKERS[_shape(series)],
            ls=("--" if series.dashed else "-") if series.joined else "",
            mfc=PAPER if series.dashed else _colour(series),
            ms=4,
        )
        for series in chart.legend
    ]
    widest = 0.5 + 0.07 * max((len(series.label) for series in chart.legend), default=1)
    return handles, max(1, min(len(handles), int(width / widest)))


def _key(series: Series) -> str:
    """One entry of the page's legend."""
    mark = (HOLLOW if series.dashed else FULL)[_shape(series)]
    line = ("╌" if series.dashed else "─") if series.joined else ""
    colour = PAGE_COLOURS[_colour(series)]
    return f'<span class="key"><i style="color:{colour}">{line}{mark}{line}</i> {escape(series.label)}</span>'


def _folded(title: str, inches: float) -> str:
    """The title in as many lines as its panel's width takes, broken behind commas and brackets: an attack's is long."""
    letters = int(inches / 0.082)
    lines = [""]
    for part in re.split(r"(?<=[,(])", title):
        if lines[-1] and len(lines[-1] + part.rstrip()) > letters:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.strip() for line in lines)


def _side_words(chart: Chart) -> list[str]:
    """What stands beside the vertical axes."""
    panels = [panel for line in chart.panels for panel in line]
    return [
        words
        for panel in panels
        for words in (panel.rows if isinstance(panel, Heat) else [words for _, words in panel.y_ticks])
    ]


def _bottom_words(chart: Chart) -> list[str]:
    """What stands below the horizontal axes."""
    panels = [panel for line in chart.panels for panel in line]
    return [words for panel in panels if isinstance(panel, Plane) for _, words in panel.x_ticks]


def _panel_size(chart: Chart) -> tuple[float, float]:
    """Inches of a panel, without its labels."""
    first = chart.panels[0][0]
    if isinstance(first, Heat):
        return max(0.42 * len(first.columns), 1.2), max(0.25 * len(first.rows), 1.1)
    few = sum(len(line) for line in chart.panels) <= 2
    named = max((len(part) for _, words in first.x_ticks for part in words.split("\n")), default=1)
    wide = 4.2 if few else 2.2
    return max(wide, 0.075 * named * len(first.x_ticks) if named > 5 else 0), 2.4 if few else 1.5


def _without_namespace(element: ElementTree.Element) -> None:
    """HTML knows SVG by itself."""
    element.tag = element.tag.rpartition("}")[2]
    for name in [name for name in element.attrib if "}" in name]:
        element.set(name.rpartition("}")[2], element.attrib.pop(name))


def _add_words(group: ElementTree.Element, words: Sequence[str]) -> None:
    """Each mark of a group with its words as a title, which a browser shows on hover."""
    for parent in list(group.iter("g")):
        drawn = [element for element in parent if element.tag in ("use", "path")]
        for element in drawn:
            mark = ElementTree.Element("g", {"class": "mark"})
            parent[list(parent).index(element)] = mark
            ElementTree.SubElement(mark, "title").text = None
            mark.append(element)
            if element.tag == "use":  # a small marker is hit from nearby
                place = {"cx": element.get("x", "0"), "cy": element.get("y", "0")}
                ElementTree.SubElement(mark, "circle", {"class": "near", "r": "6", **place})
    for title, text in zip(group.iter("title"), words, strict=True):
        title.text = text


def _page_text(group: ElementTree.Element) -> str:
    """A panel as text, without what the page does not need: ids, clipping, fonts and digits beyond the second."""
    for element in group.iter():
        if element.tag == "g":
            element.attrib.pop("id", None)
        element.attrib.pop("clip-path", None)
        element.tail = None
    text = ElementTree.tostring(group, encoding="unicode")
    for pattern, instead in (
        (r" transform=\"rotate\(-0 [^)]*\)\"", ""),
        (r"font-family: [^;\"]*;? ?", ""),
        (r"(\d\.\d\d)\d+", r"\1"),
        (r"\s*\n\s*", " "),
    ):
        text = re.sub(pattern, instead, text)
    return re.sub(r"#[0-9a-f]{6}\b", lambda found: PAGE_COLOURS.get(found[0], found[0]), text)
