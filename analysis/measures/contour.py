"""The frontier: where along one axis an attack begins to work, for each value of another, with its band.

The curve's rates have the intervals of ``analysis.statistics.rates``, each of its own. The band of the crossing is
where these cross the level: a step is in it as long as its interval holds the level. Between two computed steps the
rate is interpolated on the logarithm of steps; nothing is read beyond the last. The first crossing counts.

The curve is deliberately not smoothed. An isotonic regression, which pools a fall from the start into one low level,
said "never" in half of the simulated studies whose true curve begins above the level (docs/SIMULATIONS.md).
"""

import numpy as np
import pandas as pd

from analysis.reading.given import study_or_cells
from analysis.reading.selection import refuse_empty, refuse_unknown, refuse_unknown_values
from analysis.reading.studies import Studies
from analysis.reading.study_frames import Study, coordinates
from analysis.reading.titles import probes_per_cluster
from analysis.statistics.crossed_design import Answers, crossed
from analysis.statistics.moderated import contrast, moderated
from analysis.statistics.rates import rate_interval
from analysis.statistics.thresholds import at_least, below
from analysis.statistics.wilson import Numbers
from study.errors import SpecError, did_you_mean
from study.results.schema import COORDINATES

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
        - ``seeds``, ``probes``, ``places``: of how many; ``over``: what the band is over.

    Raises:
        SpecError: no such axis or metric, nothing scored, cells that differ in a coordinate which nobody named, or
            nowhere two places along ``rows``.
    """
    study = study_or_cells(study, "frontier")
    cells = study if isinstance(study, pd.DataFrame) else study.cells
    known = coordinates(cells) if isinstance(study, pd.DataFrame) else COORDINATES
    refuse_unknown([rows], known, "rows")
    refuse_unknown([columns], known, "columns")
    refuse_unknown(fixed, known)
    refuse_unknown_values(cells, fixed)
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
        if len(cells):
            refuse_empty(cells, {"split": split, **fixed})
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
        near = did_you_mean(str(metric), known)
        raise SpecError(f"metric={metric}: these cells have {', '.join(known) or 'none'}; name one{near}")
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
            made.append({columns: value, **crossing(found, rows, level, counts)})
    return made


def crossing(
    found: Answers, axis: str = "relearn_steps", level: float = 0.5, counts: "pd.Series[float] | None" = None
) -> dict[str, object]:
    """Where one curve crosses a level, with its band: the columns of ``frontier``.

    Args:
        found: scores along the axis; of cells alone, each seed's rate as one probe.
        axis: along ``depth`` the rate is taken to fall, along any other to rise.
        counts: of cells alone, how many probes were asked in each place, all seeds together.
    """
    rates, low, high, over = _curve(found, counts)
    places = np.array([float(str(value)) for value in found.settings])
    first, last = (high, low) if axis not in FALLING else (low, high)
    crossed_at = _where(places, rates, axis, level)
    return {
        "crossing": crossed_at,
        "low": _where(places, first, axis, level),
        "high": _where(places, last, axis, level),
        "censored": bool(np.isinf(crossed_at)),
        "always": bool(_beyond(rates, axis, level)[0]),
        "seeds": len(found.seeds),
        "probes": len(found.probes) if over != "seeds" else np.nan,
        "places": len(places),
        "over": over,
    }


def _curve(found: Answers, counts: "pd.Series[float] | None") -> tuple[Numbers, Numbers, Numbers, str]:
    """The rates with both ends, and what these are over."""
    rates: Numbers = found.scores.mean(axis=(1, 2))
    seeds = len(found.seeds)
    nothing = np.full_like(rates, np.nan)
    if found.scores.min() < 0 or found.scores.max() > 1:
        if counts is not None and seeds == 1:
            return rates, nothing, nothing, "probes"
        low, high = moderated(
            [contrast(each[None], [1.0], found.clusters) for each in found.scores]
        ).interval()
        return rates, low, high, _over(seeds, counts is not None)
    if counts is None:
        asked: Numbers = np.full(len(rates), float(len(found.probes)))
    else:  # cells alone: one rate for each place and seed
        asked = counts.reindex(list(found.settings)).to_numpy(np.float64) / seeds
        if np.isnan(asked).any():
            return rates, nothing, nothing, "seeds"
    alike = probes_per_cluster(found.probes)
    ends = [
        rate_interval(of_seeds.mean(axis=1) * n, [n] * seeds, alike=alike)
        for of_seeds, n in zip(found.scores, asked, strict=True)
    ]
    low, high = np.array(ends).T
    return rates, low, high, _over(seeds, counts is not None)


def _over(seeds: int, cells_alone: bool) -> str:
    if seeds == 1:
        return "probes"
    return "seeds" if cells_alone else "seeds and probes"


def _beyond(rates: Numbers, axis: str, level: float) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
    """Which places are on the far side of the level."""
    found: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    found = below(rates, level) if axis in FALLING else at_least(rates, level)
    return found


def _where(places: Numbers, rates: Numbers, axis: str, level: float) -> float:
    """The first crossing, interpolated; infinite where there is none, NaN where a rate is."""
    if np.isnan(rates).any():
        return float("nan")
    beyond = _beyond(rates, axis, level)
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
