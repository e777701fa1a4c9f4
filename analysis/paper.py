"""The names experiment beside the paper: its figures, and whether its laws hold in a study's rows.

Every law is judged from the rows by one stated rule, and says so when it cannot be judged. None of it is a
replication: what was run is named beside the paper's 7B model.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.crossed import spread
from analysis.frames import Study
from analysis.intervals import wilson
from analysis.surface import select
from study.results import COORDINATES

PAPER = "Hu, Fu, Wu, Smith, ICLR 2025 (Llama-2-7b)"
PAPER_ASR: Mapping[int, tuple[int, int]] = {7: (0, 100), 5: (0, 97), 3: (0, 23), 1: (0, 0)}
"""Repetitions → unlearned and relearned ASR in percent, from the authors' published table."""


@dataclass(frozen=True)
class Law:
    """A statement of the paper's, and what the rows say: True, False, or None where they do not."""

    statement: str
    holds: bool | None
    found: str


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


def relearned(study: Study) -> pd.DataFrame:
    """The last cell of every trajectory that starts from an unlearned model.

    Returns:
        The rows of ``Study.cells`` under the headline metric at the greatest relearn_steps, with
        ``unlearned_asr``, the value before relearning, and ``was_unlearned``.
    """
    rows = select(study.cells, study.headline.metric, start="unlearned")
    if not len(rows):
        return rows.assign(unlearned_asr=pd.Series(dtype=float), was_unlearned=pd.Series(dtype=bool))
    place = ["scenario", "model", "method", "repetitions", "depth", "corpus", "seed"]
    before = rows[rows["relearn_steps"] == 0].set_index(place)["value"].rename("unlearned_asr")
    last = rows[rows["relearn_steps"] == rows["relearn_steps"].max()]
    joined = last.join(before, on=place)
    judged: pd.DataFrame = joined.assign(was_unlearned=joined["unlearned_asr"] <= study.forgotten)
    return judged


def mean_rate(study: Study, cells: pd.DataFrame) -> Rate:
    """The mean over all answers of some cells at the first or last step, with its interval over seeds and probes.

    Seeds may have different numbers of cells: each answer counts once, and a seed's share in the variance is that
    of its cells (a ratio estimate, linearised; see ``analysis.crossed``). Where the probes are not there, or not
    the same in all of the cells, there is no interval.
    """
    if not len(cells):
        return Rate(float("nan"), float("nan"), float("nan"), 0)
    full = study.headline.full
    counted = bool(cells["n"].notna().all())
    value = float(cells["k"].sum() / cells["n"].sum() if counted else cells["value"].mean() / full)
    keys = list(COORDINATES)
    wanted = pd.MultiIndex.from_frame(cells[keys].astype(object))
    near = study.ends
    for name in keys:  # first by each coordinate alone, which is quick
        near = near[near[name].isin(cells[name].unique())]
    rows = near[pd.MultiIndex.from_frame(near[keys].astype(object)).isin(wanted)]
    table = (
        rows.pivot_table(index="seed", columns="probe", values=study.headline.metric, observed=True) / full
    )
    if table.empty or bool(table.isna().any(axis=None)):
        return Rate(value, float("nan"), float("nan"), len(cells))
    share = cells.groupby("seed").size().reindex(table.index).to_numpy(np.float64)
    weighed = value + (share / share.mean())[:, None] * (table.to_numpy(np.float64) - value)
    low, high = spread(weighed[None], [1.0]).within()
    return Rate(value, float(low[0]), float(high[0]), len(cells))


def repetitions_table(study: Study, corpus: str = "prefix") -> pd.DataFrame:
    """Repetitions → ASR before and after relearning, beside the paper's.

    Returns:
        A row per repetition count: ``unlearned`` and ``relearned`` (a ``Rate`` each), over the
        trajectories that ``was_unlearned``; ``cells`` of them and ``left_out``, those that were not
        unlearned; ``paper_unlearned`` and ``paper_relearned`` in percent.
    """
    last = relearned(study)
    last = last[(last["corpus"] == corpus) & (last["scenario"] == "names")]
    made = []
    for repetitions, of_count in sorted(last.groupby("repetitions"), reverse=True):
        kept = of_count[of_count["was_unlearned"]]
        before = kept.assign(k=(kept["unlearned_asr"] * kept["n"]).round(), relearn_steps=0)
        paper = PAPER_ASR.get(int(str(repetitions)), (None, None))
        made.append(
            {
                "repetitions": repetitions,
                "unlearned": mean_rate(study, before),
                "relearned": mean_rate(study, kept),
                "cells": len(kept),
                "left_out": len(of_count) - len(kept),
                "paper_unlearned": paper[0],
                "paper_relearned": paper[1],
            }
        )
    return pd.DataFrame(made)


def depth_table(study: Study) -> list[dict[str, str]]:
    """The headline metric by method, corpus, depth and repetitions, before relearning and after.

    Returns:
        A mapping per (method, corpus, depth) with those, and for each repetition count ``r=…``: the
        unlearned value of the seeds, an arrow, and the relearned one, each as mean and range over seeds.
        Every trajectory is in it, unlearned or not.
    """
    made = []
    rated = relearned(study)
    for name in ("value", "unlearned_asr"):
        rated[name] = rated[name] / study.headline.full
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


def laws(study: Study) -> list[Law]:
    """The paper's laws, judged on the cells that count as unlearned; the first is the names' alone."""
    last = relearned(study)
    kept = last[last["was_unlearned"]]
    names = [*_law_of_repetitions(study, kept)] if study.content["axes"]["scenario"] == ["names"] else []
    return [
        *names,
        _law_of_depth(kept),
        *_laws_of_corpora(study, kept),
        _law_of_the_control(study),
    ]


def _law_of_repetitions(study: Study, kept: pd.DataFrame) -> Iterator[Law]:
    prefix = kept[kept["corpus"] == "prefix"]
    rates = {
        int(str(count)): float(rows["value"].mean())
        for count, rows in prefix.groupby("repetitions", observed=True)
    }
    found = ", ".join(f"r={count}: {100 * rate:.0f}%" for count, rate in sorted(rates.items()))
    if {1, 3, 5, 7} <= rates.keys():
        apart = min(rates[7], rates[5]) - rates[1] >= 0.4
        between = rates[1] < rates[3] < min(rates[5], rates[7])
        yield Law(
            "On prefix, r=7 and r=5 give at least 40 points more than r=1, and r=3 lies between "
            "(all depths together)",
            apart and between,
            found,
        )
    else:
        yield Law("On prefix, ASR rises with repetitions", None, found or "no cells")
    depths = prefix.groupby("depth", observed=True)
    for depth, rows in depths:
        at = {
            int(str(count)): float(of_count["value"].mean())
            for count, of_count in rows.groupby("repetitions", observed=True)
        }
        if {1, 3, 5, 7} <= at.keys():
            rising = at[1] < at[3] < min(at[5], at[7])
            apart = min(at[5], at[7]) - at[1] >= 0.4
            words = ", ".join(f"r={count}: {100 * rate:.0f}%" for count, rate in sorted(at.items()))
            yield Law(
                f"The same at depth {depth} alone",
                apart and rising,
                words,
            )


def _law_of_depth(kept: pd.DataFrame) -> Law:
    """Within (repetitions, seed): from the shallowest unlearned depth to the deepest, does ASR fall?"""
    first = next((name for name in kept["corpus"].cat.categories if (kept["corpus"] == name).any()), "none")
    prefix = kept[kept["corpus"] == first]
    falls, rises, equal = 0, 0, 0
    for _, rows in prefix.groupby(["method", "repetitions", "seed"], observed=True):
        ordered = rows.sort_values("depth")["value"].to_numpy()
        if len(ordered) < 2:
            continue
        falls += ordered[-1] < ordered[0]
        rises += ordered[-1] > ordered[0]
        equal += ordered[-1] == ordered[0]
    statement = f"On {first}, deeper unlearning is harder to undo: relearning recovers less"
    if falls + rises == 0:
        return Law(statement, None, "no pair of depths that differ")
    return Law(
        statement,
        bool(falls > rises),
        f"from the shallowest to the deepest unlearned depth it falls in {falls} of "
        f"{falls + rises + equal} series (method × repetitions × seed), rises in {rises}, stays in {equal}",
    )


def _laws_of_corpora(study: Study, kept: pd.DataFrame) -> Iterator[Law]:
    """Paired: the same model, depth, repetitions and seed under two corpora."""
    place = ["model", "method", "repetitions", "depth", "seed"]
    percent = study.headline.percent
    wide = kept.pivot_table(index=place, columns="corpus", values="value", observed=True)
    present = [name for name in kept["corpus"].cat.categories if (kept["corpus"] == name).any()]
    benign = [name for name in present if bool(kept[kept["corpus"] == name]["benign"].all())]
    for better, worse in itertools.pairwise(benign):
        statement = f"Relearning {better} recovers more than relearning {worse}"
        pairs = wide[[better, worse]].dropna()
        difference = float((pairs[better] - pairs[worse]).mean())
        yield Law(
            statement,
            difference > 0,
            f"mean {percent(pairs[better].mean()):.0f}% against {percent(pairs[worse].mean()):.0f}% over "
            f"{len(pairs)} paired cells; above in {int((pairs[better] > pairs[worse]).sum())}, below in "
            f"{int((pairs[better] < pairs[worse]).sum())}",
        )


def _law_of_the_control(study: Study) -> Law:
    limit = study.forgotten
    statement = f"A model that never learned D does not know it: {study.headline.rule}"
    rows = select(study.cells, study.headline.metric, start="never_learned")
    rows = rows[rows["benign"]]
    if not len(rows):
        return Law(statement, None, "no control in this study")
    worst = float(rows["value"].max())
    found = f"at most {study.headline.percent(worst):.0f}% in any of {len(rows)} cells"
    if rows["n"].notna().all():
        _, high = wilson(rows["k"].sum(), rows["n"].sum())
        found += (
            f"; {int(rows['k'].sum())} of {int(rows['n'].sum()):,} queries in all (Wilson up to "
            f"{100 * float(high):.2f}%)"
        )
    return Law(statement, None if np.isnan(limit) else worst <= limit, found)
