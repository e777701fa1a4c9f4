"""Charts as SVG within the page: marks with their words, which show on hover without any library.

Colours are CSS variables of the page, so that light and dark have their own; heat keeps cividis in both. A panel is a
picture of its own, so that narrow screens can stack them. Texts are escaped here and nowhere else.
"""

from collections.abc import Callable
from html import escape
from math import ceil

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.colors import to_hex

from analysis.charts.chart import OKABE_ITO, Chart, Heat, Panel, Plane, Series
from analysis.statistics.wilson import Numbers

Scale = Callable[[Numbers], Numbers]
CELL = (46, 25)
FEW, MANY = (430, 250), (232, 150)
LETTER = 6.2
"""Pixels of a letter, roughly, at the size of the labels."""


def svg(chart: Chart) -> Markup:
    """The chart's panels and its legend; the caption is the page's."""
    few = sum(len(line) for line in chart.panels) <= 2
    lines = []
    for line in chart.panels:
        panels = "".join(_panel(panel, chart, FEW if few else MANY) for panel in line)
        lines.append(f'<div class="line">{panels}</div>')
    keys = "".join(_key(series) for series in chart.legend)
    legend = f'<div class="legend" aria-hidden="true">{keys}</div>' if keys else ""
    group = f'<div class="chart" role="group" aria-label="{escape(chart.alternative)}">'
    return Markup(f"{group}{''.join(lines)}{legend}</div>")  # noqa: S704 - every text in it is escaped


def _panel(panel: Panel, chart: Chart, size: tuple[int, int]) -> str:
    return _heat(panel, chart) if isinstance(panel, Heat) else _plane(panel, chart, size)


def _heat(panel: Heat, chart: Chart) -> str:
    wide, tall = CELL
    tall = max(tall, ceil(LETTER * len(chart.y_label) / max(len(panel.rows), 1)))
    left, top = 30 + LETTER * max(map(len, panel.rows), default=1), 24
    right, bottom = left + wide * len(panel.columns), top + tall * len(panel.rows)
    parts = [_text(0, 13, panel.title, "title")]
    colours = matplotlib.colormaps["cividis"]
    for (row, column), value in np.ndenumerate(panel.values):
        x, y = left + wide * column, top + tall * row
        missing = bool(np.isnan(value))
        fill = "none" if missing else to_hex(colours(value / 100))
        kind = ' class="missing"' if missing else ""
        ink = "soft" if missing else "pale" if value < 50 else "dark"
        parts.append(
            f'<g class="mark"><title>{escape(panel.words[row][column])}</title>'
            f'<rect x="{x + 0.5:.1f}" y="{y + 0.5:.1f}" width="{wide - 1}" height="{tall - 1}" fill="{fill}"'
            f"{kind}/>"
            f"{_text(x + wide / 2, y + tall / 2 + 4, 'missing' if missing else f'{value:.0f}', f'middle {ink}')}</g>"
        )
    parts += [_text(left - 5, top + tall * (i + 0.5) + 4, words, "end") for i, words in enumerate(panel.rows)]
    parts += [
        _text(left + wide * (i + 0.5), bottom + 14, words, "middle") for i, words in enumerate(panel.columns)
    ]
    parts.append(_text((left + right) / 2, bottom + 29, chart.x_label, "middle soft"))
    parts.append(_upright(9, (top + bottom) / 2, chart.y_label))
    return _wrapped(parts, right + 14, bottom + 34, panel.title or chart.heading, chart.name)


def _plane(panel: Plane, chart: Chart, size: tuple[int, int]) -> str:
    left = 26 + LETTER * max((len(words) for _, words in panel.y_ticks), default=1)
    named = max((len(part) for _, words in panel.x_ticks for part in words.split("\n")), default=1)
    wide = max(size[0], int(len(panel.x_ticks) * (named * LETTER + 8))) if named > 5 else size[0]
    lines = max((words.count("\n") for _, words in panel.x_ticks), default=0)
    top, right, bottom = 26, left + wide, 26 + size[1]

    def across(values: Numbers) -> Numbers:
        low, high = _scaled(np.array(panel.x_range), panel.log_x)
        return np.asarray(left + (_scaled(values, panel.log_x) - low) / (high - low) * (right - left))

    def up(values: Numbers) -> Numbers:
        low, high = _scaled(np.array(panel.y_range), panel.log_y)
        return np.asarray(bottom - (_scaled(values, panel.log_y) - low) / (high - low) * (bottom - top))

    parts = [_text(0, 13, panel.title, "title")]
    for place, words in panel.y_ticks:
        y = float(up(np.array([place]))[0])
        parts.append(f'<line class="grid" x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(left - 5, y + 4, words, "end"))
    for place, words in panel.x_ticks:
        x = float(across(np.array([place]))[0])
        parts += [
            _text(x, bottom + 14 + 12 * index, part, "middle") for index, part in enumerate(words.split("\n"))
        ]
    for series in panel.series:
        parts += _series(series, across, up)
    under = bottom + 29 + 12 * lines
    parts.append(_text((left + right) / 2, under, chart.x_label, "middle soft"))
    parts.append(_upright(9, (top + bottom) / 2, chart.y_label))
    return _wrapped(parts, right + 16, under + 5, panel.title or chart.heading, chart.name)


def _series(series: Series, across: Scale, up: Scale) -> list[str]:
    x, y, low, high = across(series.x), up(series.y), up(series.low), up(series.high)
    colour = f"--colour:var(--c{series.colour % len(OKABE_ITO)})"
    dashed = " dashed" if series.dashed else ""
    parts = [f'<g style="{colour}">']
    parts += [
        f'<path class="thread{dashed}" d="{_path(across(along), up(value))}"/>'
        for along, value in series.threads
    ]
    if series.joined:
        there = np.isfinite(low) & np.isfinite(high) & np.isfinite(x)
        if there.sum() > 1:
            there_and_back = np.concatenate([x[there], x[there][::-1]])
            ends = np.concatenate([low[there], high[there][::-1]])
            parts.append(f'<path class="band" d="{_path(there_and_back, ends)}Z"/>')
        parts.append(f'<path class="joined{dashed}" d="{_path(x, y)}"/>')
    else:
        parts += [
            f'<line class="whisker" x1="{at:.1f}" x2="{at:.1f}" y1="{down:.1f}" y2="{top:.1f}"/>'
            for at, down, top in zip(x, low, high, strict=True)
            if np.isfinite(down) and np.isfinite(top)
        ]
    for at, height, words in zip(x, y, series.words, strict=True):
        if np.isfinite(at) and np.isfinite(height):
            parts.append(
                f'<g class="mark{dashed}"><title>{escape(words)}</title>{_marker(series.colour, at, height)}'
                f'<circle class="near" cx="{at:.1f}" cy="{height:.1f}" r="9"/></g>'
            )
    parts.append("</g>")
    return parts


def _marker(colour: int, x: float, y: float, r: float = 3.6) -> str:
    """A shape for each colour, so that series are told apart without it."""
    shape = (colour + colour // len(OKABE_ITO)) % 4
    if shape == 1:
        return f'<rect x="{x - r:.1f}" y="{y - r:.1f}" width="{2 * r}" height="{2 * r}"/>'
    if shape == 2:
        corners = f"M{x:.1f} {y - r - 1:.1f}L{x + r + 1:.1f} {y + r:.1f}L{x - r - 1:.1f} {y + r:.1f}Z"
        return f'<path d="{corners}"/>'
    if shape == 3:
        s = r + 1
        return (
            f'<path d="M{x:.1f} {y - s:.1f}L{x + s:.1f} {y:.1f}L{x:.1f} {y + s:.1f}L{x - s:.1f} {y:.1f}Z"/>'
        )
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}"/>'


def _key(series: Series) -> str:
    colour = f"--colour:var(--c{series.colour % len(OKABE_ITO)})"
    dashed = " dashed" if series.dashed else ""
    line = f'<path class="joined{dashed}" d="M0 7L26 7"/>' if series.joined else ""
    mark = f'<g class="mark{dashed}">{_marker(series.colour, 13, 7)}</g>'
    return (
        f'<span class="key"><svg width="26" height="14" style="{colour}">{line}{mark}</svg>'
        f"{escape(series.label)}</span>"
    )


def _path(x: Numbers, y: Numbers) -> str:
    there = np.isfinite(x) & np.isfinite(y)
    return (
        "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x[there], y[there], strict=True))
        if there.any()
        else ""
    )


def _wrapped(parts: list[str], width: float, height: float, title: str, name: str) -> str:
    wide = max(width, LETTER * 1.1 * len(title) + 4)
    return (
        f'<svg class="panel" data-chart="{escape(name)}" role="img" aria-label="{escape(title)}" '
        f'viewBox="0 0 {wide:.0f} {height:.0f}" width="{wide:.0f}" height="{height:.0f}">{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, words: str, style: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}">{escape(words)}</text>'


def _upright(x: float, y: float, words: str) -> str:
    return (
        f'<text transform="translate({x:.1f} {y:.1f}) rotate(-90)" class="middle soft">{escape(words)}</text>'
    )


def _scaled(values: Numbers, log: bool) -> Numbers:
    return np.asarray(np.log1p(values) if log else values, dtype=np.float64)
