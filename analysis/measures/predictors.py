"""Does something known before any relearning predict how much comes back? Tested on studies that the rule never saw.

Two candidates: how far the weights moved in unlearning, and the forgotten fraction

    F = (NLL unlearned − NLL original) ÷ (NLL never learned − NLL original),

which is 0 where nothing was forgotten and 1 where the target is as unlikely as to a model that never learned it. The
bare likelihood cannot be compared between targets of one token and of twenty, and predicted nothing across studies.
Nobody can recover more than was known, so every rule is capped by the original's score: share of the whole = original ×
logistic(predictors). For each study in turn it is fitted to the trajectories of all the others and asked of this one's;
once of all, and once of those alone that were known and have forgotten, which is what an auditor wants to know.
"""

from itertools import combinations

import numpy as np
import pandas as pd
import scipy  # its parts load when they are first used

from analysis.measures.recovery.flow import flow
from analysis.measures.recovery.net_recovery import RELEARNING
from analysis.reading.given import a_study
from analysis.reading.studies import Studies
from analysis.reading.study_frames import WORDS, Study
from analysis.statistics.capped_logistic import fit, predict
from analysis.statistics.thresholds import at_least
from analysis.statistics.wilson import Numbers
from study.errors import SpecError

STARTING_MODEL = ["scenario", "model", "method", "start", "repetitions", "depth", "seed"]
FINETUNING = ["scenario", "model", "repetitions", "seed"]
PREDICTORS = ("weight_distance", "forgotten_fraction")
RECOVERED = 0.5
FEWEST = 5


def predictors(study: Study | Studies) -> pd.DataFrame:
    """How well each study's recovery is predicted from all the others.

    The outcome is the headline metric at each relearning's last step, as a share of its whole, of each relearning of an
    unlearned model on a benign corpus; ``weight_distance`` and ``forgotten_fraction`` are of the checkpoint it starts
    from.

    Returns:
        A row per predictor (none but the cap, each alone, and both), ``among`` (``all``, or ``known and forgotten``)
        and ``held_out`` study: ``r2``, the share of the outcome's variance
        that is predicted, against the mean of the other studies (below 0: worse than that mean); ``rank``, Spearman's
        correlation of prediction and outcome within the study; ``auc``, of telling the trajectories that reach half
        from those that do not (NaN where all do or none); ``trajectories`` of it and ``trained_on``. And a row
        ``all``: the means over the studies, with ``rank_low`` and ``rank_high``, Student's t over three
        studies or more.

    Raises:
        SpecError: fewer than two studies, or fewer than two in which enough is known.
    """
    if len(a_study(study, "predictors").parts) < 2:
        raise SpecError(
            "one study: whether a rule holds elsewhere can only be asked of another; give two folders or more"
        )
    known = {part.name: _trajectories(part) for part in study.parts}
    enough = {name: rows for name, rows in known.items() if len(rows) >= FEWEST}
    if len(enough) < 2:
        words = ", ".join(f"{name} {len(rows)}" for name, rows in known.items())
        raise SpecError(
            f"a prediction needs two studies of at least {FEWEST} relearned trajectories whose start has a "
            f"weight_distance and a likelihood beside those of the original and the never-learned model; found {words}"
        )
    made: list[dict[str, object]] = []
    for among, chosen in (("all", enough), ("known and forgotten", _forgotten(enough))):
        if len(chosen) < 2:
            continue
        for size in (0, 1, 2):
            for names in combinations(PREDICTORS, size):
                rows = [_held_out(chosen, name, list(names)) for name in chosen]
                label = " + ".join(names) or "original alone"
                made += [{"predictor": label, "among": among, **row} for row in (*rows, _over_all(rows))]
    return pd.DataFrame(made)


def _forgotten(known: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The trajectories that count (``analysis.measures.recovery.flow``), of the studies that have enough of them."""
    kept = {name: rows[rows["counts"]] for name, rows in known.items()}
    return {name: rows for name, rows in kept.items() if len(rows) >= FEWEST}


def _trajectories(study: Study) -> pd.DataFrame:
    """A row per trajectory: its outcome, and what was known before."""
    cells = study.cells[study.cells["split"] == "forget"]
    headline = study.headline
    rows = cells[(cells["metric"] == headline.metric) & (cells["corpus"] != "none") & cells["benign"]]
    rows = rows[rows["start"] == "unlearned"]
    nothing = pd.DataFrame(columns=["outcome", "original", "before", *PREDICTORS])
    if rows.empty:
        return nothing.assign(counts=False)
    own_last = rows.groupby([*STARTING_MODEL, "corpus"], observed=True)["relearn_steps"].transform("max")
    last = rows[(rows["relearn_steps"] == own_last) & (rows["relearn_steps"] > 0)]
    zero = cells[cells["relearn_steps"] == 0]
    score, likelihood = (zero[zero["metric"] == metric] for metric in (headline.metric, "target_nll"))
    joined = last[[*STARTING_MODEL, "corpus", "value"]]
    for name, of, start, keys in (
        ("before", score, "unlearned", STARTING_MODEL),
        ("nll", likelihood, "unlearned", STARTING_MODEL),
        ("original", score, "original", FINETUNING),
        ("nll_original", likelihood, "original", FINETUNING),
        ("nll_never", likelihood[likelihood["depth"] == 0], "never_learned", FINETUNING),
    ):
        columns = [*keys, "value", *(["weight_distance"] if name == "nll" else [])]
        found = of[of["start"] == start].drop_duplicates(keys)[columns].rename(columns={"value": name})
        joined = joined.merge(found, on=keys, how="left")
    gap = (joined["nll_never"] - joined["nll_original"]).where(lambda each: each > 0)
    known: pd.DataFrame = joined.assign(
        outcome=(joined["value"] - headline.least) / headline.span,
        original=(joined["original"] - headline.least) / headline.span,
        before=(joined["before"] - headline.least) / headline.span,
        forgotten_fraction=(joined["nll"] - joined["nll_original"]) / gap,
    )
    told = known.dropna(subset=list(nothing.columns))
    counted = flow(study)[[*RELEARNING, "counts"]]
    words = dict.fromkeys(WORDS, str)
    return told.astype(words).merge(counted.astype(words), on=list(RELEARNING), how="left")


def _held_out(known: dict[str, pd.DataFrame], name: str, names: list[str]) -> dict[str, object]:
    """How well a rule fitted to the other studies predicts one; ``names`` are the predictors."""
    training = pd.concat([rows for other, rows in known.items() if other != name])
    test = known[name]
    outcome = test["outcome"].to_numpy(np.float64)
    learned = training["outcome"].to_numpy(np.float64)
    row: dict[str, object] = {"held_out": name, "trajectories": len(test), "trained_on": len(training)}
    rule = fit(_terms(training, names), _cap(training), learned, np.ones(len(learned)))
    predicted = predict(_terms(test, names), _cap(test), rule)
    residual, total = ((outcome - predicted) ** 2).sum(), ((outcome - learned.mean()) ** 2).sum()
    ranked = np.ptp(predicted) > 0 and np.ptp(outcome) > 0
    return {
        **row,
        "r2": float(1 - residual / total) if total > 0 else np.nan,
        "rank": float(scipy.stats.spearmanr(predicted, outcome).statistic) if ranked else np.nan,
        "auc": _auc(predicted, at_least(outcome, RECOVERED)),
    }


def _terms(rows: pd.DataFrame, names: list[str]) -> Numbers:
    return np.column_stack([np.ones(len(rows)), *(rows[name].to_numpy(np.float64) for name in names)])


def _cap(rows: pd.DataFrame) -> Numbers:
    cap: Numbers = np.clip(rows["original"].to_numpy(np.float64), 0, 1)
    return cap


def _auc(predicted: Numbers, recovered: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> float:
    """The chance that a recovered one is ranked above one that is not; ties count half."""
    yes, no = predicted[recovered], predicted[~recovered]
    if not len(yes) or not len(no):
        return float("nan")
    return float(scipy.stats.mannwhitneyu(yes, no).statistic / (len(yes) * len(no)))


def _over_all(rows: list[dict[str, object]]) -> dict[str, object]:
    table = pd.DataFrame(rows)
    ranks = table["rank"].dropna().to_numpy(np.float64)
    low, high = np.nan, np.nan
    if len(ranks) > 2:  # of two studies it would be nearly everything
        half = scipy.stats.t.isf(0.025, len(ranks) - 1) * ranks.std(ddof=1) / np.sqrt(len(ranks))
        low, high = max(-1.0, ranks.mean() - half), min(1.0, ranks.mean() + half)
    return {
        "held_out": "all",
        "trajectories": int(table["trajectories"].sum()),
        "trained_on": np.nan,
        **{name: float(table[name].mean()) for name in ("r2", "rank", "auc")},
        "rank_low": low,
        "rank_high": high,
    }
