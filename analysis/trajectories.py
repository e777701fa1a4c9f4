"""What a relearning did, from its first step to its last: one row of measures for each trajectory, with intervals."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from analysis.frames import Study
from analysis.resampling import Answers, Estimate, Numbers, answers, estimate
from study.errors import SpecError
from study.results import COORDINATES

PLACE = tuple(name for name in COORDINATES if name not in ("relearn_steps", "seed"))
THRESHOLD = 0.5


def trajectories(study: Study, metric: str | None = None, threshold: float = THRESHOLD) -> pd.DataFrame:
    """Measures of every relearning, seeds taken together.

    Args:
        metric: a column of true or false scores, or of scores of at most 1; the scenario's headline if None.
        threshold: of the rate, for ``steps_to``.

    Returns:
        A row per (scenario, model, method, start, repetitions, depth, corpus), each measure with ``_low`` and
        ``_high`` (95%, over seeds and probes, see ``analysis.resampling``):

        - ``first``, ``final``: the rate before relearning and at the last step; ``last_step``.
        - ``peak``: the highest rate, and ``peak_step`` where; ``drop``: peak − final. A peak is the largest of
          several noisy rates, so it and the drop lean upwards; a drop is real where its interval, taken at
          the observed peak's step, excludes 0.
        - ``area``: the mean rate over log(1 + steps), 0 to 1.
        - ``steps_to``: the first step at which the rate reaches the threshold; ``censored`` where none does.
        - ``recovery``: (final − first) ÷ (original − first), where an original model was asked and had more.
        - ``lift``: final − the never-learned control's final, on the same corpus, where there is one.
        - ``utility``: the final rate on the retain probes minus that before relearning, where they are scored.

    Raises:
        SpecError: nothing in the study is scored under the metric.
    """
    name = metric or study.headline.metric
    probes = study.probes
    if name not in probes.columns:
        raise SpecError(f"metric={name}: the probes have no such column of scores")
    forget = probes[(probes["split"] == "forget") & probes[name].notna()]
    relearned = forget[(forget["corpus"] != "none")]
    if relearned.empty:
        raise SpecError(f"{name}: no relearned cell is scored yet")
    rows = []
    for place, group in relearned.groupby(list(PLACE), observed=True):
        where = dict(zip(PLACE, place if isinstance(place, tuple) else (place,), strict=True))
        found = _with_start(forget, group, where, name)
        if found is not None:
            rows.append({**where, **_measures(found, threshold), **_beside(probes, found, where, name)})
    return pd.DataFrame(rows)


def _with_start(
    forget: pd.DataFrame, group: pd.DataFrame, where: dict[str, object], metric: str
) -> Answers | None:
    """The answers along a trajectory; step 0 is the checkpoint it started from, whichever cell recorded it."""
    same = [name for name in PLACE if name != "corpus"]
    zero = forget[(forget["relearn_steps"] == 0) & (forget["corpus"].isin(["none", where["corpus"]]))]
    for name in same:
        zero = zero[zero[name] == where[name]]
    rows = pd.concat([zero, group[group["relearn_steps"] > 0]]).drop_duplicates(
        ["seed", "relearn_steps", "probe"]
    )
    rows = rows.assign(corpus=str(where["corpus"]))
    try:
        found = answers(rows, metric, "relearn_steps")
    except SpecError:
        return None
    return found if len(found.settings) > 1 and found.settings[0] == 0 else None


def _measures(found: Answers, threshold: float) -> dict[str, object]:
    steps = np.array(found.settings, float)
    rates = found.scores.mean(axis=(1, 2))
    peak = int(rates.argmax())
    reached = np.flatnonzero(rates >= threshold)
    logs = np.log1p(steps)
    width = np.diff(logs) / (logs[-1] - logs[0])

    def area(drawn: Numbers) -> Numbers:
        means: Numbers = (drawn[:, 1:] + drawn[:, :-1]) / 2
        return np.asarray(means @ width, dtype=np.float64)

    def steps_to(drawn: Numbers) -> Numbers:
        above = drawn >= threshold
        return np.where(above.any(axis=1), steps[above.argmax(axis=1)], np.inf)

    return {
        **_named("first", estimate(found, lambda drawn: drawn[:, 0])),
        **_named("final", estimate(found, lambda drawn: drawn[:, -1])),
        "last_step": int(steps[-1]),
        **_named("peak", estimate(found, lambda drawn: drawn[:, peak])),
        "peak_step": int(steps[peak]),
        **_named("drop", estimate(found, lambda drawn: drawn[:, peak] - drawn[:, -1])),
        **_named("area", estimate(found, area)),
        **_named("steps_to", estimate(found, steps_to)),
        "censored": len(reached) == 0,
        "seeds": len(found.seeds),
        "probes": len(found.probes),
    }


def _beside(probes: pd.DataFrame, found: Answers, where: dict[str, object], metric: str) -> dict[str, object]:
    """The measures that need other cells than the trajectory's own."""
    last = int(str(found.settings[-1]))
    common = {name: where[name] for name in ("scenario", "model", "repetitions")}
    original = _rates(probes, metric, "forget", {**common, "start": "original", "corpus": "none"}, 0)
    control = _rates(
        probes, metric, "forget", {**common, "start": "never_learned", "corpus": where["corpus"]}, last
    )
    own = {**common, **{name: where[name] for name in ("start", "method", "depth")}}
    before = _rates(probes, metric, "retain", {**own, "corpus": ["none", where["corpus"]]}, 0)
    after = _rates(probes, metric, "retain", {**own, "corpus": where["corpus"]}, last)
    ends = (found.scores[0], found.scores[-1])

    def recovery(rates: Numbers) -> Numbers:
        gap = rates[:, 2] - rates[:, 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(gap > 0, (rates[:, 1] - rates[:, 0]) / gap, np.nan)

    return {
        **_named("recovery", _across(found, [*ends, original], recovery)),
        **_named("lift", _across(found, [ends[1], control], lambda rates: rates[:, 0] - rates[:, 1])),
        **_named("utility", _across(found, [after, before], lambda rates: rates[:, 0] - rates[:, 1])),
    }


Matrix = pd.DataFrame | Numbers | None


def _rates(probes: pd.DataFrame, metric: str, split: str, where: dict[str, object], step: int) -> Matrix:
    """Seeds × probes of one cell; None where it is not there."""
    rows = probes[(probes["split"] == split) & (probes["relearn_steps"] == step) & probes[metric].notna()]
    for name, value in where.items():
        rows = rows[rows[name].isin(value if isinstance(value, list) else [value])]
    if rows.empty:
        return None
    return (
        rows.drop_duplicates(["seed", "probe"])
        .pivot(index="seed", columns="probe", values=metric)
        .astype(float)
    )


def _across(found: Answers, matrices: list[Matrix], statistic: Callable[[Numbers], Numbers]) -> Estimate:
    """A statistic of several cells in the seeds and probes that all of them have."""
    frames = []
    for matrix in matrices:
        if matrix is None:
            return Estimate(float("nan"), float("nan"), float("nan"), 0)
        frames.append(
            matrix if isinstance(matrix, pd.DataFrame) else pd.DataFrame(matrix, found.seeds, found.probes)
        )
    seeds = sorted(set.intersection(*(set(frame.index) for frame in frames)))
    asked = sorted(set.intersection(*(set(frame.columns) for frame in frames)))
    if not seeds or not asked:
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    scores = np.stack([frame.loc[seeds, asked].to_numpy(float) for frame in frames])
    settings = tuple(range(len(frames)))
    return estimate(Answers(scores, settings, tuple(seeds), tuple(asked)), statistic)


def _named(name: str, found: Estimate) -> dict[str, float]:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
