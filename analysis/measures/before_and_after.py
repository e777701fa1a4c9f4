"""Before and after: what an unlearned model answers before it is relearned, and at the last relearn step."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.statistics.moderated import Contrast, moderated


@dataclass(frozen=True)
class Rate:
    """The mean over seeds of each seed's mean over cells; with the interval over seeds, none with one."""

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


def rates_over_seeds(parts: Sequence[pd.DataFrame], column: str = "value") -> list[Rate]:
    """One rate for each row of a table, its interval with a variance that the rows share.

    Args:
        parts: rows of ``analysis.measures.flow``; a part pools all its rows but for the seeds.
        column: shares of the whole.
    """
    given = [part[["seed", column, "queries"]].dropna() for part in parts]
    found = iter(_together([part for part in given if len(part)], column))
    return [next(found) if len(part) else NO_CELLS for part in given]


def _together(parts: list[pd.DataFrame], column: str) -> list[Rate]:
    if not parts:
        return []
    contrasts = []
    for part in parts:
        by_seed = part.groupby("seed")[column].mean().to_numpy(float)
        queries = float(part["queries"].min())
        rate = (float(by_seed.mean()) * queries + 1) / (queries + 2)
        floor = (1 / (queries + 2)) ** 2
        contrasts.append(Contrast(by_seed, rate * (1 - rate), floor=floor, least=0.0, most=1.0))
    low, high = moderated(contrasts).interval()
    alone = [len(each.by_seed) < 2 for each in contrasts]
    return [
        Rate(
            float(each.by_seed.mean()),
            float("nan") if one else float(low[at]),
            float("nan") if one else float(high[at]),
            len(each.by_seed),
            len(parts[at]),
        )
        for at, (each, one) in enumerate(zip(contrasts, alone, strict=True))
    ]


def depth_table(rows: pd.DataFrame) -> list[dict[str, str]]:
    """The headline metric by method, corpus, depth and repetitions, before relearning and after.

    Args:
        rows: of ``analysis.measures.flow``.

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
            line[f"r={count}"] = f"{_range(of_count['before'])} → {_range(of_count['value'])}"
        made.append(line)
    return made


def _range(rates: "pd.Series[float]") -> str:
    if rates.isna().any():
        return "–"  # nobody asked before relearning
    percent = [round(100 * float(rate)) for rate in rates]
    mean = round(100 * float(rates.mean()))
    return f"{mean}%" if min(percent) == max(percent) else f"{mean}% ({min(percent)}–{max(percent)})"
