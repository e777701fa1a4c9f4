"""Charts as pure data: what is shown, before ``analysis.charts.drawing`` draws it.

Every mark carries its words, so the page can show them on hover and a test can read them. Numbers that are rates are
percent of the whole, 0 to 100, in every chart alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.statistics.wilson import Numbers

INK = "#1b1f24"
"""The colour of words and axes."""
OKABE_ITO = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", INK, "#f0e442")
"""Colours that colour-blind readers tell apart; a ninth series takes the first again, with another marker."""


@dataclass(frozen=True)
class Heat:
    """A grid of numbers.

    Attributes:
        values: rows × columns, 0 to 100; NaN is missing and shown as such.
        words: for each cell, in the same shape.
        absent: what stands in a cell without a value.
    """

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: Numbers
    words: tuple[tuple[str, ...], ...]
    absent: str = "missing"


@dataclass(frozen=True)
class Series:
    """Points with an interval each, joined or not.

    Attributes:
        low, high: NaN where there is no interval.
        words: one for each point.
        colour: an index into the palette, and into the markers.
        shade: 0 to 1 along a ramp instead, for a value of an ordered axis, such as depth.
        joined: a line through the points.
        whiskers: an interval at each point; else, of a joined series, a band.
        beyond: the points lie beyond the edge, where open arrows stand in their place.
        dashed: for the second of two that share a colour.
        threads: the seeds one by one, as (x, y) each.
    """

    label: str
    x: Numbers
    y: Numbers
    low: Numbers
    high: Numbers
    words: tuple[str, ...]
    colour: int = 0
    shade: float | None = None
    joined: bool = True
    whiskers: bool = False
    beyond: bool = False
    dashed: bool = False
    threads: tuple[tuple[Numbers, Numbers], ...] = ()


@dataclass(frozen=True)
class Bar:
    """A horizontal line across a panel.

    Attributes:
        strength: 0 to 1, from pale to dark.
    """

    y: float
    strength: float
    words: str


@dataclass(frozen=True)
class Plane:
    """Series over two axes.

    Attributes:
        x_range, y_range: what the axes span.
        x_ticks, y_ticks: places and words; names instead of numbers for categories.
        log_x, log_y: over log(1 + value), so that 0 has a place.
        band_opacity: of the intervals of joined series; 0 leaves them to the words of the marks.
        bars: behind the series.
        across: intervals lie along the horizontal axis, with a line at its 0: a forest plot.
    """

    title: str
    series: tuple[Series, ...]
    x_range: tuple[float, float]
    y_range: tuple[float, float] = (0.0, 100.0)
    x_ticks: tuple[tuple[float, str], ...] = ()
    y_ticks: tuple[tuple[float, str], ...] = ((0, "0"), (25, "25"), (50, "50"), (75, "75"), (100, "100"))
    log_x: bool = False
    log_y: bool = False
    band_opacity: float = 0.18
    bars: tuple[Bar, ...] = ()
    across: bool = False


Panel = Heat | Plane


@dataclass(frozen=True, eq=False)
class Chart:
    """One picture of one or more panels that share their axes' names.

    Attributes:
        name: the file's, without its ending.
        heading: of the section that it stands in.
        alternative: for those who do not see it, with numbers.
        panels: lines of panels, all of one kind.
        row_names, column_names: of a grid of ``Heat``, in place of the panels' titles.
    """

    name: str
    heading: str
    caption: str
    alternative: str
    x_label: str
    y_label: str
    panels: tuple[tuple[Panel, ...], ...]
    row_names: tuple[str, ...] = ()
    column_names: tuple[str, ...] = ()

    @property
    def legend(self) -> list[Series]:
        """One series for each label that is not empty, in the order of their first panel."""
        found: dict[str, Series] = {}
        for line in self.panels:
            for panel in line:
                if isinstance(panel, Plane):
                    for series in panel.series:
                        found.setdefault(series.label, series)
        return [series for label, series in found.items() if label]


def ticks(values: Sequence[float], most: int = 8) -> tuple[tuple[float, str], ...]:
    """The values themselves as places on an axis; evenly thinned where there are many."""
    distinct = sorted({float(value) for value in values})
    if len(distinct) > most:
        chosen = np.unique(np.linspace(0, len(distinct) - 1, most).round().astype(int))
        distinct = [distinct[index] for index in chosen]
    return tuple((value, f"{value + 0.0:g}") for value in distinct)  # + 0.0: no minus sign before a zero


def span(values: Sequence[float], margin: float = 0.04) -> tuple[float, float]:
    """From the least to the greatest with a margin; of one value, one unit about it."""
    finite = [float(value) for value in values if np.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    if low == high:
        return low - 0.5, high + 0.5
    return low - margin * (high - low), high + margin * (high - low)


def between(low: float, high: float) -> str:
    """An interval in words; nothing where there is none."""
    return "" if np.isnan(low) or np.isnan(high) else f" ({low:.0f}–{high:.0f})"
