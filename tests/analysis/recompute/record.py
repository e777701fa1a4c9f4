"""The contrasts of six seeds and the law of the names study, for what docs/RESULTS.md says of them."""

import numpy as np
import pandas as pd
from scipy import optimize, special, stats


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
