"""What the pictures show: the headline metric of every place in percent, seeds taken together, and each seed alone."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.charts.chart import between
from analysis.measures.surface import intervals, select
from analysis.reading.study_frames import Study
from study.errors import counted
from study.results.headline import Headline
from study.results.schema import COORDINATES

SETTING = [name for name in COORDINATES if name != "seed"]


@dataclass(frozen=True)
class Rows:
    """The headline metric of a study on the forget probes.

    Attributes:
        seeds: a row per cell: the coordinates, ``benign`` and ``percent``.
        pooled: a row per setting: ``percent``, ``low`` and ``high`` (95% over seeds; NaN where the metric is no
            count), ``k``, ``n``, ``seeds``.
    """

    headline: Headline
    seeds: pd.DataFrame
    pooled: pd.DataFrame


def pooled_rows(study: Study, headline: Headline | None = None) -> Rows:
    """All of it, computed once for all pictures; of another metric than the study's headline where one is named."""
    chosen = study.headline_cells if headline is None else select(study.cells, headline.metric)
    headline = headline or study.headline
    seeds = chosen[[*COORDINATES, "benign", "k", "n"]].assign(
        percent=100 * (chosen["value"].to_numpy(float) - headline.least) / headline.span
    )
    groups = seeds.groupby(SETTING, observed=True)
    pooled = groups.agg(
        k=("k", "sum"),
        n=("n", "sum"),
        counted=("n", "count"),
        percent=("percent", "mean"),
        seeds=("seed", "nunique"),
        benign=("benign", "all"),
    ).reset_index()
    counts = pooled["counted"].to_numpy() > 0
    k, n = pooled["k"].to_numpy(float), pooled["n"].to_numpy(float)
    ends = intervals(seeds, SETTING, study.probes_per_title()).reset_index(drop=True)
    rate = np.divide(100 * k, n, out=np.full(len(n), np.nan), where=n > 0)
    pooled["percent"] = np.where(counts, rate, pooled["percent"])
    return Rows(headline, seeds, pooled.assign(low=100 * ends["low"], high=100 * ends["high"]))


def rows_with(frame: pd.DataFrame, **fixed: object) -> pd.DataFrame:
    """The rows with these values."""
    chosen = np.ones(len(frame), bool)
    for name, value in fixed.items():
        chosen &= (frame[name] == value).to_numpy(bool)
    return frame[chosen]


def in_words(row: "pd.Series[float]") -> str:
    """A pooled setting: rate, interval, counts, seeds."""
    counts = f", {int(row['k']):,} of {int(row['n']):,}" if row["counted"] else ""
    seeds = counted(int(row["seeds"]), "seed")
    return f"{row['percent']:.1f}%{between(row['low'], row['high'])}{counts}, {seeds}"


def values_present(frame: pd.DataFrame, name: str) -> list[object]:
    """The values of a coordinate that occur, in their order."""
    there = set(frame[name].unique())
    if isinstance(frame[name].dtype, pd.CategoricalDtype):
        return [value for value in frame[name].cat.categories if value in there]
    return sorted(there)
