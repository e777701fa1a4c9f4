"""Colours and markers of series, on paper and in the page, where light and dark have their own.

Names differ by hue (Okabe–Ito); values of an ordered axis, such as depth, lie on a ramp of one perceptually even
colormap (plasma), of which light paper takes the darker part and dark paper the lighter. In the page every colour is a
variable of the style sheet. Series differ by marker as well, so both hold in grey print.
"""

import matplotlib
from matplotlib.colors import to_hex

from analysis.charts.chart import INK, OKABE_ITO, Series

SOFT, LINE, PAPER = "#5b6470", "#d9dee4", "#fffffe"
SHADES = 8
"""Steps of the ramp."""
ON_LIGHT, ON_DARK = (0.0, 0.6), (0.42, 0.95)
"""The parts of the colormap that have a contrast of at least 3 to 1 against the paper."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
FULL, HOLLOW = "●■▲◆▼✚✖★", "○□△◇▽✚✖☆"
"""The markers as letters, for the page's legend."""


def ramp(part: tuple[float, float]) -> list[str]:
    """The colours of the ramp, the shallowest (or least) first, which is the warmest."""
    low, high = part
    colours = matplotlib.colormaps["plasma"]
    return [to_hex(colours(high - (high - low) * step / (SHADES - 1))) for step in range(SHADES)]


RAMP = ramp(ON_LIGHT)


def _palette(ink: str, soft: str, line: str, paper: str, series: str) -> dict[str, str]:
    return {
        "ink": ink,
        "soft": soft,
        "line": line,
        "paper": paper,
        **{f"c{index}": colour for index, colour in enumerate(series.split())},
    }


LIGHT = _palette(
    INK, SOFT, LINE, "#ffffff", "#0072b2 #b87a00 #00805f #c24e00 #b0558b #2f8fc4 #1b1f24 #8a7f00"
)
DARK = _palette(
    "#e6e9ed",
    "#a3adb8",
    "#343b44",
    "#14171b",
    "#5aa9e6 #f0b429 #3ecf9f #ff8a4c #e89ac7 #8fd3ff #e6e9ed #f0e442",
)
"""Okabe–Ito, darkened or lightened until each has a contrast of 3 to 1 against its paper."""
PAGE_COLOURS = {
    INK: "var(--ink)",
    SOFT: "var(--soft)",
    LINE: "var(--line)",
    PAPER: "var(--paper)",
    **{colour: f"var(--c{index})" for index, colour in enumerate(OKABE_ITO) if colour != INK},
    **{colour: f"var(--d{index})" for index, colour in enumerate(RAMP)},
}


def variables(dark: bool = False) -> str:
    """The colours of charts as variables of a style sheet."""
    named = DARK if dark else LIGHT
    shades = {f"d{index}": colour for index, colour in enumerate(ramp(ON_DARK if dark else ON_LIGHT))}
    return " ".join(f"--{name}: {colour};" for name, colour in {**named, **shades}.items())


def colour_of(series: Series) -> str:
    """Of a series' marks and lines, on light paper."""
    if series.shade is not None:
        return RAMP[round(series.shade * (SHADES - 1))]
    return OKABE_ITO[series.colour % len(OKABE_ITO)]


def shape_of(series: Series) -> int:
    """The number of its marker: other than that of the series whose colour it shares."""
    return (series.colour + series.colour // len(OKABE_ITO)) % len(MARKERS)


def letters_of(series: Series) -> str:
    """Its marks and lines as letters."""
    mark = (HOLLOW if series.dashed else FULL)[shape_of(series)]
    line = ("╌" if series.dashed else "─") if series.joined else ""
    return f"{line}{mark}{line}"
