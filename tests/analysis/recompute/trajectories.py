"""Each relearning's measures once more: first, last, peak, area, fall, lift, recovery and utility."""

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from tests.analysis.recompute.estimators import Row, ends, holm, of_scores, rate, together
from tests.analysis.truth.exact import exact

MODEL = ["scenario", "model", "method", "start", "repetitions", "depth"]
WORLD = ["scenario", "model", "repetitions"]
BOUNDS = {"judge_rating": (1.0, 10.0)}
"""The least and the most of a score that is no share."""


def title(probe: str) -> str:
    return probe.rsplit("-pair-", 1)[0]


def scored(probes: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The answers that have a score; of a judge's, those of cells of which one answer at least has one."""
    if metric not in BOUNDS:
        return probes[probes[metric].notna()]
    cell = [*MODEL, "corpus", "relearn_steps", "seed", "split"]
    return probes[
        probes[metric].notna().groupby([probes[name].astype(str) for name in cell]).transform("any")
    ]


def matrix(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Seeds × probes; the same answer may stand in two rows, and one without a score is at its seed's mean."""
    once = rows.drop_duplicates(["seed", "probe"])
    table = once.pivot(index="seed", columns="probe", values=metric).astype(float)
    asked = once.assign(asked=True).pivot(index="seed", columns="probe", values="asked").notna()
    means = pd.DataFrame({probe: table.mean(axis=1) for probe in table.columns})
    return table.where(table.notna() | ~asked, means)


def common(tables: list[pd.DataFrame | None]) -> tuple[np.ndarray, list[int], list[str]] | None:
    """Several cells in the seeds and probes that all have, or None."""
    if any(table is None or table.empty for table in tables):
        return None
    seeds = sorted(set.intersection(*(set(table.index) for table in tables)))
    probes = sorted(set.intersection(*(set(table.loc[seeds].dropna(axis=1).columns) for table in tables)))
    if not seeds or not probes:
        return None
    return np.stack([table.loc[seeds, probes].to_numpy(float) for table in tables]), seeds, probes


def interval(
    scores: np.ndarray,
    probes: list[str],
    level: float = 0.05,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> tuple[float, float]:
    """Of a mean of scores, seeds × probes."""
    alike = len(probes) / len({title(probe) for probe in probes})
    if scores.min() >= 0 and scores.max() <= 1:
        return rate([float(each) for each in scores.sum(axis=1)], scores.shape[1], level, alike)
    row = of_scores(scores[None], [1.0], list(probes))
    together([row])
    found = ends(row, level, "")
    return float(np.clip(found["low"], *bounds)), float(np.clip(found["high"], *bounds))


def trajectories(probes: pd.DataFrame, metric: str) -> pd.DataFrame:
    """A row per relearning, seeds together, in the units of the metric."""
    rows = scored(probes, metric)
    bounds = BOUNDS.get(metric, (-np.inf, np.inf))
    names = ["scenario", "model", "method", "start", "corpus"]
    rows = rows.assign(**{name: rows[name].astype(str) for name in names})
    forget, retain = rows[rows["split"] == "forget"], rows[rows["split"] == "retain"]
    found: list[dict[str, Any]] = []
    relearned = forget[(forget["corpus"] != "none") & (forget["relearn_steps"] > 0)]
    for place, part in relearned.groupby([*MODEL, "corpus"]):
        where = dict(zip([*MODEL, "corpus"], place, strict=True))
        tables = [matrix(each, metric) for _, each in part.groupby("relearn_steps")]
        both = common([_cell(forget, where, 0, metric), *tables])
        if both is None:
            continue
        scores, seeds, asked = both
        steps = [0, *sorted(part["relearn_steps"].unique())]
        found.append({**where, **_of_curve(scores, asked, steps, bounds), **_falls(scores, asked)})
        first, final = (pd.DataFrame(scores[at], index=seeds, columns=asked) for at in (0, -1))
        found[-1]["contrasts"] = _contrasts(forget, retain, where, first, final, steps[-1], metric)
    _adjust_falls(found)
    for name in ("lift", "recovery", "utility"):
        there = [each["contrasts"][name] for each in found if each["contrasts"][name] is not None]
        together(there)
        for each in found:
            row = each["contrasts"][name]
            value = low = high = np.nan
            if row:
                value = row.found["value"]
                low = min(row.found["low"], row.reaches[0])
                high = max(row.found["high"], row.reaches[1])
            each.update({name: value, f"{name}_low": low, f"{name}_high": high})
    return pd.DataFrame(found)


def _cell(rows: pd.DataFrame, where: dict[str, Any], step: int, metric: str) -> pd.DataFrame | None:
    chosen = rows[(rows["relearn_steps"] == step)]
    for name in MODEL:
        chosen = chosen[chosen[name] == where[name]]
    chosen = chosen[chosen["corpus"].isin(["none", where["corpus"]] if step == 0 else [where["corpus"]])]
    return matrix(chosen, metric) if len(chosen) else None


def _of_curve(
    scores: np.ndarray, asked: list[str], steps: list[int], bounds: tuple[float, float]
) -> dict[str, Any]:
    rates = scores.mean(axis=(1, 2))
    peak = int(rates.argmax())
    logs = np.log1p(np.array(steps, float))
    mean = np.trapezoid(scores, logs, axis=0) / (logs[-1] - logs[0])
    made: dict[str, Any] = {"seeds": scores.shape[1], "peak_step": steps[peak], "last_step": steps[-1]}
    for name, table, level in (
        ("first", scores[0], 0.05),
        ("final", scores[-1], 0.05),
        ("peak", scores[peak], 0.05 / len(steps)),
        ("area", mean, 0.05),
    ):
        low, high = interval(table, asked, level, bounds)
        made |= {name: table.mean(), f"{name}_low": low, f"{name}_high": high}
    return made


def _falls(scores: np.ndarray, asked: list[str]) -> dict[str, Any]:
    """The contrasts of each earlier step with the last, and points for each unit of them."""
    seeds, probes = scores.shape[1:]
    rates = scores.mean(axis=(1, 2))
    points = rates[:-1] - rates[-1]
    apart = 1.0 if scores.min() >= 0 and scores.max() <= 1 else np.inf
    if seeds == 1 or scores.min() < 0 or scores.max() > 1:
        rows = [
            of_scores(scores[[at, -1]], [1.0, -1.0], list(map(title, asked))) for at in range(len(points))
        ]
        return {
            "falls": rows,
            "points": points,
            "slope": np.ones(len(points)),
            "alike": np.ptp(scores) == 0,
            "apart": apart,
        }
    yes = scores.sum(axis=2)
    logits = np.log((yes + 0.5) / (probes - yes + 0.5))
    inner = (yes.mean(axis=1) + 0.5) / (probes + 1)
    binary = set(np.unique(scores)) <= {0.0, 1.0}
    rows = []
    for at in range(len(points)):
        floor = min((1 / (probes + 2) / (inner[step] * (1 - inner[step]))) ** 2 for step in (at, -1))
        rows.append(Row(logits[at] - logits[-1], floor=floor if binary else 0.0))
    middle = (inner[:-1] + inner[-1]) / 2
    means = np.array([row.by_seed.mean() for row in rows])
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = points / means
    slope = np.where(slope > 0, slope, middle * (1 - middle))
    return {"falls": rows, "points": points, "slope": slope, "alike": np.ptp(scores) == 0, "apart": apart}


def _adjust_falls(found: list[dict[str, Any]]) -> None:
    """One prior for all steps of all curves; the p of a curve's peak times its steps; Holm over the curves."""
    every = [row for each in found for row in each["falls"]]
    if not every:
        return
    together(every)
    p = []
    for each in found:
        top = each["falls"][int(np.argmax(each["points"]))].found
        rises = not top["value"] > 0
        if each["seeds"] == 1 or each["alike"] or (np.isnan(top["error"]) and not rises):
            p.append(np.nan)
            continue
        one = 1.0 if rises else 2 * stats.t.sf(abs(top["value"] / top["error"]), top["freedom"])
        p.append(min(1.0, len(each["falls"]) * one))
    tested = [at for at, value in enumerate(p) if not np.isnan(value)]
    adjusted, times = holm(np.array([p[at] for at in tested])) if tested else (np.array([]), np.array([]))
    by = dict(zip(tested, zip(adjusted, times, strict=True), strict=True))
    for at, each in enumerate(found):
        top = int(np.argmax(each["points"]))
        row, slope = each["falls"][top], each["slope"][top]
        value, factor = by.get(at, (np.nan, 1.0))
        level = 0.05 / len(each["falls"]) / factor
        t = stats.t(row.found["freedom"])
        half = t.isf(level / 2) * row.found["error"]
        least = half + t.isf(0.2) * row.found["error"]
        low, high = (
            np.clip(end * slope, -each["apart"], each["apart"])
            for end in (
                max(row.found["value"] - half, row.least),
                min(row.found["value"] + half, row.most),
            )
        )
        fell = exact(each["points"][top]) > 0
        each |= {
            "drop": each["points"][top] if fell else 0.0,
            "drop_low": low if fell else np.nan,
            "drop_high": high if fell else np.nan,
            "drop_p_adjusted": value,
            "drop_detectable": least * slope if at in by else np.nan,
        }


def _contrasts(
    forget: pd.DataFrame,
    retain: pd.DataFrame,
    where: dict[str, Any],
    first: pd.DataFrame,
    final: pd.DataFrame,
    last: int,
    metric: str,
) -> dict[str, Row | None]:
    world = forget
    for name in WORLD:
        world = world[world[name] == where[name]]
    original = world[
        (world["start"] == "original") & (world["relearn_steps"] == 0) & (world["corpus"] == "none")
    ]
    never = world[(world["start"] == "never_learned") & (world["depth"] == 0)]
    never = never[(never["corpus"] == where["corpus"]) & (never["relearn_steps"] == last)]
    made: dict[str, Row | None] = dict.fromkeys(("lift", "recovery", "utility"))
    lifted = common([final, matrix(never, metric)]) if len(never) else None
    if lifted:
        made["lift"] = of_scores(lifted[0], [1.0, -1.0], list(map(title, lifted[2])))
    both = common([first, final, matrix(original, metric)]) if len(original) else None
    if both:
        table, _, probes = both
        begin, end, whole = table.mean(axis=(1, 2))
        if interval(table[2], probes)[0] > interval(table[0], probes)[1]:
            share = (end - begin) / (whole - begin)
            weights = [(share - 1) / (whole - begin), 1 / (whole - begin), -share / (whole - begin)]
            row = of_scores(table, weights, list(map(title, probes)))
            row.by_seed = row.by_seed + share
            row.least, row.most = -np.inf, np.inf
            of_rate = [(at - begin) / (whole - begin) for at in interval(table[1], probes)]
            row.reaches = (of_rate[0], of_rate[1])
            made["recovery"] = row
    before, after = (_cell(retain, where, step, metric) for step in (0, last))
    kept = common([after, before])
    if kept:
        made["utility"] = of_scores(kept[0], [1.0, -1.0], list(map(title, kept[2])))
    return made
