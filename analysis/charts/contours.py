"""The frontier: how many relearn steps it takes until half of the queries are answered, for each unlearning depth."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.charts.chart import OKABE_ITO, Chart, Plane, Series, span, ticks
from analysis.charts.panels import MOST_LINES
from analysis.charts.pooled import of, present
from analysis.measures.contour import frontier
from analysis.measures.surface import select
from analysis.reading.study_frames import Study
from study.errors import SpecError

LEVEL = 0.5
MOST_CORPORA = len(OKABE_ITO)


def frontier_rows(study: Study, by_probes: bool) -> pd.DataFrame:
    """Where relearning reaches half of the whole metric, along every series of depths.

    Args:
        by_probes: bands over seeds and probes; else over seeds alone, from the cells.

    Returns:
        A row per (model, method, repetitions, corpus, depth) with the columns of ``analysis.frontier``.
    """
    rows = select(study.cells, study.headline.metric, start="unlearned")
    rows = rows[rows["corpus"] != "none"]
    found = []
    names = ["model", "method", "repetitions", "corpus"]
    for place in rows[names].drop_duplicates().itertuples(index=False):
        where = dict(zip(names, place, strict=True))
        source = study if by_probes else study.cells
        try:
            table = frontier(
                source,
                metric=study.headline.metric,
                level=LEVEL * study.headline.full,
                start="unlearned",
                **where,
            )
        except SpecError:
            continue  # fewer than two places along the steps share a seed and a probe
        found.append(table.assign(**where))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def frontiers(study: Study, rows: pd.DataFrame) -> Iterator[Chart]:
    """A picture for each model and method in which the level is reached somewhere."""
    if rows.empty:
        return
    last = float(study.planned["relearn_steps"].max())
    never = float(np.expm1(np.log1p(last) * 1.12))
    order = [str(name) for name in present(study.cells, "corpus")]
    groups = [of(rows, model=model, method=method) for model, method in _pairs(rows)]
    drawn = [group for group in groups if np.isfinite(group["crossing"]).any()]
    for index, group in enumerate(drawn):
        counts = [int(str(value)) for value in reversed(present(group, "repetitions"))][:MOST_LINES]
        reached = [r for r in counts if np.isfinite(of(group, repetitions=r)["crossing"]).any()]
        panels = tuple(_panel(of(group, repetitions=r), f"r = {r}", last, never, order) for r in reached)
        nowhere = [f"r = {r}" for r in counts if r not in reached]
        lost = f" Nowhere reached at {', '.join(nowhere)}." if nowhere else ""
        whose = f"{group['model'].iloc[0]}, {group['method'].iloc[0]}: " if len(groups) > 1 else ""
        yield Chart(
            f"frontier-{index + 1}" if len(drawn) > 1 else "frontier",
            "The frontier",
            f"{whose}relearn steps until {study.headline.words} reaches {100 * LEVEL:.0f}%, against unlearning depth, "
            "a colour a corpus; lower is easier to undo. Between two computed steps it is interpolated on their "
            f"logarithm. Band: 95%, over {group['over'].iloc[0]}; what ends at “never” was "
            f"not reached within the steps that were run.{lost}",
            f"Line charts of steps to {100 * LEVEL:.0f}%. {'; '.join(_words(panel) for panel in panels)}.",
            "unlearning depth",
            "relearn steps",
            tuple(panels[at : at + 4] for at in range(0, len(panels), 4)),
        )


def _pairs(rows: pd.DataFrame) -> list[tuple[object, object]]:
    return list(rows[["model", "method"]].drop_duplicates().itertuples(index=False, name=None))


def _panel(rows: pd.DataFrame, title: str, last: float, never: float, order: list[str]) -> Plane:
    series = []
    there = set(rows["corpus"])
    for index, corpus in enumerate([name for name in order if name in there][:MOST_CORPORA]):
        mine = of(rows, corpus=corpus).sort_values("depth")
        steps, low, high = (mine[name].to_numpy(float) for name in ("crossing", "low", "high"))
        words = tuple(
            f"{corpus}, {title}, depth {row['depth']}: {in_words(row)}" for row in mine.to_dict("records")
        )
        x, y = mine["depth"].to_numpy(float), np.minimum(steps, never)
        series.append(Series(corpus, x, y, np.minimum(low, never), np.minimum(high, never), words, index))
    depths = [float(depth) for each in series for depth in each.x]
    places = [step for step in (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if step <= last]
    return Plane(
        title,
        tuple(series),
        span(depths),
        (0.0, never),
        x_ticks=ticks(depths, 6),
        y_ticks=(*((float(place), f"{place:g}") for place in places), (never, "never")),
        log_y=True,
    )


def in_words(row: dict[object, object]) -> str:
    """A crossing with its band."""
    low, high = float(str(row["low"])), float(str(row["high"]))
    crossing = float(str(row["crossing"]))
    if np.isnan(crossing):
        return "cannot be said"
    ends = "" if np.isnan(low) or np.isnan(high) else f" ({_steps(low)} to {_steps(high)})"
    if row["always"]:
        return f"from the start{ends}"
    return f"{_steps(crossing)}{' steps' if np.isfinite(crossing) else ''}{ends}"


def _steps(value: float) -> str:
    return "never" if np.isinf(value) else f"{value:.1f}"


def _words(panel: Plane) -> str:
    """The first and the last depth of each corpus."""
    ends = [words for series in panel.series for words in series.words[:1] + series.words[-1:]]
    return f"{panel.title}: {'; '.join(ends)}"
