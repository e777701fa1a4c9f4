"""What a relearning did, from its first step to its last: one row of measures for each trajectory, with intervals.

Falls after the peak are in ``analysis.measures.falls``; Holm's adjustment accounts for the number of trajectories. The
interval of a drop is adjusted as its p is, that of a peak is simultaneous over all steps. Recovery, lift and utility
share variances over the trajectories of a study (``analysis.statistics.moderated``).
"""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.measures.falls import LEVEL, falls
from analysis.reading.given import a_study
from analysis.reading.studies import Studies
from analysis.reading.study_frames import Study
from analysis.reading.titles import probes_per_cluster
from analysis.statistics.adjustment import holm
from analysis.statistics.crossed_design import Answers, crossed
from analysis.statistics.estimate import NOTHING, Estimate
from analysis.statistics.moderated import Contrast, contrast, moderated
from analysis.statistics.rates import rate_estimate
from analysis.statistics.thresholds import above, at_least
from study.errors import SpecError
from study.results.headline import BOUNDS
from study.results.schema import COORDINATES

TRAJECTORY = tuple(name for name in COORDINATES if name not in ("relearn_steps", "seed"))
STARTING_MODEL = tuple(name for name in TRAJECTORY if name != "corpus")
FINETUNING = ("scenario", "model", "repetitions")
"""Coordinates of what an original or a control has in common with a trajectory."""
THRESHOLD = 0.5
CONTRASTS = ("recovery", "lift", "utility")


def trajectories(
    study: Study | Studies, metric: str | None = None, threshold: float = THRESHOLD
) -> pd.DataFrame:
    """Measures of every relearning, seeds taken together.

    Args:
        metric: of probes; the scenario's headline if None.
        threshold: of the metric, for ``steps_to``.

    Returns:
        A row per (study, scenario, model, method, start, repetitions, depth, corpus), each measure with ``_low`` and
        ``_high`` (95%, over seeds and probes, see ``analysis.statistics``):

        - ``first``, ``final``: the rate before relearning and at the last step; ``last_step``.
        - ``peak``: the highest rate, and ``peak_step`` where; ``drop``: peak − final; ``drop_p``: of the peak not
          being above the last step, ``drop_p_adjusted``: Holm's over all rows of this table, ``drop_real``: that it is
          below 5%; ``drop_detectable``: the fall from a step that this test finds in 80% of studies.
        - ``area``: the mean rate over log(1 + steps).
        - ``steps_to``: the first step at which the rate reaches the threshold, infinite and ``censored`` where none
          does; its interval goes from the first step whose upper end reaches it to the first whose lower end does.
        - ``recovery``: (final − first) ÷ (original − first), where an original model was asked whose interval lies
          above that of ``first``; elsewhere the ratio is about nothing.
        - ``lift``: final − the never-learned control's final, on the same corpus, where there is one.
        - ``utility``: the final rate on the retain probes minus that before relearning, where they are scored.
        - ``seeds``, ``probes``: of how many; with one seed nothing is said about others, and nothing is tested.

    Raises:
        SpecError: nothing is scored under the metric.
    """
    rows = [
        row
        for part in a_study(study, "trajectories").parts
        for row in _of_one(part, metric or part.headline.metric, threshold)
    ]
    if not rows:
        raise SpecError(f"{metric or 'the headline metric'}: no relearned cell is scored yet")
    adjusted, divisors = holm(np.array([row["falls"].p for row in rows], dtype=np.float64))
    return pd.DataFrame(
        [
            {
                **{name: value for name, value in row.items() if name != "falls"},
                **row["falls"].measures(p, by),
            }
            for row, p, by in zip(rows, adjusted, divisors, strict=True)
        ]
    )


def _of_one(study: Study, metric: str, threshold: float) -> list[dict[str, Any]]:
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
    made: list[dict[str, Any]] = []
    curves: list[Answers] = []
    contrasts: list[dict[str, Contrast | None]] = []
    for values, at in _positions(relearned, TRAJECTORY).items():
        where = dict(zip(TRAJECTORY, values, strict=True))
        along = pd.concat([others.before(others.forget, where), relearned.iloc[at]])
        found = crossed(along, "relearn_steps", metric)
        if len(found.settings) > 1 and found.settings[0] == 0 and found.seeds and found.probes:
            made.append(
                {"study": study.name, **where, **measures(found, threshold, BOUNDS.get(metric, (0, 1)))}
            )
            curves.append(found)
            contrasts.append(others.contrasts(found, where))
    tables = [_together([each[name] for each in contrasts]) for name in CONTRASTS]
    for row, fall, *estimates in zip(made, falls(curves), *tables, strict=True):
        row["falls"] = fall
        for name, estimate in zip(CONTRASTS, estimates, strict=True):
            row.update(_named(name, estimate))
    return made


def _together(contrasts: list[Contrast | None]) -> list[Estimate]:
    """One measure of all trajectories; nothing where it is not there."""
    there = [each for each in contrasts if each is not None]
    if not there:
        return [NOTHING] * len(contrasts)
    table = moderated(there)
    low, high = table.interval()
    found = iter(zip(table.value, low, high, strict=True))
    made: list[Estimate] = []
    for each in contrasts:
        if each is None:
            made.append(NOTHING)
        else:
            value, begin, end = map(float, next(found))
            least, most = each.reaches
            made.append(Estimate(value, min(begin, least), max(end, most), len(each.by_seed)))
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


def measures(
    found: Answers, threshold: float = THRESHOLD, bounds: tuple[float, float] = (0.0, 1.0)
) -> dict[str, Any]:
    """What one curve does by itself, with intervals: the columns of ``trajectories`` that need no other cell.

    Args:
        found: its scores, steps × seeds × probes.
        threshold: of ``steps_to``.
        bounds: the least and the most that a score can be.
    """
    steps = np.array(found.settings, dtype=np.float64)
    alike = probes_per_cluster(found.probes)
    logs = np.log1p(steps)
    width = np.diff(logs) / (logs[-1] - logs[0])
    area = (np.append(width, 0) + np.append(0, width)) / 2
    each = [rate_estimate(scores, alike=alike, bounds=bounds) for scores in found.scores]
    rates, low, high = (np.array([getattr(one, name) for one in each]) for name in ("value", "low", "high"))
    peak = int(rates.argmax())
    at_peak = rate_estimate(found.scores[peak], 1 - LEVEL / len(steps), alike, bounds)
    reached, surely, perhaps = (
        float(steps[at_least(curve, threshold)][0]) if at_least(curve, threshold).any() else np.inf
        for curve in (rates, low, high)
    )
    return {
        **_named("first", each[0]),
        **_named("final", each[-1]),
        "last_step": int(steps[-1]),
        **_named("peak", at_peak),
        "peak_step": int(steps[peak]),
        **_named("area", rate_estimate(np.tensordot(area, found.scores, axes=1), alike=alike, bounds=bounds)),
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
        never = forget[(forget["start"] == "never_learned") & (forget["depth"] == 0)]
        controls = never[never["corpus"] != "none"]
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

    def contrasts(self, found: Answers, where: dict[str, object]) -> dict[str, Contrast | None]:
        """``recovery``, ``lift`` and ``utility``; None where the other cell is not there."""
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
            "recovery": _recovery(_across([first, final, original])),
            "lift": _difference(_across([final, control])),
            "utility": _difference(_across([after, before])),
        }

    def _matrix(self, rows: pd.DataFrame | None) -> pd.DataFrame | None:
        """Seeds × probes of one cell; None where it is not there."""
        if rows is None or rows.empty:
            return None
        one = crossed(rows.assign(cell=0), "cell", self._metric)
        return pd.DataFrame(one.scores[0], list(one.seeds), list(one.probes))


def _recovery(found: Answers | None) -> Contrast | None:
    """A ratio as the contrast that it is near its value (delta method): what is left of it, over the gap.

    Its interval is the wider of two, as that of net recovery is (``analysis.measures.recovery.best_step``).
    """
    if found is None:
        return None
    first, final, original = found.scores.mean(axis=(1, 2))
    alike = probes_per_cluster(found.probes)
    before, after, whole = (rate_estimate(scores, alike=alike) for scores in found.scores)
    if not above(whole.low, before.high):
        return None  # what was lost may be nothing, and a share of it anything
    gap = original - first
    share = (final - first) / gap
    tangent = contrast(found.scores, np.array([share - 1, 1.0, -share]) / gap, found.clusters)
    reaches = ((after.low - first) / gap, (after.high - first) / gap)
    return replace(tangent, by_seed=tangent.by_seed + share, least=-np.inf, most=np.inf, reaches=reaches)


def _difference(found: Answers | None) -> Contrast | None:
    return None if found is None else contrast(found.scores, [1.0, -1.0], found.clusters)


def _across(frames: list[pd.DataFrame | None]) -> Answers | None:
    """Several cells in the seeds and probes that all of them have; None where there are none."""
    there = [frame for frame in frames if frame is not None]
    if len(there) < len(frames):
        return None
    seeds = sorted(set.intersection(*(set(frame.index) for frame in there)))
    asked = sorted(set.intersection(*(set(frame.columns) for frame in there)))
    if not seeds or not asked:
        return None
    scores = np.stack([frame.loc[seeds, asked].to_numpy(np.float64) for frame in there])
    return Answers(scores, tuple(range(len(there))), tuple(seeds), tuple(asked))


def _named(name: str, found: Estimate) -> dict[str, object]:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
