"""What drives recovery: a binomial model of the relearned cells of each corpus, with effects in percentage points.

A cell's k of n answers is binomial with logit(rate) linear in its terms. Each corpus has a model of its own, since what
steps do depends on it: on one they bring knowledge back and on another they wear it away, and a mean of both describes
neither. Errors are clustered by seed: every effect is computed again without each seed, and its interval is
Student's t with seeds − 1 degrees of freedom over that jackknife (CV3 of MacKinnon, Nielsen and Webb 2023), which with
few clusters is the most reliable of the cluster-robust kind and needs no formula for the effect. Over several studies,
a seed of one is that of another where they have a model in common: the same seed of the same model is the same draw,
or even the same rows, however often it is relearned. Intervals are adjusted
for the number of effects as their p values are (Holm). Where the answers separate (a coefficient that maximum
likelihood sends to infinity) the fit is Firth's (1993), which is finite, and the table says so.

How near a corpus is to the forget set is no term: corpora that share no word with it brought back 65% and 7%.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy  # its parts load when they are first used

from analysis.measures.surface import select
from analysis.reading.given import a_study
from analysis.reading.studies import Studies
from analysis.reading.study_frames import Study
from analysis.statistics.adjustment import holm
from analysis.statistics.logistic import Fit, fit
from analysis.statistics.wilson import Numbers
from study.errors import SpecError

SHIFTS = {
    "log_depth": (float(np.log(2)), "depth doubled"),
    "log_relearn_steps": (float(np.log(2)), "1 + relearn steps doubled"),
    "repetitions": (1.0, "one repetition more"),
}
"""Term → how far it is moved, and in words."""
AXES = {"log_depth": "depth", "log_relearn_steps": "relearn steps"}
"""Of what a term is the logarithm."""

SETTLED = 1e-6
"""A smaller standard error, in rates, is that of the optimiser: the seeds are all alike, and nothing is tested."""
FACTORS = ("start", "method", "study")


@dataclass(frozen=True)
class _Terms:
    """The columns of the model, one a term; and each term that was left out, with the reason."""

    values: pd.DataFrame
    left_out: dict[str, str]


def drivers(study: Study | Studies, metric: str | None = None, split: str = "forget") -> pd.DataFrame:
    """The average effect of each term on the rate, over the relearned cells of each corpus.

    Terms: ``log_depth`` (that of the mean for models that were not unlearned), ``log_relearn_steps`` (of 1 + steps),
    ``repetitions``, and each further ``method``, ``start`` and, over several studies, ``study`` against the first.

    Args:
        metric: one of ``Study.cells``; the headline metric if None. One that is no count is taken as a share of the
            headline's whole, or must lie between 0 and 1.

    Returns:
        A row per ``corpus`` and ``term``: ``change`` in words; ``points``, what it does to the rate in percentage
        points, averaged over the cells, with ``low`` and ``high``, which exclude 0 where ``p_adjusted`` (Holm's over
        all rows) is below 5%; ``coefficient`` on the logit; ``p``;
        ``fit``; ``clusters`` and ``cells``; ``word`` where there is no number or no interval, and why.

    Raises:
        SpecError: no relearned cell, nothing that varies, or every answer alike.
    """
    study = a_study(study, "drivers")
    name = metric or study.headline.metric
    cells = select(study.cells, name, split)
    cells = cells[(cells["corpus"] != "none") & (cells["relearn_steps"] > 0)]
    if cells.empty:
        raise SpecError(f"{name}: no relearned cell is scored yet, so there is nothing to explain")
    rows: list[dict[str, Any]] = []
    for corpus, part in cells.groupby("corpus", observed=True):
        rows += [
            {"corpus": str(corpus), **row} for row in _of_corpus(part.reset_index(drop=True), name, study)
        ]
    if all("points" not in row for row in rows):
        words = "; ".join(dict.fromkeys(str(row["word"]) for row in rows))
        raise SpecError(f"{name}: no effect can be told ({words})")
    table = pd.DataFrame(rows)
    table["p_adjusted"], divisors = holm(table["p"].to_numpy(np.float64))
    error = 0.05 / np.where(np.isnan(divisors), 1.0, divisors)
    half = scipy.stats.t.isf(error / 2, np.maximum(table["clusters"] - 1, 1)) * table.pop("error")
    low, high = (np.clip(table["points"] + side * half, -100, 100) for side in (-1, 1))
    return table.assign(low=low, high=high)


def _of_corpus(cells: pd.DataFrame, name: str, study: Study | Studies) -> list[dict[str, Any]]:
    """The effects on one corpus; with ``error``, the standard error in points."""
    successes, trials = _counts(cells, name, study)
    groups, clusters = pd.factorize(_drawn(cells))
    common: dict[str, Any] = {"clusters": len(clusters), "cells": len(cells)}
    nothing = {"term": "all", "p": np.nan, "error": np.nan, **common}
    if successes.sum() == 0 or (successes == trials).all():
        return [{**nothing, "word": f"{'nothing' if successes.sum() == 0 else 'everything'} is answered"}]
    terms = _terms(cells)
    if terms.values.empty:
        return [{**nothing, "word": "no term varies; run more than one value of an axis"}]
    whole = fit(terms.values.to_numpy(np.float64), successes, trials)
    effects = _effects(terms.values, whole)
    again = np.array(
        [_without(terms.values, successes, trials, groups != each, whole) for each in range(len(clusters))]
    )
    error, p = _jackknife(effects, again)
    common["fit"] = "Firth" if whole.firth else "binomial"
    rows = [
        {
            "term": term,
            "change": _in_words(term, cells),
            "points": 100 * effects[at],
            "error": 100 * error[at],
            "coefficient": whole.coefficients[at + 1],
            "p": p[at],
            **common,
            "word": _why_no_interval(len(clusters), float(error[at])),
        }
        for at, term in enumerate(terms.values.columns)
    ]
    left_out = terms.left_out.items()
    return rows + [
        {**nothing, **common, "term": term, "change": _in_words(term, cells), "word": word}
        for term, word in left_out
    ]


def _drawn(cells: pd.DataFrame) -> pd.MultiIndex:
    """Of each cell, which draw it is of: its seed, among the studies that have models in common."""
    pairs = cells[["study", "model"]].astype(str).drop_duplicates()
    group = {study: study for study in pairs["study"]}
    for _, having in pairs.groupby("model", sort=False)["study"]:
        joined = {group[study] for study in having}
        group = {study: min(joined) if of in joined else of for study, of in group.items()}
    return pd.MultiIndex.from_arrays([cells["study"].astype(str).map(group), cells["seed"]])


def _why_no_interval(clusters: int, error: float) -> str:
    """Why an effect has no interval; empty where it has one."""
    if clusters < 2:
        return "one seed: no interval over seeds"
    return "known from one seed alone: no interval" if np.isnan(error) else ""


def _counts(cells: pd.DataFrame, metric: str, study: Study | Studies) -> tuple[Numbers, Numbers]:
    if cells["n"].notna().all():
        return cells["k"].to_numpy(np.float64), cells["n"].to_numpy(np.float64)
    judged = [each.headline for each in study.parts if each.headline.metric == metric]
    share = cells["value"].to_numpy(np.float64)
    share = (share - judged[0].least) / judged[0].span if judged else share
    if ((share < 0) | (share > 1) | np.isnan(share)).any():
        raise SpecError(f"metric={metric}: it is neither a count nor between 0 and 1; choose one that is")
    return share, np.ones(len(cells))


def _terms(cells: pd.DataFrame) -> _Terms:
    depth = cells["depth"].to_numpy(np.float64)
    unlearned = depth > 0
    logs = np.log(np.where(unlearned, depth, 1))
    middle = float(logs[unlearned].mean()) if unlearned.any() else 0.0
    values: dict[str, npt.NDArray[Any]] = {
        "log_depth": np.where(unlearned, logs, middle),
        "log_relearn_steps": np.log1p(cells["relearn_steps"].to_numpy(np.float64)),
        "repetitions": cells["repetitions"].to_numpy(np.float64),
    }
    left: dict[str, str] = {}
    for factor in FACTORS:
        for level in _levels(cells, factor)[1:]:
            values[f"{factor} {level}"] = (cells[factor].astype(str) == level).to_numpy(np.float64)
    frame = pd.DataFrame(values)
    kept: list[str] = []
    for term in frame.columns:
        column = frame[term].to_numpy()
        if np.ptp(column) == 0:
            left[term] = f"one value ({_on_its_axis(term, float(column[0])):.3g}) in these cells"
        elif _told_apart(frame[[*kept, term]]):
            kept.append(term)
        else:
            left[term] = f"cannot be told apart from {', '.join(AXES.get(each, each) for each in kept)}"
    return _Terms(frame[kept], left)


def _on_its_axis(term: str, value: float) -> float:
    """The value of an axis behind that of a term."""
    if term == "log_depth":
        return float(np.exp(value))
    return float(np.expm1(value)) if term == "log_relearn_steps" else value


def _told_apart(frame: pd.DataFrame) -> bool:
    """Whether the last column is no combination of the others and a constant."""
    rows = frame.drop_duplicates().to_numpy(np.float64)
    rows = (rows - rows.mean(axis=0)) / np.where(np.ptp(rows, axis=0) > 0, np.ptp(rows, axis=0), 1)
    return bool(np.linalg.matrix_rank(rows, tol=1e-8 * len(rows)) == rows.shape[1])


def _levels(cells: pd.DataFrame, factor: str) -> list[str]:
    """The values that occur, in their order; what was not unlearned has no method, and its start says so."""
    return [
        str(each)
        for each in cells[factor].cat.categories
        if (cells[factor] == each).any() and not (factor == "method" and each == "none")
    ]


def _in_words(term: str, cells: pd.DataFrame) -> str:
    if term in SHIFTS:
        return SHIFTS[term][1]
    factor, level = term.split(" ", 1)
    return f"{level} instead of {_levels(cells, factor)[0]}"


def _effects(values: pd.DataFrame, fitted: Fit) -> Numbers:
    """The mean change of the rate when a term is moved, or a factor goes from its first level to another."""
    intercept, slopes = fitted.coefficients[0], fitted.coefficients[1:]
    logits = intercept + values.to_numpy(np.float64) @ slopes
    found = []
    for term, slope in zip(values.columns, slopes, strict=True):
        if term in SHIFTS:
            before, after = logits, logits + SHIFTS[term][0] * slope
        else:
            siblings = [
                at for at, other in enumerate(values.columns) if other.split(" ")[0] == term.split(" ")[0]
            ]
            before = logits - values.to_numpy(np.float64)[:, siblings] @ slopes[siblings]
            after = before + slope
        found.append(float((scipy.special.expit(after) - scipy.special.expit(before)).mean()))
    return np.array(found)


def _without(
    values: pd.DataFrame, successes: Numbers, trials: Numbers, kept: npt.NDArray[Any], whole: Fit
) -> Numbers:
    """The effects when one cluster is left out; NaN for a term that then does not vary."""
    rows = values[kept]
    varying = [term for term in rows.columns if np.ptp(rows[term].to_numpy()) > 0] if len(rows) else []
    found = pd.Series(np.nan, index=values.columns)
    if varying:
        again = fit(rows[varying].to_numpy(np.float64), successes[kept], trials[kept], firth=whole.firth)
        found[varying] = _effects(rows[varying], again)
    return np.asarray(found, dtype=np.float64)


def _jackknife(effects: Numbers, again: Numbers) -> tuple[Numbers, Numbers]:
    """Standard error and two-sided p of each effect, from those without each cluster."""
    count = len(again)
    if count < 2:
        nothing = np.full(len(effects), np.nan)
        return nothing, nothing
    error: Numbers = np.sqrt((count - 1) / count * ((again - effects) ** 2).sum(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        p: Numbers = 2 * scipy.stats.t.sf(np.abs(effects) / error, count - 1)
    return error, np.where(error > SETTLED, p, np.nan)
