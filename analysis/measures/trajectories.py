"""What a relearning did, from its first step to its last: one row of measures for each trajectory, with intervals.

A peak is the largest of several noisy rates, so what follows it always seems to fall. Whether a fall is real is
therefore tested over all steps at once: is *any* earlier rate above the last one? Each step has a paired one-sided
t test over seeds and probes. The trajectory's p is the least of them times the number of steps (Bonferroni), so it
holds whichever step is the peak; Holm's adjustment accounts for the number of trajectories. The intervals of the peak
and of the drop are simultaneous over all steps (Bonferroni too).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.reading.studies import Studies
from analysis.reading.study_frames import Study
from analysis.statistics.crossed_design import Answers, crossed
from analysis.statistics.intervals import Estimate, bounded, estimate, spread
from analysis.statistics.wilson import Numbers
from study.errors import SpecError
from study.results.schema import COORDINATES

TRAJECTORY = tuple(name for name in COORDINATES if name not in ("relearn_steps", "seed"))
STARTING_MODEL = tuple(name for name in TRAJECTORY if name != "corpus")
FINETUNING = ("scenario", "model", "repetitions")
"""Coordinates of what an original or a control has in common with a trajectory."""
THRESHOLD = 0.5
LEVEL = 0.05
NOTHING = Estimate(float("nan"), float("nan"), float("nan"), 0)


def trajectories(
    study: Study | Studies, metric: str | None = None, threshold: float = THRESHOLD
) -> pd.DataFrame:
    """Measures of every relearning, seeds taken together.

    Args:
        metric: of probes; the scenario's headline if None.
        threshold: of the metric, for ``steps_to``.

    Returns:
        A row per (study, scenario, model, method, start, repetitions, depth, corpus), each measure with ``_low`` and
        ``_high`` (95%, over seeds and probes, see ``analysis.statistics.intervals``):

        - ``first``, ``final``: the rate before relearning and at the last step; ``last_step``.
        - ``peak``: the highest rate, and ``peak_step`` where; ``drop``: peak − final; ``drop_p``: of no earlier step
          being above the last, ``drop_p_adjusted``: Holm's over all rows of this table, ``drop_real``: that it is
          below 5%.
        - ``area``: the mean rate over log(1 + steps).
        - ``steps_to``: the first step at which the rate reaches the threshold, infinite and ``censored`` where none
          does; its interval goes from the first step whose upper end reaches it to the first whose lower end does.
        - ``recovery``: (final − first) ÷ (original − first), where an original model was asked and had more.
        - ``lift``: final − the never-learned control's final, on the same corpus, where there is one.
        - ``utility``: the final rate on the retain probes minus that before relearning, where they are scored.
        - ``seeds``, ``probes``: of how many; with one seed nothing is said about others.

    Raises:
        SpecError: nothing is scored under the metric.
    """
    from statsmodels.stats.multitest import multipletests

    rows = [row for part in study.parts for row in _of_one(part, metric or part.headline.metric, threshold)]
    if not rows:
        raise SpecError(f"{metric or 'the headline metric'}: no relearned cell is scored yet")
    table = pd.DataFrame(rows)
    tested = table["drop_p"].notna()
    table["drop_p_adjusted"] = np.nan
    if tested.any():
        table.loc[tested, "drop_p_adjusted"] = multipletests(table.loc[tested, "drop_p"], method="holm")[1]
    table["drop_real"] = table["drop_p_adjusted"] < LEVEL
    return table


def _of_one(study: Study, metric: str, threshold: float) -> list[dict[str, object]]:
    forget = study.scores(metric)
    relearned = forget[(forget["corpus"] != "none") & (forget["relearn_steps"] > 0)]
    if relearned.empty:
        return []
    first_and_last = [
        0,
        *sorted(set(relearned.groupby(list(TRAJECTORY), observed=True)["relearn_steps"].max())),
    ]
    retain = study.scores(metric, split="retain", relearn_steps=[int(step) for step in first_and_last])
    others = _OtherCells(forget, retain, metric)
    made: list[dict[str, object]] = []
    for values, at in _positions(relearned, TRAJECTORY).items():
        where = dict(zip(TRAJECTORY, values, strict=True))
        along = pd.concat([others.before(others.forget, where), relearned.iloc[at]])
        found = crossed(along, "relearn_steps", metric)
        if len(found.settings) > 1 and found.settings[0] == 0 and found.seeds and found.probes:
            measures = {**_measures(found, threshold), **others.measures(found, where)}
            made.append({"study": study.name, **where, **measures})
    return made


def _positions(rows: pd.DataFrame, names: tuple[str, ...]) -> dict[tuple[object, ...], npt.NDArray[Any]]:
    """Values of some columns → positions of the rows that have them; found once for all values."""
    if rows.empty:
        return {}
    groups = rows.groupby(list(names), observed=True)
    number = groups.ngroup().to_numpy()
    order = np.argsort(number, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(number[order])) + 1)
    heads = rows[list(names)].iloc[[part[0] for part in parts]]
    return dict(zip(heads.astype(object).itertuples(index=False, name=None), parts, strict=True))


def _measures(found: Answers, threshold: float) -> dict[str, object]:
    steps = np.array(found.settings, dtype=np.float64)
    count = len(steps)
    rates = found.scores.mean(axis=(1, 2))
    peak = int(rates.argmax())
    logs = np.log1p(steps)
    width = np.diff(logs) / (logs[-1] - logs[0])
    area = np.append(width, 0) / 2 + np.append(0, width) / 2
    each = spread(found.scores, np.vstack([np.eye(count), area]))
    within = each.rate_interval if bounded(found) else each.t_interval
    low, high = within()
    simultaneous_low, simultaneous_high = within(1 - LEVEL / count)
    falls = spread(found.scores, np.eye(count)[:-1] - np.eye(count)[-1])
    p = falls.p_above_zero() if count > 1 else np.array([np.nan])
    drop_low, drop_high = falls.t_interval(1 - LEVEL / (count - 1))
    at = min(peak, count - 2)  # a peak at the last step has no drop
    fell = peak < count - 1
    reached, surely, perhaps = (
        float(steps[curve >= threshold][0]) if (curve >= threshold).any() else np.inf
        for curve in (rates, low[:count], high[:count])
    )
    return {
        **_named("first", Estimate(float(rates[0]), float(low[0]), float(high[0]), 0)),
        **_named("final", Estimate(float(rates[-1]), float(low[count - 1]), float(high[count - 1]), 0)),
        "last_step": int(steps[-1]),
        **_named(
            "peak",
            Estimate(float(rates[peak]), float(simultaneous_low[peak]), float(simultaneous_high[peak]), 0),
        ),
        "peak_step": int(steps[peak]),
        "drop": float(falls.value[at]) if fell else 0.0,
        "drop_low": float(drop_low[at]) if fell else np.nan,
        "drop_high": float(drop_high[at]) if fell else np.nan,
        "drop_p": float(min(1.0, (count - 1) * p.min())),
        **_named("area", Estimate(float(each.value[-1]), float(low[-1]), float(high[-1]), 0)),
        "steps_to": reached,
        "steps_to_low": perhaps,
        "steps_to_high": surely,
        "censored": bool(np.isinf(reached)),
        "seeds": len(found.seeds),
        "probes": len(found.probes),
    }


class _OtherCells:
    """The cells that a trajectory is measured against: its start, its original, its control, its retain probes."""

    def __init__(self, forget: pd.DataFrame, retain: pd.DataFrame, metric: str) -> None:
        self._metric = metric
        self.forget = self._zeros(forget)
        self._retain = self._zeros(retain)
        references = forget[(forget["start"] == "original") & (forget["relearn_steps"] == 0)]
        self._originals = self._by(references[references["corpus"] == "none"], FINETUNING)
        controls = forget[(forget["start"] == "never_learned") & (forget["corpus"] != "none")]
        self._controls = self._by(controls, (*FINETUNING, "corpus", "relearn_steps"))
        self._after = self._by(retain[retain["relearn_steps"] > 0], (*TRAJECTORY, "relearn_steps"))

    def _by(self, rows: pd.DataFrame, names: tuple[str, ...]) -> dict[tuple[object, ...], pd.DataFrame]:
        return {values: rows.iloc[at] for values, at in _positions(rows, names).items()}

    def _zeros(self, rows: pd.DataFrame) -> dict[tuple[object, ...], pd.DataFrame]:
        return self._by(rows[rows["relearn_steps"] == 0], STARTING_MODEL)

    def before(
        self, zeros: dict[tuple[object, ...], pd.DataFrame], where: dict[str, object]
    ) -> pd.DataFrame | None:
        """The checkpoint a trajectory started from, whichever cell recorded it."""
        rows = zeros.get(tuple(where[name] for name in STARTING_MODEL))
        return None if rows is None else rows[rows["corpus"].isin(["none", where["corpus"]])]

    def measures(self, found: Answers, where: dict[str, object]) -> dict[str, object]:
        """``recovery``, ``lift`` and ``utility``."""
        last = int(str(found.settings[-1]))
        finetuning = tuple(where[name] for name in FINETUNING)
        first, final = (
            pd.DataFrame(found.scores[at], list(found.seeds), list(found.probes)) for at in (0, -1)
        )
        original = self._matrix(self._originals.get(finetuning))
        control = self._matrix(self._controls.get((*finetuning, where["corpus"], last)))
        after = self._matrix(self._after.get((*(where[name] for name in TRAJECTORY), last)))
        before = self._matrix(self.before(self._retain, where))
        return {
            **_named("recovery", _across([first, final, original], _recovery)),
            **_named("lift", _across([final, control], _difference)),
            **_named("utility", _across([after, before], _difference)),
        }

    def _matrix(self, rows: pd.DataFrame | None) -> pd.DataFrame | None:
        """Seeds × probes of one cell; None where it is not there."""
        if rows is None or rows.empty:
            return None
        one = crossed(rows.assign(cell=0), "cell", self._metric)
        return pd.DataFrame(one.scores[0], list(one.seeds), list(one.probes))


def _recovery(rates: Numbers) -> Numbers:
    gap = rates[:, 2] - rates[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(gap > 0, (rates[:, 1] - rates[:, 0]) / gap, np.nan)


def _difference(rates: Numbers) -> Numbers:
    return rates[:, 0] - rates[:, 1]


def _across(frames: list[pd.DataFrame | None], statistic: Callable[[Numbers], Numbers]) -> Estimate:
    """A statistic of several cells in the seeds and probes that all of them have."""
    there = [frame for frame in frames if frame is not None]
    if len(there) < len(frames):
        return NOTHING
    seeds = sorted(set.intersection(*(set(frame.index) for frame in there)))
    asked = sorted(set.intersection(*(set(frame.columns) for frame in there)))
    if not seeds or not asked:
        return NOTHING
    scores = np.stack([frame.loc[seeds, asked].to_numpy(np.float64) for frame in there])
    return estimate(Answers(scores, tuple(range(len(there))), tuple(seeds), tuple(asked)), statistic)


def _named(name: str, found: Estimate) -> dict[str, object]:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
