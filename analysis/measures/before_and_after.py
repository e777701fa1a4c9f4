"""Before and after: what an unlearned model answers before it is relearned, and at the last relearn step.

Over all cells of a study, by method, corpus, depth and repetitions.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.reading.study_frames import Study
from analysis.statistics.intervals import spread
from study.results.schema import COORDINATES


@dataclass(frozen=True)
class Rate:
    """A mean over cells, each a rate over the same probes; with the interval over seeds and probes."""

    value: float
    low: float
    high: float
    cells: int

    def __str__(self) -> str:
        if not self.cells:
            return "–"
        if np.isnan(self.low):
            return f"{100 * self.value:.0f}%"
        return f"{100 * self.value:.0f}% ({100 * self.low:.0f}–{100 * self.high:.0f})"


def mean_rate(study: Study, cells: pd.DataFrame) -> Rate:
    """The mean over all answers of some cells at the first or last step, with its interval over seeds and probes.

    Seeds may have different numbers of cells: each answer counts once, and a seed's share in the variance is that
    of its cells (a ratio estimate, linearised; see ``analysis.statistics.intervals``). Where the probes are not there,
    or not the same in all of the cells, the interval is over seeds alone, and there is none with one seed.
    """
    if not len(cells):
        return Rate(float("nan"), float("nan"), float("nan"), 0)
    full = study.headline.full
    counted = bool(cells["n"].notna().all())
    value = float(cells["k"].sum() / cells["n"].sum() if counted else cells["value"].mean() / full)
    keys = list(COORDINATES)
    wanted = pd.MultiIndex.from_frame(cells[keys].astype(object))
    near = study.first_and_last_scores
    for name in keys:  # first by each coordinate alone, which is quick
        near = near[near[name].isin(cells[name].unique())]
    rows = near[pd.MultiIndex.from_frame(near[keys].astype(object)).isin(wanted)]
    table = (
        rows.pivot_table(index="seed", columns="probe", values=study.headline.metric, observed=True) / full
    )
    answers_per_score = 1.0
    if table.empty or bool(table.isna().any(axis=None)):  # the seeds' own rates are all that is known
        own = cells["k"] / cells["n"] if counted else cells["value"] / full
        by_seed = own.groupby(cells["seed"]).mean()
        if len(by_seed) < 2:
            return Rate(value, float("nan"), float("nan"), len(cells))
        table = by_seed.to_frame("all")
        answers_per_score = (
            float(cells["n"].sum() / len(by_seed)) if counted else float(len(cells) / len(by_seed))
        )
    share = cells.groupby("seed").size().reindex(table.index).to_numpy(np.float64)
    weighed = value + (share / share.mean())[:, None] * (table.to_numpy(np.float64) - value)
    low, high = spread(weighed[None], [1.0], answers_per_score).rate_interval()
    return Rate(value, float(low[0]), float(high[0]), len(cells))


def depth_table(study: Study) -> list[dict[str, str]]:
    """The headline metric by method, corpus, depth and repetitions, before relearning and after.

    Returns:
        A mapping per (method, corpus, depth) with those, and for each repetition count ``r=…``: the
        unlearned value of the seeds, an arrow, and the relearned one, each as mean and range over seeds.
        Every trajectory is in it, unlearned or not.
    """
    made = []
    ends = ["unlearned_asr", "value"]
    rated = study.relearned.assign(**{name: study.relearned[name] / study.headline.full for name in ends})
    for (method, corpus, depth), rows in rated.groupby(["method", "corpus", "depth"], observed=True):
        line = {"method": str(method), "corpus": str(corpus), "depth": str(depth)}
        for count, of_count in sorted(rows.groupby("repetitions"), reverse=True):
            line[f"r={count}"] = f"{_range(of_count['unlearned_asr'])} → {_range(of_count['value'])}"
        made.append(line)
    return made


def _range(rates: "pd.Series[float]") -> str:
    if rates.isna().any():
        return "–"  # nobody asked before relearning
    percent = [round(100 * float(rate)) for rate in rates]
    mean = round(100 * float(rates.mean()))
    return f"{mean}%" if min(percent) == max(percent) else f"{mean}% ({min(percent)}–{max(percent)})"
