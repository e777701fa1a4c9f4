"""Contours: where relearning reaches a level of the metric, as found by a grid of cells or by a search.

Of a grid, the relearn steps until half of the queries are answered, for each depth; of a search, the depth up to which
the attack works, for each number of relearn steps, with a band. What lies beyond the panel's edge is cut there.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from analysis.charts.chart import OKABE_ITO, Bar, Chart, Plane, Series, span, ticks
from analysis.charts.curves import place_on_ramp
from analysis.charts.panels import MOST_LINES, in_front, in_lines
from analysis.charts.pooled import rows_with, values_present
from analysis.measures.contour import frontier
from analysis.reading.search_result import SearchResult
from analysis.reading.study_frames import Study
from study.errors import SpecError, counted

LEVEL = 0.5
MOST_CORPORA = len(OKABE_ITO)
EDGE = 0.6
"""Beyond the shallowest and the deepest depth, where a panel ends."""
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
                level=study.headline.least + LEVEL * study.headline.span,
                start="unlearned",
                **where,
            )
        except SpecError:
            continue  # fewer than two numbers of steps share a seed and a probe
        found.append(table.assign(**where))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def contour_charts(study: Study, rows: pd.DataFrame) -> Iterator[Chart]:
    """A picture for each model and method in which the level is reached somewhere: a panel for each corpus.

    With one corpus, one picture with a panel for each model and method.
    """
    if rows.empty:
        return
    last = float(study.planned["relearn_steps"].max())
    order = [str(name) for name in values_present(study.cells, "corpus")]
    groups = [group for _, group in rows.groupby(["model", "method"], observed=True, sort=False)]
    reached = [group for group in groups if np.isfinite(group["crossing"]).any()]
    by_corpus = rows["corpus"].nunique() > 1
    differ = [name for name in ("model", "method") if rows[name].nunique() > 1]
    for index, group in enumerate(reached if by_corpus else [pd.concat(reached)] if reached else []):
        counts = [int(str(value)) for value in reversed(values_present(group, "repetitions"))][:MOST_LINES]
        shown = [r for r in counts if np.isfinite(rows_with(group, repetitions=r)["crossing"]).any()]
        there = set(group["corpus"])
        corpora = [name for name in order if name in there][:MOST_CORPORA]
        whose = ", ".join(str(group[name].iloc[0]) for name in differ if by_corpus)
        parts = (
            [(corpus, rows_with(group, corpus=corpus)) for corpus in corpora]
            if by_corpus or not differ
            else [(", ".join(part[differ].iloc[0].astype(str)), part) for part in reached]
        )
        by = "corpus" if by_corpus or not differ else " and ".join(differ)
        panels = [_of_grid(part, title, last, shown) for title, part in parts]
        nowhere = [f"r = {r}" for r in counts if r not in shown]
        left_out = f" Nowhere reached at {', '.join(nowhere)}." if nowhere else ""
        left_out += f" Not shown: {', '.join(sorted(there - set(corpora)))}." if there - set(corpora) else ""
        yield Chart(
            f"contour-{index + 1}" if by_corpus and len(reached) > 1 else "contour",
            "The 50% contour",
            f"{in_front('relearn steps', whose)} until {study.headline.words} reaches {100 * LEVEL:.0f}%, against "
            f"unlearning depth, a panel for each {by}; lower is easier to undo. "
            "Between two computed steps it is interpolated on the logarithm of the steps. Whisker: 95%, over "
            f"{group['over'].iloc[0]}. An open arrow: not reached within the {last:g} steps that were run."
            f"{left_out}",
            f"Dot charts of steps to {100 * LEVEL:.0f}%. {'; '.join(_ends_in_words(panel) for panel in panels)}.",
            "unlearning depth",
            "relearn steps",
            in_lines(panels),
        )


def search_chart(found: SearchResult) -> Chart | None:
    """The contours of a search, a panel for each context, with the trajectories that it asked; None without any."""
    if found.contours.empty:
        return None
    reached = found.contours[found.contours["depth"] > found.asked["depth"].min() - EDGE]
    shown = found.contours[CONTEXT].drop_duplicates()
    somewhere = shown.merge(reached[CONTEXT].drop_duplicates(), on=CONTEXT)
    panels = [
        _of_search(found, context) for context in (shown if somewhere.empty else somewhere).to_dict("records")
    ]
    nowhere = len(shown) - len(panels)
    left_out = (
        f" Not drawn: {nowhere} in which it works at no depth after any number of steps." if nowhere else ""
    )
    return Chart(
        "search",
        "The search",
        "The depth up to which the attack works, against relearn steps, with its 95% band. Each grey line is a "
        "trajectory that the search asked, at its depth: the darker, the later, the palest published before. "
        f"No mark: the attack works at no depth; an open arrow: beyond the deepest.{left_out}",
        f"Line charts of the deepest depth that is undone. {'; '.join(_ends_in_words(panel) for panel in panels)}.",
        "relearn steps",
        "unlearning depth",
        in_lines(panels),
    )


def _of_grid(rows: pd.DataFrame, corpus: str, last: float, counts: Sequence[int]) -> Plane:
    """The steps until the level, a series for each repetition count; what is not reached stands above the last step."""
    edge = float(np.expm1(np.log1p(last) * 1.12))
    series = []
    depths = [float(str(depth)) for depth in values_present(rows, "depth")]
    apart = 0.012 * (max(depths) - min(depths)) if len(counts) > 1 else 0.0
    for index, count in enumerate(counts):
        mine = rows_with(rows, repetitions=count).sort_values("depth")
        if mine.empty:
            continue
        made = mine.to_dict("records")
        words = tuple(f"{corpus}, r = {count}, depth {row['depth']}: {in_words(row)}" for row in made)
        x = mine["depth"].to_numpy(float) + apart * (index - (len(counts) - 1) / 2)
        steps, low, high = (mine[name].to_numpy(float) for name in ("crossing", "low", "high"))
        shade = place_on_ramp(len(counts) - 1 - index, len(counts))
        inside = np.where(np.isfinite(steps), steps, np.nan)
        ends = (np.clip(low, 0, edge), np.clip(high, 0, edge))
        label = f"r = {count}" if len(counts) > 1 else ""
        series.append(Series(label, x, inside, *ends, words, index, shade=shade, whiskers=True))
        above = np.where(np.isinf(steps), edge, np.nan)
        none = np.full(len(x), np.nan)
        if np.isfinite(above).any():
            series.append(
                Series("", x, above, none, none, words, index, shade=shade, joined=False, beyond=True)
            )
    drawn = [step for step in (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if step <= last]
    return Plane(
        corpus,
        tuple(series),
        span([depth for each in series for depth in each.x]),
        (0.0, edge),
        x_ticks=ticks(depths, 6),
        y_ticks=tuple((float(step), f"{step:g}") for step in drawn),
        log_y=True,
        band_opacity=0.0,
    )


def _of_search(found: SearchResult, context: dict[object, object]) -> Plane:
    where = {str(name): value for name, value in context.items()}
    contour = rows_with(found.contours, **where).sort_values("relearn_steps")
    depths, seeds = (sorted(found.asked[name].unique()) for name in ("depth", "seed"))
    edges = (min(depths) - EDGE, max(depths) + EDGE)
    steps = [str(value) for value in contour["relearn_steps"]]
    rows = contour.to_dict("records")
    words = [f"{counted(row['relearn_steps'], 'step')}: {_depth_in_words(row, edges)}" for row in rows]
    x = np.arange(len(steps), dtype=np.float64)
    depth, low, high = (contour[name].to_numpy(float) for name in ("depth", "depth_low", "depth_high"))
    inside = np.where((depth > edges[0]) & (depth < edges[1]), depth, np.nan)
    line = Series("", x, inside, np.clip(low, *edges), np.clip(high, *edges), tuple(words))
    none = np.full(len(x), np.nan)
    beyond = np.where(depth >= edges[1], edges[1], np.nan)
    arrows = (Series("", x, beyond, none, none, tuple(words), joined=False, beyond=True),)
    last = max(1, int(found.asked["round"].max()))
    bars = tuple(
        Bar(
            row["depth"] + 0.14 * (seeds.index(row["seed"]) - (len(seeds) - 1) / 2),
            row["round"] / last,
            f"asked in round {row['round']}: depth {row['depth']}, seed {row['seed']}",
        )
        for row in rows_with(found.asked, **where).to_dict("records")
    )
    several = [str(where[name]) for name in ("model", "method") if found.contours[name].nunique() > 1]
    return Plane(
        ", ".join([f"{where['corpus']}, r = {where['repetitions']}", *several]),
        (line, *(arrows if np.isfinite(beyond).any() else ())),
        (-0.1, len(steps) - 0.7),
        edges,
        x_ticks=tuple((float(at), step) for at, step in enumerate(steps)),
        y_ticks=tuple((float(depth), str(depth)) for depth in depths),
        bars=bars,
    )


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
