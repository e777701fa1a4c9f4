"""Where the panels of a chart lie, in inches. Computed here: matplotlib's own layout draws everything twice to find it.

Squares of numbers are one grid with shared axes; other panels stand each with its own axes, so that a narrow screen can
stack them.
"""

import re
from dataclasses import dataclass
from typing import Literal

from analysis.charts.chart import Chart, Heat, Plane
from study.results.attack_words import attack_words

PAGE_WIDTH = 9.6
"""Inches that a picture may take at most: the text column of the page."""
BAR = 0.85
"""Of the colour bar and its numbers."""
LETTER = 0.062
"""Of a small letter."""
DIGIT = 0.078
"""Of a letter beside a grid."""
FOREST = {1: 3.4, 2: 3.4, 3: 2.9}
"""Of a panel of a forest plot, by how many stand beside each other; the widest just fits a phone."""


@dataclass(frozen=True)
class Layout:
    """Inches.

    Attributes:
        width, height: of the whole.
        wide, tall: of a panel without its labels.
        left, under, over: what a panel needs beside, below and above it; of a grid, what the whole needs.
        across, down: from one panel to the next.
        foot: of the legend.
    """

    width: float
    height: float
    wide: float
    tall: float
    left: float
    under: float
    over: float
    across: float
    down: float
    foot: float


def grid(chart: Chart) -> Layout:
    """Of panels that share their axes: the rows' names stand to the left, the columns' above."""
    rows, columns = len(chart.panels), max(len(line) for line in chart.panels)
    heats = [panel for line in chart.panels for panel in line if isinstance(panel, Heat)]
    first = heats[0]
    left = 0.42 + DIGIT * max(map(len, first.rows))
    if any(chart.row_names):
        left += 0.3 + 0.14 * any("_" in name for name in chart.row_names)
    gap, under = 0.16, 0.42
    room = (PAGE_WIDTH - left - BAR - gap * (columns - 1)) / columns
    cell = min(0.95, max(0.27, room / len(first.columns)))
    wide = max(cell * len(first.columns), 1.1)
    names = [attack_words(name) for name in chart.column_names or [panel.title for panel in heats]]
    over = 0.3 + 0.17 * max(folded(name, wide).count("\n") for name in names)
    tall = max(min(0.3, max(0.24, 0.55 * cell)) * len(first.rows), 0.5)
    width = left + columns * wide + gap * (columns - 1) + BAR
    down = tall + (0.14 if chart.column_names else over)
    height = over + (rows - 1) * down + tall + under
    return Layout(width, height, wide, tall, left, under, over, wide + gap, down, 0.0)


def panels(chart: Chart, foot: float, folds: int) -> Layout:
    """Of panels with axes of their own.

    Args:
        foot: of the legend.
        folds: lines of the longest title beyond the first.
    """
    rows, columns = len(chart.panels), max(len(line) for line in chart.panels)
    wide, tall = panel_size(chart)
    first = chart.panels[0][0]
    beside = [part for words in tick_words(chart, "y") for part in words.split("\n")]
    above = isinstance(first, Plane) and first.across  # then its names stand above its lines
    left = 0.3 if above else 0.36 + LETTER * max(map(len, beside), default=1)
    lines = 1 + max((words.count("\n") for words in tick_words(chart, "x")), default=0)
    under, over = 0.26 + 0.13 * lines, 0.26 + 0.16 * folds
    width = max(columns * (left + wide) + 0.2, 3.2)
    height = rows * (over + tall + under) + foot
    return Layout(width, height, wide, tall, left, under, over, left + wide, over + tall + under, foot)


def panel_size(chart: Chart) -> tuple[float, float]:
    """Inches of a panel, without its labels."""
    first = chart.panels[0][0]
    count = sum(len(line) for line in chart.panels)
    if isinstance(first, Plane) and first.across:
        longest = LETTER * max(
            map(len, tick_words(chart, "y")), default=1
        )  # above the lines, within the panel
        lines = max(len(panel.y_ticks) for line in chart.panels for panel in line if isinstance(panel, Plane))
        return min(FOREST[1], max(longest, FOREST[min(len(chart.panels[0]), 3)])), 0.32 * lines
    few = count <= 2
    ticks = first.x_ticks if isinstance(first, Plane) else ()
    named = max((len(part) for _, words in ticks for part in words.split("\n")), default=1)
    wide = 3.2 if few else 2.3
    return max(wide, 0.075 * named * len(ticks) if named > 5 else 0), 2.4 if few else 1.5


def folded(title: str, inches: float) -> str:
    """The title in as many lines as its panel's width takes.

    It is broken at commas and brackets, since an attack's is long, and between words where that is not enough.
    """
    letters = int(inches / 0.084)  # of wide ones
    lines = [""]
    parts = re.split(r"(?<=,)|(?= \()|(?<=\w\()", title)
    if max(map(len, parts)) > inches / 0.07:
        parts = re.split(r"(?<= )", title)
    for part in parts:
        if lines[-1] and len(lines[-1] + part.rstrip()) > letters:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.strip() for line in lines)


def tick_words(chart: Chart, axis: Literal["x", "y"]) -> list[str]:
    """What stands below the horizontal axes, or beside the vertical ones."""
    planes = [panel for line in chart.panels for panel in line if isinstance(panel, Plane)]
    return [words for panel in planes for _, words in (panel.x_ticks if axis == "x" else panel.y_ticks)]
