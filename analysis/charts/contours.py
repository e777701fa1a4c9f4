"""Contours: where relearning reaches a level of the metric, as found by a grid of cells or by a search.

Of a grid, the relearn steps until half of the queries are answered, for each depth; of a search, the depth up to which
the attack works, for each number of relearn steps. Both are a line with a band in a panel, cut at the panel's edge.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from analysis.charts.chart import OKABE_ITO, Bar, Chart, Panel, Plane, Series, span, ticks
from analysis.charts.curves import in_front
from analysis.charts.panels import MOST_LINES
from analysis.charts.pooled import rows_with, values_present
from analysis.measures.contour import frontier
from analysis.reading.search_result import SearchResult
from analysis.reading.study_frames import Study
from study.errors import SpecError

LEVEL = 0.5
MOST_CORPORA = len(OKABE_ITO)
COLUMNS = 4
BAND_OPACITY = 0.09
"""Several bands lie over each other."""
CONTEXT = ["model", "method", "corpus", "repetitions"]


def contour_rows(study: Study, by_probes: bool) -> pd.DataFrame:
    """Where relearning reaches half of the whole metric, along every series of depths.

    Args:
        by_probes: bands over seeds and probes; else over seeds alone, from the cells.

    Returns:
        A row per (model, method, corpus, repetitions, depth) with the columns of ``analysis.frontier``.
    """
    rows = study.headline_cells
    rows = rows[(rows["start"] == "unlearned") & (rows["corpus"] != "none")]
    found = []
    for context in rows[CONTEXT].drop_duplicates().to_dict("records"):
        where = {str(name): value for name, value in context.items()}
        try:
            table = frontier(
                study if by_probes else study.cells,
                metric=study.headline.metric,
                level=LEVEL * study.headline.full,
                start="unlearned",
                **where,
            )
        except SpecError:
            continue  # fewer than two numbers of steps share a seed and a probe
        found.append(table.assign(**where))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def contour_charts(study: Study, rows: pd.DataFrame) -> Iterator[Chart]:
    """A picture for each model and method in which the level is reached somewhere."""
    if rows.empty:
        return
    last = float(study.planned["relearn_steps"].max())
    never = float(np.expm1(np.log1p(last) * 1.12))
    order = [str(name) for name in values_present(study.cells, "corpus")]
    groups = [group for _, group in rows.groupby(["model", "method"], observed=True, sort=False)]
    reached = [group for group in groups if np.isfinite(group["crossing"]).any()]
    for index, group in enumerate(reached):
        counts = [int(str(value)) for value in reversed(values_present(group, "repetitions"))][:MOST_LINES]
        shown = [r for r in counts if np.isfinite(rows_with(group, repetitions=r)["crossing"]).any()]
        panels = [_of_grid(rows_with(group, repetitions=r), f"r = {r}", last, never, order) for r in shown]
        nowhere = [f"r = {r}" for r in counts if r not in shown]
        left_out = f" Nowhere reached at {', '.join(nowhere)}." if nowhere else ""
        whose = f"{group['model'].iloc[0]}, {group['method'].iloc[0]}: " if len(groups) > 1 else ""
        yield Chart(
            f"contour-{index + 1}" if len(reached) > 1 else "contour",
            "The 50% contour",
            f"{whose}{in_front('relearn steps', whose)} until {study.headline.words} reaches "
            f"{100 * LEVEL:.0f}%, against unlearning depth, "
            "one colour for each corpus; lower is easier to undo. Between two computed steps it is interpolated on the "
            f"logarithm of the steps. Band: 95%, over {group['over'].iloc[0]}; a line that ends at “never” did not "
            f"reach the level within the steps that were run.{left_out}",
            f"Line charts of steps to {100 * LEVEL:.0f}%. {'; '.join(_ends_in_words(panel) for panel in panels)}.",
            "unlearning depth",
            "relearn steps",
            _in_lines(panels),
        )


def search_chart(found: SearchResult) -> Chart | None:
    """The contours of a search, a panel for each context, with the trajectories that it asked; None without any."""
    if found.contours.empty:
        return None
    panels = [
        _of_search(found, context) for context in found.contours[CONTEXT].drop_duplicates().to_dict("records")
    ]
    return Chart(
        "search",
        "The search",
        "The depth up to which the attack works, against relearn steps, with its 95% band. Each bar is a trajectory "
        "that the search asked, at its depth; the darker, the later, with the number of its round at its right end (0: "
        "published before). A line at the edge of a panel: the attack works at no depth, or beyond the deepest.",
        f"Line charts of the deepest depth that is undone. {'; '.join(_ends_in_words(panel) for panel in panels)}.",
        "relearn steps",
        "unlearning depth",
        _in_lines(panels),
    )


def _of_grid(rows: pd.DataFrame, title: str, last: float, never: float, order: list[str]) -> Plane:
    there = set(rows["corpus"])
    series = []
    for index, corpus in enumerate([name for name in order if name in there][:MOST_CORPORA]):
        mine = rows_with(rows, corpus=corpus).sort_values("depth")
        words = [
            f"{corpus}, {title}, depth {row['depth']}: {in_words(row)}" for row in mine.to_dict("records")
        ]
        ends = [mine[name].to_numpy(float) for name in ("crossing", "low", "high")]
        series.append(_line(corpus, mine["depth"].to_numpy(float), ends, (0.0, never), words, index))
    depths = [float(depth) for each in series for depth in each.x]
    steps = [step for step in (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if step <= last]
    return Plane(
        title,
        tuple(series),
        span(depths),
        (0.0, never),
        x_ticks=ticks(depths, 6),
        y_ticks=(*((float(step), f"{step:g}") for step in steps), (never, "never")),
        log_y=True,
        band_opacity=BAND_OPACITY,
    )


def _of_search(found: SearchResult, context: dict[object, object]) -> Plane:
    where = {str(name): value for name, value in context.items()}
    contour = rows_with(found.contours, **where).sort_values("relearn_steps")
    depths, seeds = (sorted(found.asked[name].unique()) for name in ("depth", "seed"))
    edges = (min(depths) - 0.6, max(depths) + 0.6)
    steps = [str(value) for value in contour["relearn_steps"]]
    rows = contour.to_dict("records")
    words = [f"{row['relearn_steps']} steps: {_depth_in_words(row, edges)}" for row in rows]
    ends = [contour[name].to_numpy(float) for name in ("depth", "depth_low", "depth_high")]
    last = max(1, int(found.asked["round"].max()))
    bars = tuple(
        Bar(
            row["depth"] + 0.14 * (seeds.index(row["seed"]) - (len(seeds) - 1) / 2),
            row["round"] / last,
            str(row["round"]),
            f"asked in round {row['round']}: depth {row['depth']}, seed {row['seed']}",
        )
        for row in rows_with(found.asked, **where).to_dict("records")
    )
    several = [str(where[name]) for name in ("model", "method") if found.contours[name].nunique() > 1]
    return Plane(
        ", ".join([f"{where['corpus']}, r = {where['repetitions']}", *several]),
        (_line("", np.arange(len(steps), dtype=np.float64), ends, edges, words),),
        (-0.1, len(steps) - 0.7),
        edges,
        x_ticks=tuple((float(at), step) for at, step in enumerate(steps)),
        y_ticks=tuple((float(depth), str(depth)) for depth in depths),
        bars=bars,
    )


def _line(
    label: str,
    x: np.ndarray,
    ends: Sequence[np.ndarray],
    edges: tuple[float, float],
    words: Sequence[str],
    colour: int = 0,
) -> Series:
    """A contour with its band: value, low and high, cut at the edges of its panel."""
    value, low, high = (np.clip(each, *edges) for each in ends)
    return Series(label, x, value, low, high, tuple(words), colour)


def _in_lines(panels: Sequence[Panel]) -> tuple[tuple[Panel, ...], ...]:
    return tuple(tuple(panels[at : at + COLUMNS]) for at in range(0, len(panels), COLUMNS))


def in_words(row: dict[object, object]) -> str:
    """A crossing with its band."""
    crossing, low, high = (float(str(row[name])) for name in ("crossing", "low", "high"))
    if np.isnan(crossing):
        return "cannot be said"
    ends = "" if np.isnan(low) or np.isnan(high) else f" ({_steps(low)} to {_steps(high)})"
    if row["always"]:
        return f"from the start{ends}"
    return f"{_steps(crossing)}{' steps' if np.isfinite(crossing) else ''}{ends}"


def _steps(value: float) -> str:
    return "never" if np.isinf(value) else f"{value:.1f}"


def _depth_in_words(row: dict[object, object], edges: tuple[float, float]) -> str:
    """The depth up to which the attack works, with its band."""

    def said(value: float) -> str:
        return (
            "no depth" if value <= edges[0] else "beyond the deepest" if value >= edges[1] else f"{value:.1f}"
        )

    depth, low, high = (said(float(str(row[name]))) for name in ("depth", "depth_low", "depth_high"))
    return f"depth {depth} ({low} to {high})"


def _ends_in_words(panel: Plane) -> str:
    """The first and the last point of each series."""
    ends = [words for series in panel.series for words in series.words[:1] + series.words[-1:]]
    return f"{panel.title}: {'; '.join(ends)}"
