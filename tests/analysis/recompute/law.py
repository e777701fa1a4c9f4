"""The law once more: least squares over deviance residuals in place of a gradient of the likelihood.

Half the sum of the squared residuals is the loss; one residual more for each coefficient is the small penalty, of a
millionth of the coefficients' squares for each query, without which seven numbers that separate the answers run away.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from tests.analysis.recompute.same import Same
from tests.analysis.recompute.source import Source

Line = Mapping[str, str]
LEAST = 1e-4
FEWEST = 12
"""Cells of a seed, of which a law can be told."""
CELL = ["repetitions", "depth", "corpus", "relearn_steps"]


def capped(terms: np.ndarray, cap: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The rates of a logistic curve below a cap."""
    return LEAST + (1 - 2 * LEAST) * cap * special.expit(terms @ at)


def fitted(
    terms: np.ndarray, cap: np.ndarray, k: np.ndarray, n: np.ndarray, ridge: float = 2e-6
) -> np.ndarray:
    """Its coefficients, one a term."""

    def residuals(at: np.ndarray) -> np.ndarray:
        return np.append(residual(capped(terms, cap, at), k, n), np.sqrt(ridge * n.sum()) * at)

    tight = {"xtol": 1e-14, "ftol": 1e-14, "gtol": 1e-14, "max_nfev": 2000}
    first = optimize.least_squares(residuals, np.zeros(terms.shape[1]), x_scale="jac", **tight)
    # below a cap there may be several minima: where the answers of the seeds that are left are nearly all or nothing
    others = [optimize.least_squares(residuals, by * first.x, x_scale="jac", **tight) for by in (4.0, -1.0)]
    best = min((first, *others), key=lambda found: found.cost)
    corpora = (terms.shape[1] - 1) // 2
    for corpus in range(corpora):  # each in turn at its cap as soon as it is relearned
        start = best.x.copy()
        start[[corpus, corpus + corpora]] = [-8 - best.x[-1] * terms[:, -1].mean(), 5]
        best = min(
            (best, optimize.least_squares(residuals, start, x_scale="jac", **tight)),
            key=lambda found: found.cost,
        )
    return best.x


class Law:
    """Fitted to some cells of one model and method, each with ``k`` of ``n``, below what the originals knew."""

    def __init__(self, cells: pd.DataFrame, originals: pd.DataFrame) -> None:
        self.corpora = sorted(cells["corpus"].unique())
        known = originals.groupby("repetitions")[["k", "n"]].sum()
        self.cap = known["k"] / known["n"]
        self.cells = cells
        self.at = fitted(*self._design(cells), *_counts(cells))

    def held(self) -> np.ndarray:
        """Which coefficients stay where they are if next to nothing holds them, with all that trade off with them."""
        free = fitted(*self._design(self.cells), *_counts(self.cells), ridge=2e-8)
        still = np.abs(free - self.at) <= 0.1 + 0.1 * np.abs(free)
        of_corpora = [still[at] and still[at + len(self.corpora)] for at in range(len(self.corpora))]
        return np.array([*of_corpora, *of_corpora, True]) & still[-1]

    def _design(self, cells: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        steps, depth = (cells[name].to_numpy(float) for name in ("relearn_steps", "depth"))
        each = np.stack([(cells["corpus"] == corpus).to_numpy(float) for corpus in self.corpora], axis=1)
        terms = np.hstack([each, each * np.log1p(steps)[:, None], -np.log(depth)[:, None]])
        return terms, cells["repetitions"].map(self.cap).to_numpy(float)

    def says(self, cells: pd.DataFrame) -> np.ndarray:
        """What the law says."""
        return capped(*self._design(cells), self.at)

    def means(self, cells: pd.DataFrame) -> np.ndarray:
        """What the means of the corpora say."""
        return self._looked_up(cells, ["corpus"])

    def lookup(self, cells: pd.DataFrame) -> np.ndarray:
        """What the means of the same cells say."""
        return self._looked_up(cells, CELL)

    def _looked_up(self, cells: pd.DataFrame, by: list[str]) -> np.ndarray:
        sums = self.cells.groupby(by)[["k", "n"]].sum().add_suffix("_known")
        there = cells[by].merge(sums, left_on=by, right_index=True, how="left")
        return (there["k_known"] / there["n_known"]).to_numpy(float)


def _counts(cells: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return cells["k"].to_numpy(float), cells["n"].to_numpy(float)


def residual(rate: np.ndarray, k: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Signed roots of the deviance: the squares sum to twice the loss."""
    rate = np.clip(rate, LEAST, 1 - LEAST)
    deviance = special.rel_entr(k, n * rate) + special.rel_entr(n - k, n * (1 - rate))
    return np.sign(k / n - rate) * np.sqrt(2 * np.maximum(0, deviance))


def explained(rate: np.ndarray, means: np.ndarray, cells: pd.DataFrame) -> float:
    """The share of the means' deviance that a prediction takes away."""
    left, whole = (float((residual(each, *_counts(cells)) ** 2).sum()) for each in (rate, means))
    return 1 - left / whole


def parts(source: Source) -> Iterator[tuple[str, str, pd.DataFrame, pd.DataFrame]]:
    """Model and method of which a law can be told, their cells, and those of their originals."""
    rows = source.headline[source.headline["corpus"].notna()]
    rows = rows.astype(dict.fromkeys(("model", "method", "start", "corpus"), str))
    n = rows["n"].astype(float).fillna(1.0)
    rows = rows.assign(n=n, k=rows["value"] * n)
    if not rows["value"].between(0, 1).all():
        return
    alone = (rows["start"] == "original") & (rows["relearn_steps"] == 0) & (rows["corpus"] == "none")
    cells = rows[(rows["start"] == "unlearned") & (rows["corpus"] != "none") & (rows["depth"] > 0)]
    for (model, method), mine in cells.groupby(["model", "method"]):
        originals = rows[alone & (rows["model"] == model)]
        mine = mine[mine["repetitions"].isin(originals["repetitions"])]
        seeds = mine["seed"].nunique()
        if len(mine) and len(mine) >= FEWEST * seeds and mine["depth"].nunique() > 1 and mine["k"].sum() > 0:
            yield model, method, mine, originals[originals["repetitions"].isin(mine["repetitions"])]


def check_coefficients(source: Source, rows: Sequence[Line]) -> None:
    """The table of the coefficients, each with its interval from seeds left out in turn."""
    found = list(parts(source))
    one = found[0][:2]
    left = {(row.get("model", one[0]), row.get("method", one[1]), row["term"]): row for row in rows}
    assert len(left) == len(rows)
    for model, method, cells, originals in found:
        whole = Law(cells, originals)
        seeds = sorted(cells["seed"].unique())
        laws = [
            Law(cells[cells["seed"] != seed], originals[originals["seed"] != seed])
            for seed in (seeds if len(seeds) > 1 else [])
        ]
        again = [each.at for each in laws]
        held = [each.held() for each in (whole, *laws)]
        error = np.full(len(whole.at), np.nan)
        if again:
            error = np.sqrt((len(seeds) - 1) / len(seeds) * sum((each - whole.at) ** 2 for each in again))
        half = stats.t.ppf(0.975, max(1, len(seeds) - 1)) * error
        terms = [f"{letter}, {corpus}" for letter in ("a", "b") for corpus in whole.corpora] + ["c"]
        for at, (term, value, width) in enumerate(zip(terms, whole.at, half, strict=True)):
            row = left.pop((model, method, term))
            remark, corpus = "", term.partition(", ")[2]
            same = _same(cells, corpus)
            rests = [_same(cells[cells["seed"] != seed], corpus) for seed in (seeds if laws else [])]
            if same or not held[0][at]:
                remark = f"cannot be told: {same or 'the answers separate'}"
            elif any(rests) or not all(each[at] for each in held):
                remark = "known from one seed alone: no interval"
            elif width < 1e-6 * max(1, abs(value)):
                remark = "all seeds are alike: no interval"
            Same.text(row["remark"], remark, row)
            if remark:
                width = np.nan
            if remark.startswith("cannot"):
                value = np.nan
            Same.interval(row["value"], value, value - width, value + width, row, 1e-3 * (1 + width))
    assert not left, f"of no law that can be fitted: {left}"


def _same(cells: pd.DataFrame, corpus: str) -> str:
    answered = set(cells.loc[cells["corpus"] == corpus, "value"])
    return {(0.0,): "nothing was answered", (1.0,): "everything was answered"}.get(tuple(answered), "")


SCORE = (
    r"(?P<whose>.+): fitted to all seeds but one and asked of that one, it explains (?P<explained>\S+) of the deviance "
    r"that the corpora's means leave, with a typical error of (?P<error>\d+) points; a lookup of the other seeds' own "
    r"means (?P<lookup>\S+)\."
)


def check_scores(source: Source, sentences: list[str]) -> None:
    """The sentences on how well each seed is foreseen from the others."""
    of = {f"{model}, {method}": (cells, originals) for model, method, cells, originals in parts(source)}
    for sentence in sentences:
        found = re.fullmatch(SCORE, sentence)
        assert found, f"nobody recomputes this sentence of the law: {sentence}"
        cells, originals = of.pop(found["whose"])
        guessed: dict[str, list[np.ndarray]] = {"says": [], "means": [], "lookup": []}
        asked = []
        for seed in sorted(cells["seed"].unique()):
            fitted = Law(cells[cells["seed"] != seed], originals[originals["seed"] != seed])
            asked.append(cells[cells["seed"] == seed])
            for name, each in guessed.items():
                each.append(getattr(fitted, name)(asked[-1]))
        rows = pd.concat(asked)
        says, means, lookup = (np.concatenate(each) for each in guessed.values())
        _share(found["explained"], explained(says, means, rows), sentence)
        _share(found["lookup"], explained(lookup, means, rows), sentence)
        error = float(np.sqrt(((says - rows["k"] / rows["n"]) ** 2).mean()))
        Same.number(found["error"], 100 * error, sentence)
    assert not of, f"no sentence on how well the law foresees: {list(of)}"


def _share(shown: str, value: float, about: object) -> None:
    if shown == "nothing":
        assert value <= 0, (about, value)
    else:
        Same.number(shown, 100 * value, about)
