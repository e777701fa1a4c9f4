"""The law within one configuration: what comes back is bounded by what was known, and set by corpus, steps and depth.

    rate = rate of the original(repetitions) × logistic(a_corpus + b_corpus · log(1 + steps) − c · log depth)

Fitted by maximum likelihood to the cells of unlearned models (``analysis.statistics.capped_logistic``), for each model
and method alone. A law is worth what it says of cells that it has not seen. So beside the coefficients stand scores:
each seed predicted from all others, and, where they are given, cells of other seeds or another study. These are shares
of the deviance that the corpora's means leave; beside them what a lookup of the cells' own means explains, which has a
number for each cell where the law has two for each corpus and one.

That a law holds on new seeds does not say that it holds on other text: on another file of names it explained nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy  # its parts load when they are first used

from analysis.reading.given import one_study
from analysis.reading.study_frames import Study
from analysis.statistics.capped_logistic import PENALTY, explained, fit, predict
from analysis.statistics.wilson import Numbers
from study.errors import SpecError

GROUP = ["model", "method"]
CELL = ["repetitions", "depth", "corpus", "relearn_steps"]
LOOSE = 0.1
"""A coefficient that moves by more than this, and this share of itself, where the penalty is a hundredth, is not told
by the answers: they separate, and what the fit finds is the penalty's own."""
ALIKE = 1e-6
"""Width beside its value that is none: with seeds that are all alike nothing tells how much others differ."""
AT_ONCE = np.array([-8.0, 5.0])
"""Intercept and slope of steps of a curve that is at 0 before relearning and at its cap after a few steps."""
FEWEST = 12
"""Cells of a seed, below which seven numbers say nothing."""


@dataclass(frozen=True)
class Law:
    """What was fitted, and how well it foresees.

    Attributes:
        coefficients: a row per model, method and ``term``: ``value``, and ``low`` and ``high`` (95%, jackknife over
            seeds; NaN with one). Where the answers separate there is no ``value``; where they do without one seed, or
            all seeds are alike, no interval; ``word`` says so.
        scores: a row per model, method and what was ``asked``: ``explained`` and ``lookup`` (shares of the deviance
            beyond the corpora's means; below 0 is worse), ``error`` (root mean square, as a rate), ``cells``.
    """

    coefficients: pd.DataFrame
    scores: pd.DataFrame


def law(study: Study, other: pd.DataFrame | None = None) -> Law:
    """Fits the law to a study's cells, and asks it of cells that it has not seen.

    Args:
        other: cells of the same coordinates, such as those of other seeds or of another study.

    Raises:
        SpecError: no original model was evaluated, the headline metric is no share, or too few cells to fit.
    """
    study = one_study(study, "law")
    cells = _unlearned(study.cells, study)
    originals = _originals(study)
    if cells.empty or originals.empty:
        raise SpecError(
            f"{study.name}: the law needs relearned cells of unlearned models, and the original's answers"
        )
    asked = None if other is None else _unlearned(other, study)
    coefficients: list[dict[str, object]] = []
    scores: list[dict[str, object]] = []
    for values, part in cells.groupby(GROUP, observed=True, sort=False):
        place = dict(zip(GROUP, map(str, values), strict=True))
        caps = originals[originals["model"].astype(str) == place["model"]]
        caps = caps[caps["repetitions"].isin(part["repetitions"])]
        known = part[part["repetitions"].isin(caps["repetitions"])]
        if (
            len(known) < FEWEST * known["seed"].nunique()
            or known["depth"].nunique() < 2
            or known["k"].sum() == 0
        ):
            continue
        coefficients += [{**place, **row} for row in _coefficients(known, caps)]
        scores += [{**place, **row} for row in _scores(known, caps)]
        if asked is not None:
            mine = asked[
                (asked["model"].astype(str) == place["model"])
                & (asked["method"].astype(str) == place["method"])
            ]
            mine = mine[mine["corpus"].isin(known["corpus"]) & mine["repetitions"].isin(caps["repetitions"])]
            if len(mine):
                guess = _predicted(known, caps, mine)
                scores.append({**place, "asked": "other cells", **_score(mine, *guess)})
    if not coefficients:
        raise SpecError(
            f"{study.name}: fewer than {FEWEST} cells of a seed, one depth, or nothing that was answered"
        )
    return Law(pd.DataFrame(coefficients), pd.DataFrame(scores))


def _unlearned(cells: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Cells of trajectories from unlearned models, as counts ``k`` of ``n`` under the headline metric."""
    rows = cells[(cells["metric"] == study.headline.metric) & (cells["split"] == "forget")]
    rows = rows[(rows["start"] == "unlearned") & (rows["corpus"] != "none") & (rows["depth"] > 0)]
    return _as_counts(rows, study)


def _as_counts(rows: pd.DataFrame, study: Study) -> pd.DataFrame:
    share = study.shares(rows["value"].to_numpy(float))
    if ((share < 0) | (share > 1)).any():
        raise SpecError(f"{study.headline.metric} is no share of a whole, so the law is not about it")
    n = rows["n"].astype(float).fillna(1.0).to_numpy(float)
    return rows.assign(corpus=rows["corpus"].astype(str), k=share * n, n=n)


def _originals(study: Study) -> pd.DataFrame:
    rows = study.headline_cells
    rows = rows[(rows["start"] == "original") & (rows["relearn_steps"] == 0) & (rows["corpus"] == "none")]
    return _as_counts(rows, study)


def _terms(cells: pd.DataFrame, corpora: list[str]) -> Numbers:
    each = [(cells["corpus"] == corpus).to_numpy(float) for corpus in corpora]
    steps = np.log1p(cells["relearn_steps"].to_numpy(float))
    return np.column_stack([*each, *(one * steps for one in each), -np.log(cells["depth"].to_numpy(float))])


def _caps(cells: pd.DataFrame, originals: pd.DataFrame) -> Numbers:
    rates = originals.groupby("repetitions")[["k", "n"]].sum()
    return cells["repetitions"].map(rates["k"] / rates["n"]).to_numpy(float)


def _fitted(
    cells: pd.DataFrame, originals: pd.DataFrame, corpora: list[str], penalty: float = PENALTY
) -> Numbers:
    """The likelihood may have two maxima for each corpus: in one its curve is at the cap as soon as it is relearned.

    For a slope of depth each corpus is a fit of its own; so each is sought from both, and then all together again.
    """
    terms, caps = _terms(cells, corpora), _caps(cells, originals)
    k, n = (cells[name].to_numpy(float) for name in ("k", "n"))
    first = fit(terms, caps, k, n, penalty)
    other, of_depth = first.copy(), terms[:, -1] * first[-1]
    for at, corpus in enumerate(corpora):
        mine, own = (cells["corpus"] == corpus).to_numpy(), [at, at + len(corpora)]
        at_once = AT_ONCE - np.array([of_depth[mine].mean(), 0.0])
        part = terms[mine][:, own], caps[mine], k[mine], n[mine]
        other[own] = fit(*part, penalty, (first[own], at_once), of_depth[mine])
    return fit(terms, caps, k, n, penalty, (first, other))


def _coefficients(cells: pd.DataFrame, originals: pd.DataFrame) -> Iterator[dict[str, object]]:
    corpora = list(dict.fromkeys(cells["corpus"]))
    seeds = _seeds(cells)
    left_out = seeds if len(seeds) > 1 else []  # without its only seed a study has nothing to fit
    rests = [_without(cells, originals, seed) for seed in left_out]
    whole, *again = (_fitted(*part, corpora) for part in ((cells, originals), *rests))
    moved, *alone = (
        _moved(found, _fitted(*part, corpora, PENALTY / 100))
        for found, part in zip((whole, *again), ((cells, originals), *rests), strict=True)
    )
    half = np.full(len(whole), np.nan)
    if again:
        apart = np.array(again) - whole
        error = np.sqrt((len(again) - 1) / len(again) * (apart**2).sum(axis=0))
        half = scipy.stats.t.isf(0.025, len(again) - 1) * error
    terms = [f"{name}, {corpus}" for name in ("a", "b") for corpus in corpora] + ["c"]
    for at, (term, value, width) in enumerate(zip(terms, whole, half, strict=True)):
        corpus = term.partition(", ")[2]
        word, untold_since = "", _all_alike(cells, corpus) or ("the answers separate" if moved[at] else "")
        if untold_since:
            word = f"cannot be told: {untold_since}"
        elif any(each[at] for each in alone) or any(_all_alike(rest, corpus) for rest, _ in rests):
            word = "known from one seed alone: no interval"
        elif again and width <= ALIKE * max(1, abs(value)):
            word = "all seeds are alike: no interval"
        side = np.nan if word else width
        told = np.nan if untold_since else value
        yield {
            "term": term,
            "value": told,
            "low": value - side,
            "high": value + side,
            "seeds": len(seeds),
            "word": word,
        }


def _moved(held: Numbers, free: Numbers) -> list[bool]:
    """Which coefficients the penalty holds: both of a corpus where one is, and all where that of depth is."""
    each = ~np.isclose(held, free, rtol=LOOSE, atol=LOOSE)
    of_corpora = each[:-1].reshape(2, -1).any(axis=0) | each[-1]
    return [*map(bool, of_corpora), *map(bool, of_corpora), bool(each[-1])]


def _all_alike(cells: pd.DataFrame, corpus: str) -> str:
    """``nothing was answered``, or everything; the likelihood has no maximum there. Empty elsewhere."""
    cells = cells[cells["corpus"] == corpus]
    if cells.empty:
        return ""
    if cells["k"].sum() == 0:
        return "nothing was answered"
    return "everything was answered" if (cells["k"] == cells["n"]).all() else ""


def _scores(cells: pd.DataFrame, originals: pd.DataFrame) -> Iterator[dict[str, object]]:
    seeds = _seeds(cells)
    if len(seeds) < 2:
        return
    parts = [cells[cells["seed"] == seed] for seed in seeds]
    guesses = [
        _predicted(*_without(cells, originals, seed), part) for seed, part in zip(seeds, parts, strict=True)
    ]
    law_says, means, lookup = (np.concatenate(column) for column in zip(*guesses, strict=True))
    yield {"asked": "each seed from the others", **_score(pd.concat(parts), law_says, means, lookup)}


def _seeds(cells: pd.DataFrame) -> list[int]:
    return sorted({int(seed) for seed in cells["seed"]})


def _without(cells: pd.DataFrame, originals: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    return cells[cells["seed"] != seed], originals[originals["seed"] != seed]


def _predicted(
    cells: pd.DataFrame, originals: pd.DataFrame, asked: pd.DataFrame
) -> tuple[Numbers, Numbers, Numbers]:
    """What the law, the corpora's means and a lookup of the cells' means say of some cells, from others."""
    corpora = list(dict.fromkeys(cells["corpus"]))
    says = predict(_terms(asked, corpora), _caps(asked, originals), _fitted(cells, originals, corpora))
    by_corpus = cells.groupby("corpus")[["k", "n"]].sum()
    means = asked["corpus"].map(by_corpus["k"] / by_corpus["n"]).to_numpy(float)
    by_cell = cells.groupby(CELL)[["k", "n"]].sum()
    known = (by_cell["k"] / by_cell["n"]).reindex(pd.MultiIndex.from_frame(asked[CELL])).to_numpy(float)
    return says, means, known


def _score(cells: pd.DataFrame, says: Numbers, means: Numbers, lookup: Numbers) -> dict[str, object]:
    k, n = (cells[name].to_numpy(float) for name in ("k", "n"))
    anything = bool(k.sum() > 0)
    return {
        "explained": explained(says, means, k, n) if anything else np.nan,
        "lookup": explained(lookup, means, k, n) if anything and not np.isnan(lookup).any() else np.nan,
        "error": float(np.sqrt(np.mean((says - k / n) ** 2))),
        "cells": len(cells),
    }
