"""The statistics once more, from Parquet alone: written from docs/STATISTICS.md, without code of ``analysis``."""

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

CELL = ["repetitions", "depth", "corpus", "relearn_steps"]


def limma(variances: np.ndarray, freedom: float) -> tuple[float, float]:
    """d0 and s0² of rows with equal degrees of freedom, by solving trigamma for d0; d0 at most a quarter of all."""
    shown = variances[variances > 0]
    e = np.log(shown) - special.psi(freedom / 2) + np.log(freedom / 2)
    target = np.var(e, ddof=1) - special.polygamma(1, freedom / 2)
    most = len(shown) * freedom / 4
    d0 = most
    if target > 0:
        half = optimize.newton(lambda x: special.polygamma(1, x) - target, 0.5 + 1 / target, maxiter=200)
        d0 = min(most, 2 * half)
    return d0, float(np.exp(e.mean() + special.psi(d0 / 2) - np.log(d0 / 2)))


def holm(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Adjusted p values one by one, and by what each was multiplied."""
    times = np.empty(len(p))
    worst = 0.0
    for rank, at in enumerate(np.argsort(p, kind="stable")):
        worst = max(worst, p[at] * (len(p) - rank))
        times[at] = worst / p[at]
    return np.minimum(1, p * times), times


def differences(scores: list[tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """Rows of (one, other), each seeds × probes of 0 and 1: the table of paired differences."""
    rows = []
    for one, other in scores:
        seeds, probes = one.shape
        apart = one - other
        rate = ((one.mean() + other.mean()) / 2 * probes + 1) / (probes + 2)
        square_probes = seeds * ((apart.mean(axis=0) - apart.mean()) ** 2).sum() / (probes - 1)
        total = ((apart - apart.mean()) ** 2).sum()
        square_seeds = probes * ((apart.mean(axis=1) - apart.mean()) ** 2).sum()
        rest = (total - square_seeds - square_probes * (probes - 1)) / (seeds - 1) / (probes - 1)
        rows.append(
            {
                "difference": apart.mean(),
                "of_seeds": apart.mean(axis=1).var(ddof=1),
                "scale": rate * (1 - rate),
                "of_probes": max(0.0, square_probes - rest) / seeds / probes,
                "alike": one.min() == other.min() == one.max() == other.max(),
            }
        )
    table = pd.DataFrame(rows)
    seeds, probes = scores[0][0].shape
    told = table[~table["alike"]].copy()
    d0, size = limma((told["of_seeds"] / told["scale"]).to_numpy(), seeds - 1)
    shared = (d0 * size * told["scale"] + (seeds - 1) * told["of_seeds"]) / (d0 + seeds - 1) / seeds
    variance = shared + told["of_probes"]
    freedom = variance**2 / (shared**2 / (d0 + seeds - 1) + told["of_probes"] ** 2 / (probes - 1))
    error = np.sqrt(np.maximum(variance, 1 / (probes + 2) ** 2))
    told["p"] = 2 * stats.t.sf(np.abs(told["difference"] / error), freedom)
    told["p_adjusted"], times = holm(told["p"].to_numpy())
    half = stats.t.isf(0.025 / times, freedom) * error
    told["low"], told["high"] = (
        np.maximum(told["difference"] - half, -1),
        np.minimum(told["difference"] + half, 1),
    )
    return table.join(told[["p", "p_adjusted", "low", "high"]])


def rate(k: list[float], n: float) -> tuple[float, float]:
    """The 95% interval of the mean rate over seeds, on a grid of (mean rate's logit, spread) by Gauss and Hermite."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    weights = weights / weights.sum()
    middle, spread = (
        each.ravel() for each in np.meshgrid(np.linspace(-11, 11, 221), np.linspace(0.02, 8, 100))
    )
    logits = middle[:, None] + spread[:, None] * nodes
    inner = special.expit(logits)
    log = np.log(special.expit(middle) * special.expit(-middle)) / 2 - (spread / 2) ** 2 / 2
    for each in k:
        log = log + np.log(np.maximum(inner**each * (1 - inner) ** (n - each) @ weights, 1e-300))
    mass, mean = np.exp(log - log.max()), inner @ weights
    order = np.argsort(mean)
    below = np.cumsum(mass[order]) / mass.sum()
    ends = np.interp([0.025, 0.975], below, mean[order])
    seen = sum(k) / len(k) / n
    return min(ends[0], seen), max(ends[1], seen)


def six_seeds(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """The contrasts of docs/RESULTS.md: ``words``, ``value``, ``low``, ``high``, ``p`` and the seeds, in points."""
    cells = pd.concat([first, second])
    cells = cells[
        (cells["metric"] == "keyword_anywhere")
        & (cells["split"] == "forget")
        & (cells["start"] == "unlearned")
    ]
    cells = cells[cells["relearn_steps"] == 40].assign(corpus=lambda rows: rows["corpus"].astype(str))
    both, deep = [5, 7], [10, 12]
    contrasts = {
        "prefix, depth 8 − 12": ((both, [8], "prefix"), (both, [12], "prefix")),
        "prefix, depth 8 − 10": ((both, [8], "prefix"), (both, [10], "prefix")),
        "depth 10 and 12, retain − gibberish": ((both, deep, "retain"), (both, deep, "gibberish")),
        "depth 10 and 12, prefix − gibberish": ((both, deep, "prefix"), (both, deep, "gibberish")),
        "depth 10 and 12, prefix − retain": ((both, deep, "prefix"), (both, deep, "retain")),
        "prefix, depth 10 and 12, r = 7 − 5": (([7], deep, "prefix"), ([5], deep, "prefix")),
        "prefix, depth 10 and 12, r = 7 − 1": (([7], deep, "prefix"), ([1], deep, "prefix")),
    }

    def mean(part: pd.DataFrame, repetitions: list[int], depths: list[int], corpus: str) -> float:
        chosen = (
            part["repetitions"].isin(repetitions) & part["depth"].isin(depths) & (part["corpus"] == corpus)
        )
        return 100 * float(part.loc[chosen, "value"].mean())

    rows = []
    for words, (one, other) in contrasts.items():
        seeds = [mean(part, *one) - mean(part, *other) for _, part in cells.groupby("seed")]
        found = stats.ttest_1samp(seeds, 0)
        ends = found.confidence_interval()
        rows.append((words, np.mean(seeds), ends.low, ends.high, found.pvalue, seeds))
    return pd.DataFrame(rows, columns=["words", "value", "low", "high", "p", "seeds"])


def law(first: pd.DataFrame, second: pd.DataFrame) -> float:
    """What the law, fitted to the first cells, explains of the second, beyond the means of the corpora."""
    chosen = [
        rows[(rows["metric"] == "keyword_anywhere") & (rows["split"] == "forget")] for rows in (first, second)
    ]
    original = chosen[0][(chosen[0]["start"] == "original") & (chosen[0]["relearn_steps"] == 0)]
    known = original.groupby("repetitions")["value"].mean()
    train, asked = (rows[(rows["start"] == "unlearned") & (rows["corpus"] != "none")] for rows in chosen)
    corpora = sorted(train["corpus"].astype(str).unique())

    def says(at: np.ndarray, rows: pd.DataFrame) -> np.ndarray:
        number = rows["corpus"].astype(str).map(corpora.index).to_numpy()
        logit = at[number] + at[3 + number] * np.log1p(rows["relearn_steps"]) - at[6] * np.log(rows["depth"])
        return np.clip(
            rows["repetitions"].map(known).to_numpy() * special.expit(logit.to_numpy()), 1e-4, 1 - 1e-4
        )

    def deviance(rate: np.ndarray, rows: pd.DataFrame) -> float:
        k, n = rows["k"].to_numpy(float), rows["n"].to_numpy(float)
        best = stats.binom.logpmf(k, n, k / n)
        return float((best - stats.binom.logpmf(k, n, rate)).sum())

    best = optimize.minimize(
        lambda at: deviance(says(at, train), train), np.r_[np.full(3, 15.0), np.zeros(3), 8.0]
    )
    means = (
        asked["corpus"].astype(str).map(train.groupby(train["corpus"].astype(str))["value"].mean()).to_numpy()
    )
    return 1 - deviance(says(best.x, asked), asked) / deviance(means, asked)
