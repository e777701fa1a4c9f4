"""Does something known before any relearning predict how much comes back? Tested on studies that the rule never saw.

Two candidates: how far the weights moved in unlearning, and how unlikely the target still is. For each study in turn
a logistic curve is fitted to the trajectories of all the others and asked to predict this one's.
"""

from itertools import combinations

import numpy as np
import pandas as pd
import scipy  # its parts load when they are first used

from analysis.reading.studies import Studies
from analysis.reading.study_frames import Study
from analysis.statistics.logistic import fit
from analysis.statistics.wilson import Numbers
from study.errors import SpecError

STARTING_MODEL = ["scenario", "model", "method", "start", "repetitions", "depth", "seed"]
PREDICTORS = ("weight_distance", "target_nll")
RECOVERED = 0.5
FEWEST = 5


def predictors(study: Study | Studies) -> pd.DataFrame:
    """How well each study's recovery is predicted from all the others.

    The outcome is the headline metric at a study's last step, as a share of its whole, of each relearning of an
    unlearned model on a benign corpus; ``weight_distance`` and ``target_nll`` are of the checkpoint it starts from.

    Returns:
        A row per predictor (each alone, and both) and ``held_out`` study: ``r2``, the share of the outcome's variance
        that is predicted, against the mean of the other studies (below 0: worse than that mean); ``rank``, Spearman's
        correlation of prediction and outcome within the study; ``auc``, of telling the trajectories that reach half
        from those that do not (NaN where all do or none); ``trajectories`` of it and ``trained_on``. And a row
        ``all``: the means over the studies, with ``rank_low`` and ``rank_high``, Student's t over three
        studies or more.

    Raises:
        SpecError: fewer than two studies, or fewer than two in which enough is known.
    """
    if len(study.parts) < 2:
        raise SpecError(
            "one study: whether a rule holds elsewhere can only be asked of another; give two folders or more"
        )
    known = {part.name: _trajectories(part) for part in study.parts}
    enough = {name: rows for name, rows in known.items() if len(rows) >= FEWEST}
    if len(enough) < 2:
        words = ", ".join(f"{name} {len(rows)}" for name, rows in known.items())
        raise SpecError(
            f"a prediction needs two studies of at least {FEWEST} relearned trajectories whose start has a "
            f"weight_distance and a target_nll; found {words}"
        )
    made: list[dict[str, object]] = []
    for size in (1, 2):
        for names in combinations(PREDICTORS, size):
            rows = [_held_out(enough, name, list(names)) for name in enough]
            made += [{"predictor": " + ".join(names), **row} for row in (*rows, _over_all(rows))]
    return pd.DataFrame(made)


def _trajectories(study: Study) -> pd.DataFrame:
    """A row per trajectory: its outcome, and what was known before."""
    cells = study.cells[(study.cells["split"] == "forget") & (study.cells["start"] == "unlearned")]
    headline = study.headline
    rows = cells[(cells["metric"] == headline.metric) & (cells["corpus"] != "none") & cells["benign"]]
    if rows.empty:
        return pd.DataFrame(columns=["outcome", *PREDICTORS])
    last = rows[(rows["relearn_steps"] == rows["relearn_steps"].max()) & (rows["relearn_steps"] > 0)]
    zero = cells[(cells["relearn_steps"] == 0) & (cells["metric"] == "target_nll")].drop_duplicates(
        STARTING_MODEL
    )
    before = zero[[*STARTING_MODEL, "value", "weight_distance"]].rename(columns={"value": "target_nll"})
    joined = last[[*STARTING_MODEL, "corpus", "value"]].merge(before, on=STARTING_MODEL)
    known: pd.DataFrame = joined.assign(outcome=joined["value"] / headline.full)
    return known.dropna(subset=["outcome", *PREDICTORS])


def _held_out(known: dict[str, pd.DataFrame], name: str, names: list[str]) -> dict[str, object]:
    """How well a rule fitted to the other studies predicts one; ``names`` are the predictors."""
    training = pd.concat([rows for other, rows in known.items() if other != name])
    test = known[name]
    outcome = test["outcome"].to_numpy(np.float64)
    learned = training["outcome"].to_numpy(np.float64)
    varying = [each for each in names if np.ptp(training[each].to_numpy(np.float64)) > 0]
    row: dict[str, object] = {"held_out": name, "trajectories": len(test), "trained_on": len(training)}
    if not varying or np.ptp(learned) == 0:
        return {**row, "r2": np.nan, "rank": np.nan, "auc": np.nan}
    rule = fit(training[varying].to_numpy(np.float64), learned, np.ones(len(learned)))
    logits = rule.coefficients[0] + test[varying].to_numpy(np.float64) @ rule.coefficients[1:]
    predicted = scipy.special.expit(logits)
    residual, total = ((outcome - predicted) ** 2).sum(), ((outcome - learned.mean()) ** 2).sum()
    ranked = np.ptp(predicted) > 0 and np.ptp(outcome) > 0
    return {
        **row,
        "r2": float(1 - residual / total) if total > 0 else np.nan,
        "rank": float(scipy.stats.spearmanr(predicted, outcome).statistic) if ranked else np.nan,
        "auc": _auc(predicted, outcome >= RECOVERED),
    }


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
