"""A surface: one metric over two axes, with its interval, and the missing cells visible.

Only what is named is pooled. Cells that differ in anything else are refused instead of averaged: a surface
over two corpora at once would be a number about neither.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.reading.given import study_or_cells
from analysis.reading.selection import (
    known_value,
    matching,
    refuse_empty,
    refuse_unknown,
    refuse_unknown_values,
)
from analysis.reading.studies import Studies
from analysis.reading.study_frames import Study, coordinates
from analysis.statistics.rates import rate_interval
from study.errors import SpecError, did_you_mean
from study.results.headline import ASR
from study.results.schema import SPLITS


def select(cells: pd.DataFrame, metric: str = ASR, split: str = "forget", **fixed: object) -> pd.DataFrame:
    """The rows of one metric and split, and of the given coordinates.

    Returns:
        No row where a value is declared in the study and not computed yet.

    Raises:
        SpecError: a metric, a split, a coordinate or a value that these rows do not have; names the near ones.
    """
    if len(cells):
        known_value(metric, cells["metric"], "metric")
    if split not in SPLITS:  # one of them may be scored in no row
        raise SpecError(f"split={split}: choose from {', '.join(SPLITS)}{did_you_mean(split, SPLITS)}")
    chosen = cells[(cells["metric"] == metric) & (cells["split"] == split)]
    refuse_unknown_values(cells, fixed)
    return matching(chosen, fixed)


def surface(
    cells: Study | Studies | pd.DataFrame,
    rows: str = "depth",
    columns: str = "relearn_steps",
    metric: str | None = None,
    split: str = "forget",
    pool: str | Sequence[str] = ("seed",),
    alike: float | None = None,
    **fixed: object,
) -> pd.DataFrame:
    """One metric over two axes.

    Args:
        cells: a study, or rows of its ``cells``.
        rows, columns: the axes; every pair of values that occurs is in the result.
        metric, split: which rows; the metric of a study's headline if None, of rows alone the attack success rate.
        pool: a coordinate, or several, whose cells are added up.
        alike: how many probes share a title, in the mean; it counts where an interval is over the probes of one seed.
            None: as the study's probes say; of rows alone, none.
        fixed: ``corpus="prefix"``: keeps the cells with that value, or with one of a list of values.

    Returns:
        A row per pair of values, with ``k``, ``n``, ``rate``, ``low``, ``high`` (95% over seeds, see
        ``analysis.statistics.rates``; with one seed over its probes) and ``cells``, how many were pooled. Where
        nothing was computed, rate and interval are NaN and ``cells`` is 0. A metric that is no count has its mean
        as rate, and its interval is NaN. ``.pivot(index=rows, columns=columns, values="rate")`` makes it a grid.

    Raises:
        SpecError: cells would be pooled that differ in a coordinate which nobody named; no row has all that was named;
            or as ``select``.
    """
    cells = study_or_cells(cells, "surface")
    if not isinstance(cells, pd.DataFrame):
        metric = metric or cells.headline.metric
        alike = max(each.probes_per_title(split) for each in cells.parts) if alike is None else alike
        cells = cells.cells
    pool = [pool] if isinstance(pool, str) else list(pool)
    for what, names in (("rows", [rows]), ("columns", [columns]), ("pool", pool)):
        refuse_unknown(names, coordinates(cells), what)
    chosen = select(cells, metric or ASR, split, **fixed)
    if chosen.empty:
        refuse_empty(cells, {"metric": metric or ASR, "split": split, **fixed})
    named = {rows, columns, *pool}
    mixed = {
        name: ", ".join(map(str, chosen[name].unique()))
        for name in coordinates(chosen)
        if name not in named and chosen[name].nunique() > 1
    }
    if mixed:
        which, choice = "; ".join(map(" ".join, mixed.items())), ", ".join(f"{name}=…" for name in mixed)
        raise SpecError(
            f"this surface would mix {which}: choose one with {choice}, or add {', '.join(map(repr, mixed))} to pool"
        )
    keys = [rows, columns]
    sums = chosen.groupby(keys, observed=True).agg(
        k=("k", _sum_or_none), n=("n", _sum_or_none), mean=("value", "mean"), cells=("value", "size")
    )
    whole = pd.MultiIndex.from_product(
        [sorted(chosen[rows].unique()), sorted(chosen[columns].unique())], names=keys
    )
    table = sums.reindex(whole)
    table["cells"] = table["cells"].fillna(0).astype(int)
    k, n = table["k"].to_numpy(float), table["n"].to_numpy(float)
    counted = ~np.isnan(n)
    rate = np.where(counted, k / np.where(counted, n, 1), table["mean"].to_numpy(float))
    ends = intervals(chosen, keys, alike or 1.0).reindex(whole)
    return table.drop(columns="mean").assign(rate=rate, low=ends["low"], high=ends["high"]).reset_index()


def intervals(cells: pd.DataFrame, keys: list[str], alike: float = 1.0) -> pd.DataFrame:
    """The interval of the rate in each place, seeds taken as the sample.

    Args:
        cells: counts; several cells of a place and seed are added up.
        keys: what names a place.
        alike: as of ``rate_interval``.

    Returns:
        ``low`` and ``high`` for each place; NaN where a metric is no count.
    """
    seed = ["study", "seed"] if "study" in cells and "study" not in keys else ["seed"]
    counts = cells.groupby([*keys, *[name for name in seed if name not in keys]], observed=True)[["k", "n"]]
    of_seeds = counts.agg(_sum_or_none).reset_index()
    ends = {
        place: rate_interval(rows["k"].to_numpy(float), rows["n"].to_numpy(float), alike=alike)
        for place, rows in of_seeds.groupby(keys, observed=True)
    }
    index = pd.MultiIndex.from_tuples(list(ends), names=keys) if ends else None
    return pd.DataFrame(list(ends.values()), index=index, columns=["low", "high"], dtype=float)


def _sum_or_none(values: "pd.Series[float]") -> float:
    return float(values.sum()) if values.notna().all() else float("nan")
