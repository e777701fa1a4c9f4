"""limma's moderated contrasts, Holm's adjustment, and the interval of a rate, by other means than ``analysis``."""

from dataclasses import dataclass, field
from functools import cache

import numpy as np
from scipy import optimize, special, stats


@dataclass
class Row:
    """A contrast: one number for each seed, and what else its error is made of."""

    by_seed: np.ndarray
    scale: float = 1.0
    of_probes: float = 0.0
    probes_freedom: float = np.inf
    floor: float = 0.0
    least: float = -np.inf
    most: float = np.inf
    choices: int = 1
    reaches: tuple[float, float] = (np.inf, -np.inf)
    found: dict[str, float] = field(default_factory=dict)


def of_scores(scores: np.ndarray, weights: list[float], titles: list[str]) -> Row:
    """A contrast of settings × seeds × probes; probes of one title count as one."""
    seeds, probes = scores.shape[1:]
    each = sum(weight * one for weight, one in zip(weights, scores, strict=True))
    row = Row(each.mean(axis=1))
    if scores.min() >= 0 and scores.max() <= 1:
        size = np.abs(weights) / np.abs(weights).sum()
        mean = sum(share * one.mean() for share, one in zip(size, scores, strict=True))
        rate = (mean * probes + 1) / (probes + 2)
        row.scale = rate * (1 - rate)
        row.least = sum(weight for weight in weights if weight < 0)
        row.most = sum(weight for weight in weights if weight > 0)
    names = list(dict.fromkeys(titles))
    if set(np.unique(scores)) <= {0.0, 1.0}:
        row.floor = (max(map(abs, weights)) / (min(probes, len(names)) + 2)) ** 2
    if len(names) < probes:  # sums over the probes of each title, in units that keep the mean
        each = np.stack([each[:, [title == name for title in titles]].sum(axis=1) for name in names], axis=1)
        each = each * len(names) / probes
    units = each.shape[1]
    middle = each.mean()
    square_units = seeds * ((each.mean(axis=0) - middle) ** 2).sum()
    square_seeds = units * ((each.mean(axis=1) - middle) ** 2).sum()
    rest = ((each - middle) ** 2).sum() - square_units - square_seeds
    left = rest / (seeds - 1) / (units - 1) if seeds > 1 and units > 1 else 0.0
    row.of_probes = max(0.0, square_units / max(1, units - 1) - left) / seeds / units
    row.probes_freedom = max(1, units - 1)
    return row


def together(rows: list[Row]) -> None:
    """Fills ``found`` of each row: value, low, high, p, p_adjusted, low_adjusted, high_adjusted, detectable."""
    for row in rows:
        if max(row.by_seed) - min(row.by_seed) < 1e-9 * max(1, abs(row.by_seed).max()):
            row.by_seed = np.full(len(row.by_seed), row.by_seed.mean())  # they differ by rounding only
    spread = [
        0.0 if len(set(row.by_seed)) == 1 else row.by_seed.var(ddof=1) / row.scale
        for row in rows
        if len(row.by_seed) > 1
    ]
    degrees = [len(row.by_seed) - 1 for row in rows if len(row.by_seed) > 1]
    d0, size = prior(np.array(spread), np.array(degrees, float))
    for row in rows:
        seeds = len(row.by_seed)
        own = seeds - 1
        if own:
            shared = d0 * size * row.scale if d0 else 0.0
            alike = len(set(row.by_seed)) == 1
            variance = (shared + (0.0 if alike else own * row.by_seed.var(ddof=1))) / (d0 + own) / seeds
            of_probes = 0.0 if alike and not d0 else row.of_probes
            total = variance + of_probes
            freedom = d0 + own
            if total > 0:
                parts = variance**2 / (d0 + own) + of_probes**2 / row.probes_freedom
                freedom = total**2 / parts
        else:
            total, freedom = row.of_probes, row.probes_freedom
        total = max(total, row.floor)
        error = np.sqrt(total) if total > 0 else np.nan
        value = row.by_seed.mean()
        p = 2 * stats.t.sf(abs(value / error), freedom) if own else np.nan
        row.found = {"value": value, "error": error, "freedom": freedom, "raw": p * row.choices}
        row.found |= ends(row, 0.05 / row.choices, "")
    tested: list[Row] = []
    adjusted, times = np.array([]), np.array([])
    for chosen in (False, True):  # rows that were chosen among several are a family of their own
        mine = [row for row in rows if not np.isnan(row.found["raw"]) and (row.choices > 1) == chosen]
        p, by = holm(np.array([row.found["raw"] for row in mine]))
        tested, adjusted, times = tested + mine, np.append(adjusted, p), np.append(times, by)
    for row in rows:
        row.found |= {"p": min(1.0, row.found["raw"]) if row.found["raw"] == row.found["raw"] else np.nan}
        row.found |= {
            "p_adjusted": np.nan,
            "detectable": np.nan,
            "level": 0.05 / row.choices,
            **ends(row, 0.05 / row.choices, "_adjusted"),
        }
    for row, p, by in zip(tested, adjusted, times, strict=True):
        level = 0.05 / by / row.choices
        t = stats.t(row.found["freedom"])
        row.found |= {"p_adjusted": p, "level": level, **ends(row, level, "_adjusted")}
        row.found["detectable"] = (t.isf(level / 2) + t.isf(0.2)) * row.found["error"]


def ends(row: Row, level: float, suffix: str) -> dict[str, float]:
    half = stats.t.isf(level / 2, row.found["freedom"]) * row.found["error"]
    value = row.found["value"]
    if np.isnan(half):
        return {f"low{suffix}": np.nan, f"high{suffix}": np.nan}
    return {f"low{suffix}": max(value - half, row.least), f"high{suffix}": min(value + half, row.most)}


def prior(variances: np.ndarray, degrees: np.ndarray) -> tuple[float, float]:
    """d0 and s0² of limma, by solving trigamma for d0; d0 at most a quarter of all degrees of freedom."""
    degrees, variances = degrees[variances > 0], variances[variances > 0]
    if len(variances) < 2:
        return 0.0, 1.0
    e = np.log(variances) - special.psi(degrees / 2) + np.log(degrees / 2)
    target = np.var(e, ddof=1) - special.polygamma(1, degrees / 2).mean()
    d0 = most = degrees.sum() / 4
    if target > 0:
        log = optimize.brentq(lambda x: np.log(special.polygamma(1, np.exp(x)) / target), -15, 15)
        d0 = min(most, 2 * np.exp(log))
    return d0, float(np.exp(e.mean() + special.psi(d0 / 2) - np.log(d0 / 2)))


def holm(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Adjusted p values one by one, and by what each was multiplied."""
    times = np.empty(len(p))
    worst = 0.0
    for rank, at in enumerate(np.argsort(p, kind="stable")):
        worst = max(worst, p[at] * (len(p) - rank))
        times[at] = worst / p[at]
    return np.minimum(1, p * times), times


@cache
def _grid() -> tuple[np.ndarray, ...]:
    """Middles × spreads, each with 241 seeds' rates; log prior, and the mean rates in their order."""
    at = np.linspace(-5, 5, 241)
    weights = stats.norm.pdf(at) / stats.norm.pdf(at).sum()
    middle, spread = (
        each.ravel() for each in np.meshgrid(np.linspace(-11, 11, 133), np.linspace(0.02, 8, 81))
    )
    logits = middle[:, None] + spread[:, None] * at
    yes, no = special.log_expit(logits), special.log_expit(-logits)
    log = (special.log_expit(middle) + special.log_expit(-middle)) / 2 - (spread / WIDTH) ** 2 / 2
    mean = np.exp(yes) @ weights
    return yes, no, weights, log, mean, np.argsort(mean)


OF_GRIDS = 2.5
"""Points by which the ends of a rate may differ: both programs integrate over grids of their own."""
WIDTH = 2.5
"""Of the half-normal prior of the spread over seeds."""


@cache
def _likelihood(k: float, n: float) -> np.ndarray:
    yes, no, weights, *_ = _grid()
    return np.log(np.maximum(np.exp(k * yes + (n - k) * no) @ weights, 1e-300))


def rate(k: list[float], n: float, level: float = 0.05, alike: float = 1.0) -> tuple[float, float]:
    """The interval of the mean rate over seeds, on a grid of (mean rate's logit, spread); of one seed Wilson's."""
    if len(k) == 1:
        test = (
            stats.binomtest(round(k[0] / alike), round(n / alike))
            if alike == 1 and k[0] == int(k[0])
            else None
        )
        if test is not None:
            found = test.proportion_ci(1 - level, method="wilson")
            return found.low, found.high
        z, share, size = stats.norm.isf(level / 2), k[0] / n, n / alike
        middle = (share + z * z / 2 / size) / (1 + z * z / size)
        half = z / (1 + z * z / size) * np.sqrt(share * (1 - share) / size + z * z / 4 / size**2)
        return (0.0 if share == 0 else middle - half), (1.0 if share == 1 else middle + half)
    *_, log, mean, order = _grid()
    for each in k:
        log = log + _likelihood(each, n)
    mass = np.exp(log - log.max())[order]
    below = np.cumsum(mass) - mass / 2
    found = np.interp(np.array([level / 2, 1 - level / 2]) * mass.sum(), below, mean[order])
    seen = sum(k) / len(k) / n
    return min(found[0], seen), max(found[1], seen)
