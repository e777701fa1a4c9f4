"""The pictures: heatmaps, curves, controls. Drawn on figures of their own, without pyplot's global state.

Colours are viridis-family and Okabe–Ito, so they hold for colour-blind readers and in grey print; every
heatmap cell carries its number, missing cells are hatched and say so, and rates span 0 to 100% everywhere.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from analysis.frames import Study
from analysis.headline import ASR, Headline
from analysis.surface import select, surface

OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000", "#F0E442")
DPI = 130


@dataclass(frozen=True)
class Picture:
    """A PNG with its file name, caption and the words for those who do not see it."""

    name: str
    caption: str
    alternative: str
    png: bytes


def heatmaps(study: Study) -> list[Picture]:
    """The headline metric over depth × relearn steps, a panel per repetition count (rows) and corpus (columns).

    A picture for each model and method.
    """
    return [_heatmaps(study, *part) for part in _parts(study, ["unlearned"], ["model", "method"])]


def curves(study: Study) -> list[Picture]:
    """The headline metric against relearn steps: a line and a Wilson band per depth, a thin line per seed.

    A picture for each model and method.
    """
    return [_curves(study, *part) for part in _parts(study, ["unlearned"], ["model", "method"])]


def controls(study: Study) -> list[Picture]:
    """The same for the starts that were not unlearned, a panel per corpus; a picture for each model."""
    return [_controls(study, *part) for part in _parts(study, ["original", "never_learned"], ["model"])]


def _parts(study: Study, starts: list[str], by: list[str]) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """What goes into one picture: a suffix of its name, words of its own, and its rows."""
    rows = select(study.cells, study.headline.metric, start=starts)
    rows = rows[rows["corpus"] != "none"]
    groups = list(rows.groupby(by, observed=True))
    for index, (names, of_group) in enumerate(groups):
        if len(groups) == 1:
            yield "", "", of_group
        else:
            yield f"-{index + 1}", f"{', '.join(map(str, names))}: ", of_group


def _heatmaps(study: Study, suffix: str, whose: str, rows: pd.DataFrame) -> Picture:
    planned = study.planned[study.planned["start"] == "unlearned"]
    counts, corpora = _facets(planned)
    depths = sorted(planned["depth"].unique())
    steps = sorted(planned["relearn_steps"].unique())
    figure, grid = _grid(
        len(counts), len(corpora), width=0.62 * len(steps) + 1.2, height=0.36 * len(depths) + 0.75
    )
    image: AxesImage | None = None
    for row, count in enumerate(counts):
        for column, corpus in enumerate(corpora):
            axes = grid[row][column]
            chosen = rows[(rows["repetitions"] == count) & (rows["corpus"] == corpus)]
            image = _heatmap(axes, study.headline, chosen, depths, steps)
            axes.set_title(f"{corpus}, r = {count}", fontsize=9, loc="left")
            if row == len(counts) - 1:
                axes.set_xlabel("relearn steps", fontsize=8)
            if column == 0:
                axes.set_ylabel("unlearning depth", fontsize=8)
    if image is not None:
        bar = figure.colorbar(image, ax=[axes for line in grid for axes in line], shrink=0.5, aspect=30)
        bar.set_label(f"{study.headline.words}, %", fontsize=8)
        bar.ax.tick_params(labelsize=7)
    words = "attack success rate (the pair anywhere in query and continuation)"
    return Picture(
        f"heatmap{suffix}.png",
        f"{whose}{words if study.headline.metric == ASR else study.headline.words} over unlearning depth and "
        "relearn steps, seeds pooled. Relearn steps 0 is the unlearned model before any relearning.",
        _words_for_heatmaps(study.headline, rows, counts, corpora),
        _png(figure),
    )


def _curves(study: Study, suffix: str, whose: str, rows: pd.DataFrame) -> Picture:
    counts, corpora = _facets(rows)
    depths = sorted(rows["depth"].unique())
    figure, grid = _grid(len(counts), len(corpora), width=2.7, height=1.75)
    for row, count in enumerate(counts):
        for column, corpus in enumerate(corpora):
            axes = grid[row][column]
            chosen = rows[(rows["repetitions"] == count) & (rows["corpus"] == corpus)]
            for index, depth in enumerate(depths):
                of_depth = chosen[chosen["depth"] == depth]
                colour = OKABE_ITO[index % len(OKABE_ITO)]
                _curve(axes, study.headline, of_depth, colour, f"depth {depth}")
            axes.set_title(f"{corpus}, r = {count}", fontsize=9, loc="left")
            if row == len(counts) - 1:
                axes.set_xlabel("relearn steps", fontsize=8)
            if column == 0:
                axes.set_ylabel(f"{_short(study.headline)}, %", fontsize=8)
    _legend(figure, grid[0][0])
    return Picture(
        f"curves{suffix}.png",
        f"{whose}{study.headline.words} against relearn steps, one colour a depth. Band, for counts: 95% "
        "Wilson interval of the pooled counts, which takes the seeds for one sample; thin lines: the seeds, "
        "which differ more.",
        f"Line charts for repetitions {', '.join(map(str, counts))} and corpora {', '.join(corpora)}; the "
        "numbers are in the table of cells.",
        _png(figure),
    )


def _controls(study: Study, suffix: str, whose: str, rows: pd.DataFrame) -> Picture:
    counts, corpora = _facets(rows)
    figure, grid = _grid(1, len(corpora), width=2.9, height=2.2)
    styles = {"original": "-", "never_learned": "--"}
    for column, corpus in enumerate(corpora):
        axes = grid[0][column]
        for index, count in enumerate(counts):
            for start, style in styles.items():
                chosen = rows[
                    (rows["corpus"] == corpus) & (rows["repetitions"] == count) & (rows["start"] == start)
                ]
                words = f"{start.replace('_', ' ')}, r = {count}"
                _curve(axes, study.headline, chosen, OKABE_ITO[index % len(OKABE_ITO)], words, style)
        axes.set_title(corpus, fontsize=9, loc="left")
        axes.set_xlabel("relearn steps", fontsize=8)
    grid[0][0].set_ylabel(f"{_short(study.headline)}, %", fontsize=8)
    _legend(figure, grid[0][0])
    return Picture(
        f"controls{suffix}.png",
        f"{whose}The controls. Solid: the finetuned model, relearned without having been unlearned. Dashed: a "
        "model that never saw the forget set, relearned on the same corpus; whatever it reaches is learning, "
        "not relearning.",
        "Line charts of the two controls for each corpus; the numbers are in the table of controls.",
        _png(figure),
    )


def _short(headline: Headline) -> str:
    return "ASR" if headline.words == "attack success rate" else headline.words


def _facets(frame: pd.DataFrame) -> tuple[list[int], list[str]]:
    counts = sorted((int(str(value)) for value in frame["repetitions"].unique()), reverse=True)
    present = set(frame["corpus"].astype(str))
    return counts, [name for name in frame["corpus"].cat.categories if name in present]


def _grid(rows: int, columns: int, width: float, height: float) -> tuple[Figure, list[list[Axes]]]:
    figure = Figure(figsize=(width * columns + 0.9, height * rows + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    return figure, [list(line) for line in grid]


def _heatmap(
    axes: Axes, headline: Headline, rows: pd.DataFrame, depths: Sequence[int], steps: Sequence[int]
) -> AxesImage:
    rates = np.full((len(depths), len(steps)), np.nan)
    if len(rows):
        table = surface(rows, metric=headline.metric)
        wide = table.pivot(index="depth", columns="relearn_steps", values="rate")
        rates = wide.reindex(index=list(depths), columns=list(steps)).to_numpy(float) / headline.full
    image = axes.imshow(100 * rates, cmap="cividis", vmin=0, vmax=100, aspect="auto")
    for (y, x), rate in np.ndenumerate(rates):
        if np.isnan(rate):
            axes.add_patch(
                Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, hatch="////", edgecolor="#999999", lw=0)
            )
            words, colour = "missing", "#555555"
        else:
            words, colour = f"{100 * rate:.0f}", "white" if rate < 0.5 else "black"
        axes.text(x, y, words, ha="center", va="center", color=colour, fontsize=7.5)
    axes.set_xticks(range(len(steps)), [str(step) for step in steps], fontsize=7.5)
    axes.set_yticks(range(len(depths)), [str(depth) for depth in depths], fontsize=7.5)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    return image


def _curve(
    axes: Axes, headline: Headline, rows: pd.DataFrame, colour: str, label: str, style: str = "-"
) -> None:
    if not len(rows):
        return
    line = surface(rows, rows="start", metric=headline.metric)
    rates = 100 * line["rate"] / headline.full
    axes.plot(line["relearn_steps"], rates, style, color=colour, lw=1.8, marker="o", ms=3, label=label)
    axes.fill_between(
        line["relearn_steps"], 100 * line["low"], 100 * line["high"], color=colour, alpha=0.18, lw=0
    )
    if rows["seed"].nunique() > 1:
        for _, of_seed in rows.groupby("seed"):
            ordered = of_seed.sort_values("relearn_steps")
            axes.plot(
                ordered["relearn_steps"],
                100 * ordered["value"] / headline.full,
                style,
                color=colour,
                lw=0.5,
                alpha=0.55,
            )
    axes.set_ylim(-4, 104)
    axes.set_yticks([0, 25, 50, 75, 100])
    axes.tick_params(labelsize=7.5)
    axes.grid(alpha=0.25, lw=0.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    widest = 0.5 + 0.07 * max((len(label) for label in labels), default=1)  # inches, roughly, at this size
    columns = max(1, min(len(labels), int(figure.get_figwidth() / widest)))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=8, frameon=False)


def _words_for_heatmaps(headline: Headline, rows: pd.DataFrame, counts: list[int], corpora: list[str]) -> str:
    parts = []
    last = rows["relearn_steps"].max()
    for count in counts:
        for corpus in corpora:
            chosen = rows[
                (rows["repetitions"] == count) & (rows["corpus"] == corpus) & (rows["relearn_steps"] == last)
            ]
            rates = [
                f"depth {depth}: {headline.percent(of_depth['value'].mean()):.0f}%"
                for depth, of_depth in chosen.groupby("depth", observed=True)
            ]
            parts.append(f"r={count}, {corpus}: {', '.join(rates) or 'missing'}")
    return f"Heatmaps of {headline.words}. After {last} relearn steps: {'; '.join(parts)}."


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor="white")
    return buffer.getvalue()
