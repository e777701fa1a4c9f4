"""The drivers of each corpus once more: scipy's optimiser for the likelihood or Firth's, each seed left out in turn."""

import re

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from tests.analysis.recompute.estimators import holm
from tests.analysis.recompute.same import Line, Same
from tests.analysis.recompute.source import Source

MOVED = {"depth doubled": np.log(2), "1 + relearn steps doubled": np.log(2), "one repetition more": 1.0}
FAR = 15.0


def drivers(
    cells: pd.DataFrame, full: float = 1.0
) -> dict[tuple[str, str], tuple[float, float, float, float]]:
    """(Corpus, change) → points, low, high and adjusted p; NaN ends where there is one seed.

    Args:
        cells: the headline metric of the forget probes.
    """
    cells = cells[(cells["corpus"] != "none") & (cells["relearn_steps"] > 0)]
    found: dict[tuple[str, str], tuple[float, float]] = {}
    degrees: dict[tuple[str, str], int] = {}
    for corpus, part in cells.groupby("corpus", observed=True):
        yes, asked = _counts(part, full)
        if yes.sum() == 0 or (yes == asked).all():
            continue
        terms = _terms(part)
        if not terms:
            continue
        seeds = sorted(part["seed"].unique())
        effects, firth = _effects(part, terms, yes, asked, None)
        again = [
            _effects(part[kept], terms, yes[kept], asked[kept], firth)[0]
            for kept in ((part["seed"] != seed).to_numpy() for seed in seeds)
            if kept.any()
        ]
        for term in terms:
            values = [each.get(term, np.nan) for each in again]
            error = np.nan
            if len(seeds) > 1:
                error = np.sqrt(
                    (len(seeds) - 1) / len(seeds) * sum((each - effects[term]) ** 2 for each in values)
                )
            found[str(corpus), term] = (effects[term], error)
            degrees[str(corpus), term] = len(seeds) - 1
    p = {
        place: 2 * stats.t.sf(abs(effect / error), degrees[place])
        for place, (effect, error) in found.items()
        if error > 1e-6
    }
    adjusted, times = holm(np.array(list(p.values()))) if p else ([], [])
    by = dict(zip(p, zip(adjusted, times, strict=True), strict=True))
    made = {}
    for place, (effect, error) in found.items():
        value, factor = by.get(place, (np.nan, 1.0))
        half = stats.t.isf(0.025 / factor, max(1, degrees[place])) * error
        low, high = (float(np.clip(100 * end, -100, 100)) for end in (effect - half, effect + half))
        made[place] = (100 * effect, low, high, value)
    return made


def _counts(cells: pd.DataFrame, full: float) -> tuple[np.ndarray, np.ndarray]:
    if cells["n"].notna().all():
        return cells["k"].to_numpy(float), cells["n"].to_numpy(float)
    return cells["value"].to_numpy(float) / full, np.ones(len(cells))


def _columns(cells: pd.DataFrame) -> dict[str, np.ndarray]:
    """Every term that could be told, in the order in which they are tried."""
    depth = cells["depth"].to_numpy(float)
    log = np.log(np.where(depth > 0, depth, 1))
    made = {
        "depth doubled": np.where(depth > 0, log, log[depth > 0].mean() if (depth > 0).any() else 0),
        "1 + relearn steps doubled": np.log1p(cells["relearn_steps"].to_numpy(float)),
        "one repetition more": cells["repetitions"].to_numpy(float),
    }
    for factor in ("start", "method"):
        order = [str(each) for each in cells[factor].cat.categories if (cells[factor] == each).any()]
        levels = [each for each in order if (factor, each) != ("method", "none")]
        for level in levels[1:]:
            made[f"{level} instead of {levels[0]}"] = (cells[factor].astype(str) == level).to_numpy(float)
    return made


def _terms(cells: pd.DataFrame) -> list[str]:
    """The terms that vary and are no combination of those before."""
    kept: list[str] = []
    columns = _columns(cells)
    for name, column in columns.items():
        design = np.column_stack([np.ones(len(cells)), *(columns[each] for each in kept), column])
        if np.ptp(column) > 0 and np.linalg.matrix_rank(np.unique(design, axis=0)) == design.shape[1]:
            kept.append(name)
    return kept


def _effects(
    cells: pd.DataFrame, terms: list[str], yes: np.ndarray, asked: np.ndarray, firth: bool | None
) -> tuple[dict[str, float], bool]:
    columns = _columns(cells)
    terms = [term for term in terms if term in columns and np.ptp(columns[term]) > 0]
    if not terms:
        return {}, bool(firth)
    raw = np.column_stack([columns[term] for term in terms])
    middle, width = raw.mean(axis=0), raw.std(axis=0)
    design = np.column_stack([np.ones(len(raw)), (raw - middle) / width])
    if firth is None:
        best = _most_likely(design, yes, asked)
        firth = best is None
    elif not firth:
        best = _most_likely(design, yes, asked)
    if firth or best is None:
        best = _firth(design, yes, asked)
    slopes = best[1:] / width
    logit = design @ best
    effects = {}
    for at, term in enumerate(terms):
        if term in MOVED:
            before, after = logit, logit + MOVED[term] * slopes[at]
        else:
            first = term.split(" instead of ")[1]
            alike = [other for other, name in enumerate(terms) if name.endswith(f" instead of {first}")]
            before = logit - raw[:, alike] @ slopes[alike]
            after = before + slopes[at]
        effects[term] = float((special.expit(after) - special.expit(before)).mean())
    return effects, firth


def _most_likely(design: np.ndarray, yes: np.ndarray, asked: np.ndarray) -> np.ndarray | None:
    """None where the answers separate: then a step of Newton's still moves when the slope is nearly nothing."""

    def negative(at: np.ndarray) -> float:
        logit = design @ at
        return float(-(yes @ special.log_expit(logit) + (asked - yes) @ special.log_expit(-logit)))

    def slope(at: np.ndarray) -> np.ndarray:
        return -design.T @ (yes - asked * special.expit(design @ at))

    def curvature(at: np.ndarray) -> np.ndarray:
        return _information(design, asked, special.expit(design @ at))

    options = {"gtol": 1e-8, "maxiter": 500}
    best = optimize.minimize(
        negative, np.zeros(design.shape[1]), jac=slope, hess=curvature, method="trust-exact", options=options
    ).x
    left = np.linalg.lstsq(curvature(best), slope(best), rcond=1e-14)[0]
    return None if np.abs(left).max() > 0.1 or np.abs(best).max() > FAR else best


def _firth(design: np.ndarray, yes: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The maximum of the likelihood times the root of the information (Firth 1993)."""

    def negative(at: np.ndarray) -> float:
        logit = design @ at
        likelihood = yes @ special.log_expit(logit) + (asked - yes) @ special.log_expit(-logit)
        inner = _information(design, asked, special.expit(logit))
        return float(-likelihood - np.linalg.slogdet(inner)[1] / 2)

    def slope(at: np.ndarray) -> np.ndarray:
        share = special.expit(design @ at)
        weight = asked * share * (1 - share)
        root = np.sqrt(weight)[:, None] * design
        hat = np.einsum("ij,ji->i", root, np.linalg.pinv(root))
        return -design.T @ (yes - asked * share + hat * (0.5 - share))

    start = np.zeros(design.shape[1])
    return optimize.minimize(negative, start, jac=slope, method="BFGS", options={"gtol": 1e-8}).x


def _information(design: np.ndarray, asked: np.ndarray, share: np.ndarray) -> np.ndarray:
    return design.T @ ((asked * share * (1 - share))[:, None] * design)


def check_drivers(source: Source, rows: list[Line]) -> None:
    """The table of the effects, and why some are not told."""
    found = drivers(source.headline)
    shown = [row for row in rows if row["effect, points"] != "–"]
    assert len(shown) == len(found)
    for row in shown:
        value, low, high, p = found[row["corpus"], row["term"]]
        Same.interval(row["effect, points"], value, low, high, row, 0.02 * abs(high - low))
        alone = "one seed: no interval over seeds", "known from one seed alone: no interval"
        assert row["remark"] in (alone if np.isnan(low) else ("",)), row
        if abs(value) + abs(high - low) < 0.01:
            assert row["p, adjusted"], row  # both are the noise of two optimisers
        else:
            Same.p(row["p, adjusted"], p, row)
    for row in (row for row in rows if row not in shown):
        assert row["p, adjusted"] == "–", row
        mine = source.headline[source.headline["corpus"].astype(str) == row["corpus"]]
        _untold(mine[mine["relearn_steps"] > 0], row)


def _untold(cells: pd.DataFrame, row: Line) -> None:
    """Why an effect is not told."""
    alike = re.fullmatch(r"one value \(([\d.]+)\) in these cells", row["remark"])
    if alike:
        name = {
            "depth doubled": "depth",
            "1 + relearn steps doubled": "relearn_steps",
            "one repetition more": "repetitions",
        }[row["term"]]
        there = cells.loc[cells["depth"] > 0, name] if name == "depth" else cells[name]
        assert there.nunique() <= 1, row
        Same.text(alike[1], f"{float(there.iloc[0]) if len(there) else 1.0:.3g}", row)
    elif row["term"] == "all":
        known = {0.0: "nothing is answered", 1.0: "everything is answered"}
        values = set(cells["value"])
        assert (
            row["remark"] == known.get(min(values), "")
            if len(values) == 1
            else "no term varies" in row["remark"]
        )
    else:
        assert re.fullmatch(r"cannot be told apart from \D+", row["remark"]), row
