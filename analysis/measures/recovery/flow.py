"""The flow: of all relearnings, which are of a model that knew, had forgotten, had kept its utility, and recovered.

One rule, for every number and sentence of a report, asked of each relearning of each seed:

- **known**: the lower end of its original lies at or above 50%. Who never knew has nothing to forget.
- **forgotten**: the unlearned model scores at most the scenario's limit, of the whole or of *its own* original.
- **intact**: on the retain probes the unlearned model scores at least 80% of its original. Where a model forgot and
  is not intact, it was unlearned by destruction.
- **recovered**: net recovery (``analysis.measures.recovery.net_recovery``) is at least 50% at the last step; also told
  for the best step, which is the largest of several noisy numbers.

A relearning *counts* when it is known and forgotten. What cannot be said, as without an original, is missing (``<NA>``)
and is no "no". Nothing is averaged here: neither models nor methods nor repetitions nor seeds.
"""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from analysis.measures.recovery.net_recovery import RELEARNING, WORLD, net_recovery, rated_cells
from analysis.reading.given import one_study
from analysis.reading.study_frames import WORDS, Study
from analysis.statistics.thresholds import at_least, at_most
from study.results.headline import Headline

KNOWN = 0.5
INTACT = 0.8
RECOVERED = 0.5
STAGES = ("known", "forgotten", "intact", "recovered")
STARTING_MODEL = [name for name in RELEARNING if name != "corpus"]


def flow(study: Study, steps: pd.DataFrame | None = None) -> pd.DataFrame:
    """Every relearning of an unlearned model at its own last step.

    Args:
        steps: of ``net_recovery``, where they are at hand.

    Returns:
        A row per (relearning, seed): the coordinates with ``relearn_steps``, the last that was run of it; ``benign``;
        the columns of ``net_recovery`` at that step; ``best_step``, ``best`` and ``best_net``, where net recovery (or
        the value, where there is none) is largest; ``before``; ``retain_original``, ``retain_before``, ``retain``;
        ``known``, ``forgotten``, ``intact``, ``recovered``, ``recovered_at_best`` (each may be missing); ``counts``.

    Raises:
        IntegrityError: a cell has two rows.
    """
    study = one_study(study, "flow")
    steps = net_recovery(study) if steps is None else steps
    keys = list(RELEARNING)
    last = steps.sort_values("relearn_steps", kind="stable").drop_duplicates(keys, keep="last")
    ranked = steps.assign(rank=steps["net"].fillna(steps["value"]).round(12))
    best = ranked.sort_values(["rank", "relearn_steps"], ascending=[True, False], kind="stable")
    best = best.drop_duplicates(keys, keep="last")
    names = {"relearn_steps": "best_step", "value": "best", "net": "best_net"}
    rows = last.merge(best[[*keys, *names]].rename(columns=names), on=keys, how="left")
    cells = rated_cells(study)
    zeros = cells[(cells["start"] == "unlearned") & (cells["relearn_steps"] == 0)]
    zeros = zeros.drop_duplicates(STARTING_MODEL)
    rows = rows.merge(
        zeros[[*STARTING_MODEL, "value"]].rename(columns={"value": "before"}), on=STARTING_MODEL, how="left"
    )
    rows = _with_utility(study, rows)
    return in_declared_order(study, _judged(study.headline, rows))


def in_declared_order(study: Study, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows sorted by their coordinates, names in the order in which the study declares them."""
    order = {
        name: rows[name].map({value: at for at, value in enumerate(study.cells[name].cat.categories)})
        for name in RELEARNING
        if name in WORDS
    }
    ranked = rows.assign(**order).sort_values(list(RELEARNING), kind="stable")
    return rows.loc[ranked.index].reset_index(drop=True)


def _with_utility(study: Study, rows: pd.DataFrame) -> pd.DataFrame:
    """The score on the retain probes: of the original, before relearning and at the last step."""
    cells = study.cells
    metric = utility_metric(study)
    cells = cells[(cells["metric"] == metric) & (cells["split"] == "retain")]
    words = [name for name in rows if name in cells and isinstance(cells[name].dtype, pd.CategoricalDtype)]
    cells = cells.astype(dict.fromkeys(words, str))
    if metric == study.headline.metric:
        cells = cells.assign(value=study.shares(cells["value"].to_numpy(float)))
    zero = cells["relearn_steps"] == 0
    parts = {
        "retain_original": (cells[(cells["start"] == "original") & zero], list(WORLD)),
        "retain_before": (cells[(cells["start"] == "unlearned") & zero], STARTING_MODEL),
        "retain": (cells[cells["start"] == "unlearned"], [*RELEARNING, "relearn_steps"]),
    }
    for name, (found, keys) in parts.items():
        one = found.drop_duplicates(keys)[[*keys, "value"]].rename(columns={"value": name})
        rows = rows.merge(one, on=keys, how="left")
    return rows


def utility_metric(study: Study) -> str:
    """The headline metric where retain probes are scored by it, else the utility of the split, else ROUGE-L."""
    scored = study.cells.loc[(study.cells["split"] == "retain") & study.cells["value"].notna(), "metric"]
    there = set(scored.astype(str).unique())
    wanted = (study.headline.metric, "utility", "rouge_l")
    return next((name for name in wanted if name in there), study.headline.metric)


def limit(headline: Headline, original: "pd.Series[float]") -> "pd.Series[float]":
    """The score up to which a model has forgotten, as a share of the whole, beside its own original."""
    return original * headline.forgotten if headline.of != "whole" else original * 0 + headline.forgotten


def _judged(headline: Headline, rows: pd.DataFrame) -> pd.DataFrame:
    known = _unless(rows["original"].isna(), at_least(rows["original_low"], KNOWN))
    forgotten = _unless(
        rows["original"].isna() | rows["before"].isna(),
        at_most(rows["before"], limit(headline, rows["original"])),
    )
    unasked = rows["retain_before"].isna() | ~(rows["retain_original"] > 0)
    return rows.assign(
        known=known,
        forgotten=forgotten,
        intact=_unless(unasked, at_least(rows["retain_before"], INTACT * rows["retain_original"])),
        recovered=_unless(rows["net"].isna(), at_least(rows["net"], RECOVERED)),
        recovered_at_best=_unless(rows["best_net"].isna(), at_least(rows["best_net"], RECOVERED)),
        counts=(known & forgotten).fillna(False).astype(bool),
    )


def _unless(missing: "pd.Series[bool]", found: "pd.Series[bool]") -> "pd.Series[bool]":
    return found.astype("boolean").mask(missing)


def flow_line(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """The flow counted: how many relearnings are left after each rule, one row for each value of some coordinates.

    Args:
        rows: of ``flow``.
        by: the coordinates, such as model, method, repetitions and seed; what is not named is counted together.

    Returns:
        ``relearnings``, ``known``, ``forgotten`` (of those), ``intact`` (of those), ``recovered`` (of those), each with
        ``…_open``, of how many that were left it cannot be said. Of those that count, intact or not:
        ``any_recovered``, ``any_recovered_at_best``, ``unsaid`` (no net recovery can be shown), ``no_utility`` (what
        they kept on the retain probes is not known); ``original``, the mean; ``retain``, the median of retain before
        relearning as a share of the original's, of those that count.
    """
    left = pd.Series(True, index=rows.index)
    made = rows[by].assign(relearnings=1)
    for name in STAGES:
        made[f"{name}_open"] = (left & rows[name].isna()).astype(int)
        left = left & rows[name].fillna(False).astype(bool)
        made[name] = left.astype(int)
    counts = rows["counts"]
    for name in ("recovered", "recovered_at_best"):
        made[f"any_{name}"] = (counts & rows[name].fillna(False).astype(bool)).astype(int)
    made["unsaid"] = (counts & rows["recovered"].isna()).astype(int)
    made["no_utility"] = (counts & rows["intact"].isna()).astype(int)
    sums = made.groupby(by, sort=False, observed=True).sum()
    sums["original"] = rows.groupby(by, observed=True)["original"].mean()
    share = (rows["retain_before"] / rows["retain_original"]).where(counts)
    sums["retain"] = share.groupby([rows[name] for name in by], observed=True).median()
    return sums.reset_index()


def told(row: Mapping[Hashable, Any], stage: str) -> str:
    """How many a rule leaves, of a row of ``flow_line``: a dash where it is known of none, for that is no 0."""
    names = ("relearnings", *STAGES)
    asked, unknown = row[names[names.index(stage) - 1]], row[f"{stage}_open"]
    if not unknown:
        return f"{row[stage]:,}"
    return "–" if unknown == asked else f"{row[stage]:,} ({unknown:,} not known)"
