"""A surface on matplotlib's axes, for a notebook or a paper that draws its own figure."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis.measures.surface import surface
from analysis.reading.studies import Studies
from analysis.reading.study_frames import Study

if TYPE_CHECKING:  # matplotlib is loaded by who draws, and not by who reads
    from matplotlib.axes import Axes


class Plots:
    """What can be drawn of a study: ``study.plot.surface(corpus="prefix", start="unlearned")``."""

    def __init__(self, study: Study | Studies) -> None:
        self._study = study

    def __repr__(self) -> str:
        return f"<plots of {self._study!r}: surface>"

    def surface(
        self, rows: str = "depth", columns: str = "relearn_steps", axes: "Axes | None" = None, **which: object
    ) -> "Axes":
        """``analysis.plot_surface`` of the study."""
        return plot_surface(self._study, rows, columns, axes, **which)


def plot_surface(
    study: Study | Studies | pd.DataFrame,
    rows: str = "depth",
    columns: str = "relearn_steps",
    axes: "Axes | None" = None,
    **which: object,
) -> "Axes":
    """Draws ``analysis.surface(study, rows, columns, **which)``: a number in each cell, what is missing is empty.

    Args:
        axes: where to draw; new ones of the current figure if None.
        which: ``metric``, ``split``, ``pool`` and fixed coordinates, as of ``surface``.

    Returns:
        The axes, to be given titles or to be saved: ``axes.figure.savefig("surface.pdf")``.

    Raises:
        SpecError: as ``surface``.
    """
    import matplotlib.pyplot as plt

    table = surface(study, rows, columns, **which)  # type: ignore[arg-type]  # its own checks name a wrong word
    grid = table.pivot(index=rows, columns=columns, values="rate")
    values = grid.to_numpy(float)
    percent = bool(table["n"].notna().any())
    drawn = axes if axes is not None else plt.gca()
    image = drawn.imshow(
        values * 100 if percent else values,
        cmap="cividis",
        aspect="auto",
        vmin=0,
        vmax=100 if percent else None,
    )
    drawn.set_xticks(range(len(grid.columns)), [str(value) for value in grid.columns])
    drawn.set_yticks(range(len(grid.index)), [str(value) for value in grid.index])
    drawn.set_xlabel(columns.replace("_", " "))
    drawn.set_ylabel(rows.replace("_", " "))
    middle = np.nanmax(values) / 2 if np.isfinite(values).any() else 0
    for (y, x), value in np.ndenumerate(values):
        if np.isfinite(value):
            words = f"{value * 100:.0f}" if percent else f"{value:.2g}"
            colour = "black" if value > (0.5 if percent else middle) else "white"
            drawn.text(x, y, words, ha="center", va="center", color=colour)
    drawn.figure.colorbar(image, ax=drawn, label="percent" if percent else "mean")
    return drawn
