"""Net recovery: how much of what a model knew comes back, above what the same text teaches a model that never knew.

    N = (A − C) ÷ (O − C)

A is what a relearned model answers, O what its own original answered before any unlearning, and C its control: the
model that never learned, relearned on the same corpus for as many steps, of the same model, repetitions and seed. Where
a matched control was run (unlearned as deep by the same method), or the base model answers more than the control, C is
the largest of them: whoever never learned and answers is a control. N is shown only where the lower end of O lies above
the upper end of C; elsewhere there is nothing that could come back, or it cannot be told from plain learning.
"""

import numpy as np
import pandas as pd
import scipy  # its parts load when they are first used

from analysis.reading.given import one_study
from analysis.reading.study_frames import Study
from analysis.statistics.thresholds import above
from analysis.statistics.wilson import wilson
from study.errors import IntegrityError
from study.results.schema import COORDINATES

RELEARNING = tuple(name for name in COORDINATES if name != "relearn_steps")
"""What names one relearning of one seed."""
WORLD = ("scenario", "model", "repetitions", "seed")
"""What a relearning has in common with its original and its control."""
REFERENCES = ("original", "never_learned", "base")


def rated_cells(study: Study) -> pd.DataFrame:
    """The headline metric of every cell on the forget probes.

    Returns:
        A row per cell: the coordinates (names as strings), ``benign``, ``value`` as a share of the whole, ``queries``,
        how many were asked (NaN where it is no count and single answers are not there), ``alike``, how many of them
        share a title, and ``low`` and ``high``, the 95% interval of this one cell over its probes: Wilson's for counts,
        those that share a title as one; Student's t for the means of reference cells; where single answers are not
        there, the value itself.

    Raises:
        IntegrityError: a cell has two rows.
    """
    cells = study.headline_cells
    keys = list(COORDINATES)
    twice = cells[cells.duplicated(keys)]
    if len(twice):
        place = ", ".join(f"{name} {twice.iloc[0][name]}" for name in keys)
        raise IntegrityError(
            f"{study.location.given}: a cell has two rows ({place}); a study has each cell once, so remove the file of "
            "rows that does not belong to it"
        )
    value = study.shares(cells["value"].to_numpy(float))
    alike = study.probes_per_title()
    low, high = wilson(cells["k"].to_numpy(float) / alike, cells["n"].to_numpy(float) / alike)
    names = {
        name: cells[name].astype(str) for name in keys if isinstance(cells[name].dtype, pd.CategoricalDtype)
    }
    found = cells[[*keys, "benign"]].assign(
        **names,
        value=value,
        queries=cells["n"].to_numpy(float),
        alike=alike,
        low=np.where(np.isnan(low), value, low),
        high=np.where(np.isnan(high), value, high),
    )
    return _with_intervals_of_means(study, found) if cells["n"].isna().any() else found


def _with_intervals_of_means(study: Study, cells: pd.DataFrame) -> pd.DataFrame:
    metric, keys = study.headline.metric, list(COORDINATES)
    scores = study.scores(metric, start=list(REFERENCES))
    spread = scores.groupby(keys, observed=True)[metric].agg(["std", "count"]).reset_index()
    spread = spread[spread["count"] > 1].astype({name: cells[name].dtype for name in keys})
    half = scipy.stats.t.isf(0.025, spread["count"] - 1) * spread["std"] / np.sqrt(spread["count"])
    joined = cells.merge(spread[keys].assign(half=half / study.headline.span), on=keys, how="left")
    half = joined["half"].fillna(0)
    asked = float(spread["count"].max()) if len(spread) else np.nan
    joined["queries"] = joined["queries"].fillna(asked)
    low, high = (joined["value"] - half).clip(lower=0), (joined["value"] + half).clip(upper=1)
    return joined.assign(low=low, high=high).drop(columns="half")


def net_recovery(study: Study) -> pd.DataFrame:
    """Every step of every relearning of an unlearned model, beside its original and its control.

    Returns:
        A row per (relearning, seed, relearn step above 0): the coordinates, ``benign``, ``value``, ``queries``;
        ``original`` with ``original_low`` and ``original_high``; ``control`` with ``control_high`` and ``control_is``
        (``never learned``, ``matched``, ``base``); NaN and empty where there is none; ``matched``, whether a matched
        control was run; ``net``, NaN where it cannot be shown, and ``why_no_net``.

    Raises:
        IntegrityError: a cell has two rows.
    """
    cells = rated_cells(one_study(study, "net_recovery"))
    rows = cells[(cells["start"] == "unlearned") & (cells["corpus"] != "none") & (cells["relearn_steps"] > 0)]
    rows = rows.drop(columns=["low", "high"])
    rows = rows.merge(_originals(cells), on=list(WORLD), how="left")
    rows = _with_control(rows, cells)
    gap = rows["original"] - rows["control"]
    shown = above(rows["original_low"], rows["control_high"])
    why = np.select(
        [rows["original"].isna(), rows["control"].isna(), ~shown],
        [
            "no original model was asked",
            "no control was relearned alike",
            "the original is not above the control",
        ],
        "",
    )
    net = np.where(shown, (rows["value"] - rows["control"]) / gap.where(shown, 1), np.nan)
    return rows.assign(net=net, why_no_net=why)


def _originals(cells: pd.DataFrame) -> pd.DataFrame:
    """What each original answered: from its own cell, or from step 0 of its relearnings."""
    found = cells[(cells["start"] == "original") & (cells["relearn_steps"] == 0)]
    found = found.sort_values("corpus", key=lambda names: names != "none", kind="stable")
    found = found.drop_duplicates(list(WORLD))
    names = {"value": "original", "low": "original_low", "high": "original_high"}
    return found[[*WORLD, *names]].rename(columns=names)


def _with_control(rows: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """The largest of what the never learned, the matched and the base model answer."""
    alike = [*WORLD, "corpus", "relearn_steps"]
    never = cells[(cells["start"] == "never_learned") & (cells["corpus"] != "none")]
    base = cells[cells["start"] == "base"].drop_duplicates(["scenario", "model", "seed"])
    kinds = {
        "never learned": (never[never["depth"] == 0], alike),
        "matched": (never[never["depth"] > 0], [*alike, "method", "depth"]),
        "base": (base, ["scenario", "model", "seed"]),
    }
    values, highs = [], []
    for found, keys in kinds.values():
        joined = rows[keys].merge(found[[*keys, "value", "high"]], on=keys, how="left")
        values.append(joined["value"].to_numpy(float))
        highs.append(joined["high"].to_numpy(float))
    every = np.array(values)
    relearned = ~np.isnan(every[:2]).all(axis=0)  # the base model is never relearned: alone it is no control
    best = np.where(np.isnan(every), -np.inf, every).argmax(axis=0)
    at = np.arange(len(rows))
    return rows.assign(
        control=np.where(relearned, every[best, at], np.nan),
        control_high=np.where(relearned, np.array(highs)[best, at], np.nan),
        control_is=np.where(relearned, np.array(list(kinds))[best], ""),
        matched=~np.isnan(every[1]),
    )
