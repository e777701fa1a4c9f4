"""Before and after: what an unlearned model answers before it is relearned, and at the last relearn step."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.statistics.rates import rate_interval


@dataclass(frozen=True)
class Rate:
    """The mean over seeds of each seed's mean over cells; with the interval over seeds; with one over its queries."""

    value: float
    low: float
    high: float
    seeds: int
    cells: int

    def __str__(self) -> str:
        if not self.cells:
            return "–"
        if np.isnan(self.low):
            return f"{100 * self.value:.0f}%"
        return f"{100 * self.value:.0f}% ({100 * self.low:.0f}–{100 * self.high:.0f})"


NO_CELLS = Rate(float("nan"), float("nan"), float("nan"), 0, 0)


def rate_over_seeds(rows: pd.DataFrame, column: str = "value") -> Rate:
    """One rate of some relearnings, with the interval that every rate has (``analysis.statistics.rates``).

    Args:
        rows: of ``analysis.measures.recovery.flow``; pooled but for the seeds.
        column: shares of the whole.
    """
    given = rows[["seed", column, "queries", "alike"]].dropna()
    return _rate(given, column) if len(given) else NO_CELLS


def _rate(part: pd.DataFrame, column: str) -> Rate:
    by_seed = part.groupby("seed")[[column, "queries"]].agg({column: "mean", "queries": "min"})
    asked = by_seed["queries"].to_numpy(float)
    low, high = rate_interval(
        by_seed[column].to_numpy(float) * asked, asked, alike=float(part["alike"].iloc[0])
    )
    return Rate(float(by_seed[column].mean()), low, high, len(by_seed), len(part))


def depth_table(rows: pd.DataFrame) -> list[dict[str, str]]:
    """The headline metric by method, corpus, depth and repetitions, before relearning and after.

    Args:
        rows: of ``analysis.measures.recovery.flow``.

    Returns:
        A mapping per (model where there are several, method, corpus, depth) with those, and for each repetition count
        ``r=…``: the value before relearning, an arrow, and that at the last step, each as mean and range over seeds.
        Every relearning is in it, whether it counts or not.
    """
    made = []
    place = [*(["model"] if rows["model"].nunique() > 1 else []), "method", "corpus", "depth"]
    for values, part in rows.groupby(place, sort=False):
        line = dict(zip(place, map(str, values), strict=True))
        for count, of_count in sorted(part.groupby("repetitions"), reverse=True):
            line[f"r = {count}"] = f"{_range(of_count['before'])} → {_range(of_count['value'])}"
        made.append(line)
    return made


def _range(rates: "pd.Series[float]") -> str:
    if rates.isna().any():
        return "–"  # nobody asked before relearning
    percent = [round(100 * float(rate)) for rate in rates]
    mean = round(100 * float(rates.mean()))
    return f"{mean}%" if min(percent) == max(percent) else f"{mean}% (seeds {min(percent)} to {max(percent)})"
