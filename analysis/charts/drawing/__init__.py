"""A chart drawn by matplotlib, once: a PNG for papers and slides, and SVG for pages, light and dark.

Squares of numbers are one picture with shared axes and a colour bar. Of other charts every panel is a picture of its
own, so that a narrow screen stacks them. In the page each mark has its words as a ``<title>``, and every colour but
those of squares is a variable of the style sheet, so that light and dark have their own. Figures are drawn without
pyplot's state.
"""

import io
from collections.abc import Sequence
from html import escape
from xml.etree import ElementTree

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.charts.chart import INK, Chart, Heat, Plane, Series
from analysis.charts.drawing.axes import OF_A_GRID, draw_colour_bar, draw_heat, draw_plane
from analysis.charts.drawing.colours import (
    MARKERS,
    PAGE_COLOURS,
    PAPER,
    SOFT,
    colour_of,
    letters_of,
    shape_of,
    variables,
)
from analysis.charts.drawing.layout import Layout, folded, grid, panel_size, panels
from analysis.charts.drawing.page_svg import add_words, page_text, parsed
from study.results.attack_words import attack_words

DPI = 130
FONTS = "system-ui, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif"
POINTS = 72
PAGE_SCALE = 1.4
"""Pixels of the page for a point of the figure."""
LEAST, LEAST_ALONE, LEAST_OF_WORDS = 0.85, 0.84, 0.8
"""Of its size, below which a picture scrolls rather than shrinks: its numbers would be too small to read. A panel of
many becomes as wide as a phone, and larger by it; one or two panels are wider than a phone. A grid has larger letters.
No letter of the page is smaller than 9 pixels."""
Box = tuple[float, float, float, float]
"""Left, top, width and height in inches, labels included."""


class Drawing:
    """A chart on its figure."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self._words: dict[str, list[str]] = {}
        """Group of marks in the figure → the words of each."""
        self._panels: dict[str, tuple[str, Box]] = {}
        """Panel → its title, and where it lies; of a grid nothing, since it is one picture."""
        with matplotlib.rc_context({"text.parse_math": False}):  # a name with two dollar signs is no formula
            self._figure = self._grid() if isinstance(chart.panels[0][0], Heat) else self._separate()

    def png(self) -> bytes:
        """The whole picture on white."""
        buffer = io.BytesIO()
        self._figure.savefig(buffer, format="png", dpi=DPI, facecolor="white")
        return buffer.getvalue()

    def file(self) -> bytes:
        """The whole picture as an SVG file of its own, which is light or dark as its reader's system is."""
        root = self._tree("file")
        groups = {element.get("id"): element for element in root.iter("g")}
        width, height = (POINTS * float(inches) for inches in self._figure.get_size_inches())
        text = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
            f'width="{PAGE_SCALE * width:.0f}" height="{PAGE_SCALE * height:.0f}" font-family="{FONTS}">'
            f"<title>{escape(self.chart.alternative)}</title><style>:root {{ {variables()} }} "
            f"@media (prefers-color-scheme: dark) {{ :root {{ {variables(dark=True)} }} }}</style>"
            f"{page_text(groups['figure_1'])}</svg>\n"
        )
        return text.encode()

    def _tree(self, salt: str) -> ElementTree.Element:
        buffer = io.BytesIO()
        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
            self._figure.savefig(buffer, format="svg", facecolor="none", metadata={"Date": None})
        return parsed(buffer.getvalue())

    def svg(self, salt: str) -> Markup:
        """The panels and the legend for the page; the caption is the page's.

        Args:
            salt: of the ids; no other chart of the page may have the same.
        """
        root = self._tree(salt)
        groups = {element.get("id"): element for element in root.iter("g")}
        for name, words in self._words.items():
            add_words(groups[name], words)
        label = escape(attack_words(self.chart.alternative))
        if not self._panels:
            width, height = self._figure.get_size_inches()
            inner = page_text(groups["figure_1"])
            lines = self._picture(inner, self.chart.heading, (0, 0, float(width), float(height)))
            lines = f'<div class="line whole">{lines}</div>'
        else:
            drawn: dict[str, str] = {}
            for name, (title, box) in self._panels.items():
                _, line, _ = name.split("-")
                drawn[line] = drawn.get(line, "") + self._picture(page_text(groups[name]), title, box)
            lines = "".join(f'<div class="line{self._columns()}>{line}</div>' for line in drawn.values())
        keys = "".join(_key(series) for series in self.chart.legend)
        legend = f'<div class="legend" aria-hidden="true">{keys}</div>' if keys else ""
        text = f'<div class="chart" role="group" aria-label="{label}">{lines}{legend}</div>'
        return Markup(text)  # noqa: S704 - every text in it is escaped

    def _columns(self) -> str:
        """How narrow a panel may become, and how many stand beside each other: of five three, and two below."""
        first, count = self.chart.panels[0][0], max(len(line) for line in self.chart.panels)
        if not isinstance(first, Plane):
            return ' whole"'
        width = max(box[2] for _, box in self._panels.values())
        least = LEAST * PAGE_SCALE * POINTS * width
        return f'" style="--least: {least:.0f}px; --most: {count if count < 5 else -(-count // 2)}"'

    def _picture(self, drawn: str, title: str, box: Box) -> str:
        left, top, width, height = (POINTS * inches for inches in box)
        wide = PAGE_SCALE * width
        first = self.chart.panels[0][0]
        alone = sum(map(len, self.chart.panels)) <= 2
        least = LEAST_OF_WORDS if isinstance(first, Heat) else LEAST_ALONE if alone else LEAST
        return (
            f'<svg class="panel" data-chart="{escape(self.chart.name)}" role="img" aria-label="{escape(title)}" '
            f'viewBox="{left:.0f} {top:.0f} {width:.0f} {height:.0f}" width="{wide:.0f}" '
            f'style="min-width: {least * wide:.0f}px" height="{PAGE_SCALE * height:.0f}">{drawn}</svg>'
        )

    def _grid(self) -> Figure:
        chart, at = self.chart, grid(self.chart)
        figure = _figure(at)
        last = len(chart.panels) - 1
        two_lines = any("_" in name for name in chart.row_names)
        for row, line in enumerate(chart.panels):
            for column, panel in enumerate(line):
                left, top = at.left + column * at.across, at.over + row * at.down
                axes = _axes(figure, at, left, top, at.wide, at.tall)
                if isinstance(panel, Heat):
                    draw_heat(axes, panel, self._marks, at.wide / len(panel.columns))
                axes.tick_params(length=0, labelcolor=INK, labelleft=column == 0, labelbottom=row == last)
                title = panel.title
                if chart.column_names:
                    title = chart.column_names[column] if row == 0 else ""
                axes.set_title(
                    folded(attack_words(title), at.wide),
                    fontsize=OF_A_GRID,
                    loc="left",
                    color=INK,
                    weight="bold",
                    pad=4,
                )
            if row < len(chart.row_names) and chart.row_names[row]:
                middle = 1 - (at.over + row * at.down + at.tall / 2) / at.height
                figure.text(
                    (0.18 if two_lines else 0.12) / at.width,
                    middle,
                    chart.row_names[row].replace("_", "\n"),
                    rotation=90,
                    ha="center",
                    va="center",
                    fontsize=OF_A_GRID,
                    color=INK,
                    weight="bold",
                )
        bottom = at.over + last * at.down + at.tall
        middle = 1 - (at.over + (bottom - at.over) / 2) / at.height
        side = (0.14 + 0.28 * any(chart.row_names) + 0.12 * two_lines) / at.width
        figure.text(
            side, middle, chart.y_label, rotation=90, ha="center", va="center", fontsize=OF_A_GRID, color=SOFT
        )
        centre = (at.left + (at.width - at.left - 0.85) / 2) / at.width
        figure.text(
            centre, 0.1 / at.height, chart.x_label, ha="center", va="center", fontsize=OF_A_GRID, color=SOFT
        )
        height = min(bottom - at.over, 2.4)
        draw_colour_bar(_axes(figure, at, at.width - 0.68, at.over, 0.14, height), short=height < 1)
        return figure

    def _separate(self) -> Figure:
        chart = self.chart
        wide, _ = panel_size(chart)
        titles = [[folded(attack_words(panel.title), wide) for panel in line] for line in chart.panels]
        folds = max(title.count("\n") for line in titles for title in line)
        width = panels(chart, 0.0, folds).width
        handles, per_line = _legend(chart, width)
        at = panels(chart, 0.1 + 0.19 * -(-len(handles) // per_line) if handles else 0.1, folds)
        figure = _figure(at)
        for row, line in enumerate(chart.panels):
            for column, panel in enumerate(line):
                left, top = column * at.across, row * at.down
                axes = _axes(figure, at, left + at.left, top + at.over, at.wide, at.tall)
                name = f"panel-{row}-{column}"
                axes.set_gid(name)
                self._panels[name] = (
                    attack_words(panel.title) or chart.heading,
                    (left, top, at.left + at.wide + 0.18, at.down),
                )
                if isinstance(panel, Plane):
                    draw_plane(axes, panel, self._marks)
                axes.set_title(titles[row][column], fontsize=8.5, loc="left", color=INK, weight="bold")
                axes.set_xlabel(chart.x_label, fontsize=8, color=SOFT)
                axes.set_ylabel(chart.y_label, fontsize=8, color=SOFT)
                axes.tick_params(length=0, labelcolor=INK)
        if handles:
            labels = [attack_words(series.label) for series in chart.legend]
            figure.legend(handles, labels, loc="lower center", ncols=per_line, fontsize=8, frameon=False)
        return figure

    def _marks(self, words: Sequence[str]) -> str:
        """The name of a group of marks that have these words, in the order in which they are drawn."""
        name = f"marks-{len(self._words)}"
        self._words[name] = [attack_words(each) for each in words]
        return name


def _figure(at: Layout) -> Figure:
    figure = Figure(figsize=(at.width, at.height))
    FigureCanvasAgg(figure)
    return figure


def _axes(figure: Figure, at: Layout, left: float, top: float, wide: float, tall: float) -> Axes:
    """New axes at a place in inches from the left and the top."""
    place = (left / at.width, (at.height - top - tall) / at.height, wide / at.width, tall / at.height)
    axes = figure.add_axes(place)
    axes.patch.set_visible(False)
    return axes


def _legend(chart: Chart, width: float) -> tuple[list[Line2D], int]:
    """The legend's marks, and how many of them fit a line."""
    handles = [
        Line2D(
            [],
            [],
            color=colour_of(series),
            marker="^" if series.beyond else MARKERS[shape_of(series)],
            ls=("--" if series.dashed else "-") if series.joined else "",
            mfc=PAPER if series.dashed or series.beyond else colour_of(series),
            ms=4,
        )
        for series in chart.legend
    ]
    widest = 0.5 + 0.07 * max((len(series.label) for series in chart.legend), default=1)
    return handles, max(1, min(len(handles), int(width / widest)))


def _key(series: Series) -> str:
    """One entry of the page's legend."""
    colour, words = PAGE_COLOURS[colour_of(series)], escape(attack_words(series.label))
    return f'<span class="key"><i style="color:{colour}">{letters_of(series)}</i> {words}</span>'
