"""The frontier: where along one axis an attack begins to work, for each value of another, with its band.

The curve's rates have pointwise intervals over seeds and probes (``analysis.statistics.intervals``). The band of the
crossing is where these cross the level: a step is in it as long as its interval holds the level. Between two computed
steps the rate is interpolated on the logarithm of steps; nothing is read beyond the last.

The curve is smoothed only where a test of a step back allows it: is *any* earlier rate above a later one (paired
one-sided t tests, Bonferroni over all pairs)? Where that is not shown at 5%, the curve and its interval are replaced by
their isotonic regressions; where it is, nothing is smoothed and the first crossing counts. Not shown does not mean that
the curve is monotone, least of all with few seeds.
"""

import numpy as np
import pandas as pd
import scipy  # its parts load when they are first used

from analysis.reading.studies import Studies
from analysis.reading.study_frames import Study, coordinates
from analysis.statistics.crossed_design import Answers, crossed
from analysis.statistics.intervals import bounded, spread
from analysis.statistics.wilson import Numbers, wilson
from study.errors import SpecError
from study.results.schema import COORDINATES

LEVEL = 0.05
LOGARITHMIC = ("relearn_steps", "depth")
FALLING = ("depth",)
"""Axes along which an attack gets harder: the frontier is where the rate falls below the level."""


def frontier(
    study: Study | Studies | pd.DataFrame,
    rows: str = "relearn_steps",
    columns: str = "depth",
    metric: str | None = None,
    level: float = 0.5,
    split: str = "forget",
    **fixed: object,
) -> pd.DataFrame:
    """Where a metric crosses a level along ``rows``, for each value of ``columns``.

    Args:
        study: its probes are read; or a frame of cells alone, which does not know which probes were answered.
        rows: the axis that is crossed; along ``depth`` the rate is taken to fall, along any other to rise.
        metric: of probes; the scenario's headline if None. A frame of cells needs it named.
        level: of the metric.
        fixed: ``corpus="prefix"``: keeps the cells with that value. Step 0 is found under corpus ``none`` too.

    Returns:
        A row per (study and) value of ``columns``:

        - ``crossing``: interpolated; infinite where ``censored``; the first place where ``always``.
        - ``low``, ``high``: its 95% band, infinite where it has no end; NaN where nothing can be said.
        - ``censored``: the level is never reached (for depth: never left); ``always``: it is there from the start.
        - ``smoothing``: ``isotonic`` or ``none``; ``monotone_p``: of the test of a step back.
        - ``seeds``, ``probes``, ``places``: of how many; ``over``: what the band is over.

    Raises:
        SpecError: no such axis or metric, nothing scored, cells that differ in a coordinate which nobody named, or
            nowhere two places along ``rows``.
    """
    known = coordinates(study) if isinstance(study, pd.DataFrame) else COORDINATES
    for name in (rows, columns, *fixed):
        if name not in known:
            raise SpecError(f"{name} is no coordinate: choose from {', '.join(known)}")
    if rows == columns:
        raise SpecError(f"rows={rows}, columns={columns}: expected two axes")
    made: list[dict[str, object]] = []
    if isinstance(study, pd.DataFrame):
        made = _rows(_cells(study, metric, split, fixed), rows, columns, "value", level)
    else:
        for part in study.parts:
            name = metric or part.headline.metric
            wanted = {**fixed, "corpus": _with_none(fixed["corpus"])} if "corpus" in fixed else fixed
            scores = part.scores(name, split, **wanted)
            found = _rows(scores, rows, columns, name, level)
            made += found if len(study.parts) == 1 else [{"study": part.name, **row} for row in found]
    if not made:
        words = ", ".join(f"{name}={value}" for name, value in fixed.items()) or "these rows"
        raise SpecError(
            f"a frontier needs two places along {rows} that share a seed and a scored probe, and {words} has none: "
            f"name other cells, or run more values of {rows}"
        )
    return pd.DataFrame(made)


def _with_none(corpus: object) -> list[object]:
    return [*(corpus if isinstance(corpus, list | tuple) else [corpus]), "none"]


def _cells(cells: pd.DataFrame, metric: str | None, split: str, fixed: dict[str, object]) -> pd.DataFrame:
    known = [str(name) for name in cells["metric"].unique()]
    if metric not in known:
        raise SpecError(f"metric={metric}: these cells have {', '.join(known) or 'none'}; name one")
    chosen = cells[(cells["metric"] == metric) & (cells["split"] == split)]
    for name, value in fixed.items():
        values = _with_none(value) if name == "corpus" else value
        chosen = chosen[chosen[name].isin(values if isinstance(values, list | tuple) else [values])]
    return chosen.assign(probe="all")


def _rows(
    scores: pd.DataFrame, rows: str, columns: str, metric: str, level: float
) -> list[dict[str, object]]:
    relearned = scores[scores["corpus"] != "none"]
    if len(
        relearned
    ):  # a reference cell is the start of whichever corpus is relearned, and no curve of its own
        places = [name for name in ("method", "start", "depth") if name not in (rows, columns)]
        alike = (
            pd.MultiIndex.from_frame(scores[places].astype(object)).isin(
                pd.MultiIndex.from_frame(relearned[places].drop_duplicates().astype(object))
            )
            if places
            else np.ones(len(scores), dtype=bool)
        )
        scores = scores[alike & ((scores["corpus"] != "none") | (scores["relearn_steps"] == 0))]
    for name in coordinates(scores):
        values = [str(value) for value in scores[name].unique() if not (name == "corpus" and value == "none")]
        if name not in (rows, columns, "seed") and len(values) > 1:
            raise SpecError(f"this frontier would mix {name} {', '.join(values)}: choose one with {name}=…")
    made = []
    for value, group in scores.groupby(columns, observed=True):
        found = crossed(group.sort_values("corpus", ascending=False, kind="stable"), rows, metric)
        if len(found.settings) > 1 and found.seeds and found.probes:
            counts = group.groupby(rows, observed=True)["n"].sum() if "n" in group else None
            made.append({columns: value, **_crossing(found, rows, level, counts)})
    return made


def _crossing(
    found: Answers, axis: str, level: float, counts: "pd.Series[float] | None"
) -> dict[str, object]:
    rates, low, high, over = _curve(found, counts)
    earlier, later = np.triu_indices(len(rates), 1)
    pairs = np.zeros((len(earlier), len(rates)))
    sign = -1.0 if axis in FALLING else 1.0
    pairs[np.arange(len(pairs)), earlier], pairs[np.arange(len(pairs)), later] = sign, -sign
    p = float(min(1.0, len(pairs) * np.nanmin(spread(found.scores, pairs).p_above_zero(), initial=1.0)))
    smooth = p >= LEVEL
    if smooth:
        rates, low, high = (
            scipy.optimize.isotonic_regression(each, increasing=axis not in FALLING).x
            if not np.isnan(each).any()
            else each
            for each in (rates, low, high)
        )
    places = np.array([float(str(value)) for value in found.settings])
    first, last = (high, low) if axis not in FALLING else (low, high)
    crossing = _where(places, rates, axis, level)
    return {
        "crossing": crossing,
        "low": _where(places, first, axis, level),
        "high": _where(places, last, axis, level),
        "censored": bool(np.isinf(crossing)),
        "always": bool((rates[0] >= level) if axis not in FALLING else (rates[0] < level)),
        "smoothing": "isotonic" if smooth else "none",
        "monotone_p": p,
        "seeds": len(found.seeds),
        "probes": len(found.probes) if over != "seeds" else np.nan,
        "places": len(places),
        "over": over,
    }


def _curve(found: Answers, counts: "pd.Series[float] | None") -> tuple[Numbers, Numbers, Numbers, str]:
    """The rates with both ends, and what these are over."""
    asked = float(counts.min() / len(found.seeds)) if counts is not None and counts.notna().all() else 1.0
    each = spread(found.scores, np.eye(len(found.settings)), max(asked, 1.0))
    rates: Numbers = each.value
    if counts is not None and len(found.seeds) == 1:  # cells alone: one rate a place
        n = counts.reindex(list(found.settings)).to_numpy(np.float64)
        low, high = wilson(rates * n, n) if bounded(found) else (np.full_like(rates, np.nan),) * 2
        return rates, low, high, "probes"
    low, high = each.rate_interval() if bounded(found) else each.t_interval()
    if counts is not None:
        return rates, low, high, "seeds"
    return rates, low, high, "probes" if len(found.seeds) == 1 else "seeds and probes"


def _where(places: Numbers, rates: Numbers, axis: str, level: float) -> float:
    """The first crossing, interpolated; infinite where there is none, NaN where a rate is."""
    if np.isnan(rates).any():
        return float("nan")
    beyond = rates < level if axis in FALLING else rates >= level
    if not beyond.any():
        return float("inf")
    at = int(beyond.argmax())
    if at == 0:
        return float(places[0])
    share = (level - rates[at - 1]) / (rates[at] - rates[at - 1])
    if axis in LOGARITHMIC:
        logs = np.log1p(places)
        return float(np.expm1(logs[at - 1] + share * (logs[at] - logs[at - 1])))
    return float(places[at - 1] + share * (places[at] - places[at - 1]))
