"""What 0 of 300 answers in three seeds can rule out: a bound that no interval escapes, and intervals beside today's.

    python -m benchmarks.coverage.near_nothing

The logits of the seeds' rates are normal, and each seed is asked 100 questions. *The bound*: where a true mean rate
gives only zeros in 5% of studies, an interval that leaves this rate out on zeros misses it in 5% of studies, so it
cannot end below. *The intervals*: logit-normal seeds with other priors of their spread, a beta instead, a profile
likelihood, and the spread shared with the other eleven cells of the study. It writes the tables of
docs/SIMULATIONS.md, in a quarter of an hour.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import scipy

from analysis.statistics import rates
from analysis.statistics.wilson import Numbers
from benchmarks.coverage.tables import table
from benchmarks.coverage.worlds import BETWEEN, middle_of
from benchmarks.marked_section import replace_between

DIFFER = (0.5, 1.3, 2.5, 4.4)
RATES = (0.001, 0.01, 0.03, 0.1, 0.35)
SEEDS, PROBES, STUDIES, OTHERS = 3, 100, 1000, 11
TEMPER = 0.35
"""How much of the other cells' likelihood counts: they share their seeds."""
Found = tuple[float, float]
Seeds = tuple[int, ...]


def bound(differ: float, seeds: int, probes: int = PROBES, missed: float = 0.05) -> float:
    """The mean rate at which so many studies show nothing but zeros."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    weights = weights / weights.sum()
    middles = np.linspace(-30, 5, 3501)[:, None]
    silent = ((1 - scipy.special.expit(middles + differ * nodes)) ** probes) @ weights
    at = int(np.argmax(silent**seeds < missed))
    return float(scipy.special.expit(middles[at] + differ * nodes) @ weights)


def _log_likelihood(counts: Seeds) -> Numbers:
    """Deviations × middles, on the product's grid."""
    each = [rates._log_likelihood(float(yes), float(PROBES)) for yes in counts]
    return np.asarray(np.sum(each, axis=0))


@cache
def _jeffreys() -> Numbers:
    logs = scipy.special.log_expit(rates.MIDDLES) + scipy.special.log_expit(-rates.MIDDLES)
    return np.asarray(logs / 2)


@cache
def half_normal(width: float) -> Numbers:
    """The prior mass of each deviation, as in ``analysis.statistics.rates``."""
    edges = np.concatenate([[0.0], (rates.DEVIATIONS[1:] + rates.DEVIATIONS[:-1]) / 2, [np.inf]])
    mass = np.diff(scipy.special.erf(edges / width / np.sqrt(2)))
    return np.asarray(np.log(np.maximum(mass, 1e-300)))


@cache
def of_the_mean(width: float) -> Numbers:
    """Jeffreys' prior of the mean rate, in place of the rate in the middle of the seeds; deviations × middles."""
    _, _, order, grid = rates._grid()
    flat = np.empty(order.size)
    flat[order] = grid
    mean = flat.reshape(len(rates.DEVIATIONS), len(rates.MIDDLES))
    slope = np.gradient(np.log(mean) - np.log1p(-mean), rates.MIDDLES, axis=1)
    jeffreys = (np.log(mean) + np.log1p(-mean)) / 2 + np.log(np.maximum(slope, 1e-12))
    return np.asarray(jeffreys - _jeffreys() + half_normal(width)[:, None])


def logit_normal(counts: Seeds, log_prior: Numbers) -> Found:
    """The middle 95% of the mean rate, with this prior of deviations × middles beside that of the middles."""
    _, _, order, grid = rates._grid()
    logs = _log_likelihood(counts) + _jeffreys() + log_prior
    weights = np.exp(logs - logs.max()).ravel()[order]
    below = np.cumsum(weights) - weights / 2
    low, high = np.interp(np.array([0.025, 0.975]) * weights.sum(), below, grid)
    share = sum(counts) / len(counts) / PROBES
    return min(float(low), share), max(float(high), share)


@cache
def _alone(counts: Seeds) -> Numbers:
    """Log likelihood of each deviation from one cell, its middle integrated out."""
    return np.asarray(scipy.special.logsumexp(_log_likelihood(counts) + _jeffreys(), axis=1))


def shared(counts: Seeds, others: Sequence[Seeds]) -> Found:
    """The spread of the study's other cells, with a weak prior."""
    told = TEMPER * np.sum([_alone(each) for each in others], axis=0)
    return logit_normal(counts, (half_normal(rates.WIDTH) + told)[:, None])


def beta(counts: Seeds) -> Found:
    """Seeds' rates from a beta: Jeffreys' prior of its mean, a flat one of the correlation within a seed."""
    middles = np.linspace(-12, 12, 481)
    means = scipy.special.expit(middles)
    alike = ((np.arange(60) + 0.5) / 60)[:, None]
    one, other = means * (1 / alike - 1), (1 - means) * (1 / alike - 1)
    logs = (scipy.special.log_expit(middles) + scipy.special.log_expit(-middles)) / 2 + np.zeros_like(one)
    for yes in counts:
        logs = logs + scipy.special.betaln(yes + one, PROBES - yes + other) - scipy.special.betaln(one, other)
    weights = np.exp(logs - logs.max()).sum(axis=0)
    below = np.cumsum(weights) - weights / 2
    low, high = np.interp(np.array([0.025, 0.975]) * weights.sum(), below, means)
    share = sum(counts) / len(counts) / PROBES
    return min(float(low), share), max(float(high), share)


def profile(counts: Seeds) -> Found:
    """Where the likelihood, at its best deviation, lies within 3.84 / 2 of its greatest."""
    _, _, order, grid = rates._grid()
    logs = _log_likelihood(counts)
    inside = grid[logs.ravel()[order] >= logs.max() - 1.92]
    share = sum(counts) / len(counts) / PROBES
    return min(float(inside.min()), share), max(float(inside.max()), share)


ALONE: dict[str, Callable[[Seeds], Found]] = {
    "today's": lambda counts: rates.rate_interval(counts, [PROBES] * len(counts)),
    "prior of 1.5": lambda counts: logit_normal(counts, half_normal(1.5)[:, None]),
    "prior of 1": lambda counts: logit_normal(counts, half_normal(1.0)[:, None]),
    "mean rate's prior, 3.5": lambda counts: logit_normal(counts, of_the_mean(3.5)),
    "beta": beta,
    "profile": profile,
}
SHARED = ("shared spread", "shared, others differ by 1.3")


def coverage(differ: float, rate: float) -> dict[str, Numbers]:
    """Of each interval, for each study: whether it holds the rate, and its width."""
    generator = np.random.default_rng([round(10 * differ), round(10_000 * rate)])
    cached = {name: cache(of) for name, of in ALONE.items()}
    noted: dict[str, list[tuple[float, float]]] = {name: [] for name in (*ALONE, *SHARED)}
    levels = generator.uniform(-3, 1, size=(STUDIES, OTHERS, 1))
    for study in range(STUDIES):
        common = generator.normal(size=SEEDS) * np.sqrt(BETWEEN)
        deviations = common + generator.normal(size=(1 + OTHERS, SEEDS)) * np.sqrt(1 - BETWEEN)
        counts = _answered(generator, middle_of(rate, differ) + differ * deviations[0])
        found = {name: of(counts) for name, of in cached.items()}
        for name, spread in zip(SHARED, (differ, 1.3), strict=True):
            others = [_answered(generator, each) for each in levels[study] + spread * deviations[1:]]
            found[name] = shared(counts, others)
        for name, (low, high) in found.items():
            noted[name].append((low <= rate <= high, high - low))
    return {name: np.array(each, float) for name, each in noted.items()}


def _answered(generator: np.random.Generator, logits: Numbers) -> Seeds:
    return tuple(sorted(map(int, generator.binomial(PROBES, scipy.special.expit(logits)))))


def _bounds() -> str:
    head = ["seeds", *(f"seeds differ by {differ}" for differ in DIFFER), "the interval's end"]
    lines = []
    for seeds in (2, 3, 5, 10, 20):
        end = rates.rate_interval([0] * seeds, [PROBES] * seeds)[1]
        ends = [*(bound(differ, seeds) for differ in DIFFER), end]
        lines.append([str(seeds), *(f"{100 * each:.1f}" for each in ends)])
    return table(head, lines)


def _intervals() -> str:
    head = ["seeds differ", "rate", "only zeros", *ALONE, *SHARED]
    lines = []
    for differ in DIFFER:
        for rate in RATES:
            found = coverage(differ, rate)
            cells = [
                f"{100 * each[:, 0].mean():.1f} ({100 * each[:, 1].mean():.0f})" for each in found.values()
            ]
            lines.append([str(differ), f"{100 * rate:g}%", f"{100 * _silent(differ, rate):.0f}", *cells])
            print(*lines[-1], sep=" | ", flush=True)
    ends = [f"ends at {100 * of((0,) * SEEDS)[1]:.0f}" for of in ALONE.values()]
    lines.append(["any", "", "only zeros", *ends, *("" for _ in SHARED)])
    return table(head, lines)


def _silent(differ: float, rate: float) -> float:
    """How many studies show nothing but zeros."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    chance = scipy.special.expit(middle_of(rate, differ) + differ * nodes)
    return float(((1 - chance) ** PROBES @ (weights / weights.sum())) ** SEEDS)


def main() -> None:
    """Writes both tables."""
    document = Path(__file__).parents[2] / "docs" / "SIMULATIONS.md"
    replace_between(document, "nothing", _bounds())
    replace_between(document, "near nothing", _intervals())


if __name__ == "__main__":
    main()
