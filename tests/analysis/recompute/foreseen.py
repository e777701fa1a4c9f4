"""Whether recovery is foreseen in a study not seen, once more: a capped curve of two predictors, by least squares."""

import re
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from tests.analysis.recompute.law import capped, fitted
from tests.analysis.recompute.same import Same
from tests.analysis.recompute.source import Source
from tests.analysis.truth.exact import exact

PREDICTORS = ("weight distance", "forgotten fraction")
FEWEST = 5


def check_foreseen(sources: dict[str, Source], rows: Sequence[Mapping[str, str]]) -> None:
    """``20% of 165, rank 0.58`` of each study left out, by what the score is predicted from."""
    every = {name: known(source) for name, source in sources.items()}
    counting = {name: rows[rows["counts"]] for name, rows in every.items()}
    left = {(row["relearnings"], row["predicted from"]): row for row in rows}
    for among, chosen in (("all", every), ("known and forgotten", counting)):
        chosen = {name: each for name, each in chosen.items() if len(each) >= FEWEST}
        for size in (0, 1, 2):
            for names in combinations(PREDICTORS, size):
                row = left.pop((among, " + ".join(names) or "original alone"))
                for name in sources:
                    if name not in chosen:
                        assert row[name] == "–", row
                        continue
                    explained, rank, _ = _left_out(chosen, name, list(names))
                    _check(row[name], explained, rank, len(chosen[name]))
    assert not left, left


def check_page(sources: dict[str, Source], rows: Sequence[Mapping[str, str]]) -> None:
    """The table of a page over several studies: each left out, and the means over them."""
    every = {name: known(source) for name, source in sources.items()}
    counting = {name: rows[rows["counts"]] for name, rows in every.items()}
    left = {(row["among"], row["from"], row["study left out"]): row for row in rows}
    assert len(left) == len(rows)
    for among, chosen in (("all", every), ("known and forgotten", counting)):
        chosen = {name: each for name, each in chosen.items() if len(each) >= FEWEST}
        for size in (0, 1, 2) if len(chosen) > 1 else ():
            for names in combinations(PREDICTORS, size):
                place = (among, " + ".join(names) or "original alone")
                told = {name: _left_out(chosen, name, list(names)) for name in chosen}
                for name, found in told.items():
                    _row(left.pop((*place, name)), found, len(chosen[name]))
                means = tuple(pd.DataFrame(told.values()).mean())
                ranks = np.array([rank for _, rank, _ in told.values() if not np.isnan(rank)])
                _row(left.pop((*place, "all")), means, sum(map(len, chosen.values())), ranks)
    assert not left, left


def _row(
    row: Mapping[str, str], found: tuple[float, ...], count: int, ranks: np.ndarray | None = None
) -> None:
    explained, rank, auc = found
    Same.number(row["variance predicted"], explained, row)
    low, high = np.nan, np.nan
    if ranks is not None and len(ranks) > 2:
        low, high = np.clip(stats.ttest_1samp(ranks, 0).confidence_interval(), -1, 1)
    Same.interval(row["rank correlation"], rank, low, high, row)
    Same.number(row["AUC"], auc, row)
    Same.text(row["trajectories"], count, row)


def _check(shown: str, explained: float, rank: float, count: int) -> None:
    found = re.fullmatch(r"(-?\d+%) of (\d+)(?:, rank (-?[\d.]+))?", shown)
    assert found, shown
    Same.number(found[1], 100 * explained, shown)
    Same.text(found[2], count, shown)
    Same.number(found[3] or "–", rank, shown)


def _left_out(chosen: dict[str, pd.DataFrame], name: str, names: list[str]) -> tuple[float, float, float]:
    """The share of the variance that is predicted, the rank correlation, and the AUC of reaching a half."""
    train, test = pd.concat([rows for other, rows in chosen.items() if other != name]), chosen[name]

    def terms(rows: pd.DataFrame) -> np.ndarray:
        return np.column_stack([np.ones(len(rows)), *(rows[each] for each in names)])

    cap = [np.clip(rows["original"].to_numpy(float), 0, 1) for rows in (train, test)]
    learned, outcome = train["outcome"].to_numpy(float), test["outcome"].to_numpy(float)
    says = capped(terms(test), cap[1], fitted(terms(train), cap[0], learned, np.ones(len(train))))
    left, whole = ((outcome - says) ** 2).sum(), ((outcome - learned.mean()) ** 2).sum()
    alike = np.ptp(says) == 0 or np.ptp(outcome) == 0
    rank = np.nan if alike else stats.pearsonr(stats.rankdata(says), stats.rankdata(outcome)).statistic
    came_back = np.array([exact(each) >= exact(0.5) for each in outcome])
    yes, no = says[came_back], says[~came_back]
    above = (yes[:, None] > no).mean() + (yes[:, None] == no).mean() / 2 if len(yes) and len(no) else np.nan
    return 1 - left / whole, rank, float(above)


def known(source: Source) -> pd.DataFrame:
    """A row per benign relearning of which all is known: outcome, original, the predictors, and whether it counts."""
    cells = source.cells.astype(dict.fromkeys(("model", "method", "start", "corpus"), str))
    nats = cells[
        (cells["metric"] == "target_nll") & (cells["split"] == "forget") & (cells["relearn_steps"] == 0)
    ]
    made = []
    for each in source.truth.relearnings:
        here = nats[(nats["model"] == each.model) & (nats["repetitions"] == each.repetitions)]
        here = here[here["seed"] == each.seed]
        own = here[
            (here["start"] == "unlearned") & (here["method"] == each.method) & (here["depth"] == each.depth)
        ]
        original = here.loc[here["start"] == "original", "value"]
        never = here.loc[(here["start"] == "never_learned") & (here["depth"] == 0), "value"]
        if own.empty or original.empty or never.empty or each.original is None or each.before is None:
            continue
        gap = never.iloc[0] - original.iloc[0]
        if gap > 0:
            made.append(
                {
                    "outcome": each.steps[each.last],
                    "original": each.original,
                    "weight distance": own["weight_distance"].iloc[0],
                    "forgotten fraction": (own["value"].iloc[0] - original.iloc[0]) / gap,
                    "counts": each.counts,
                }
            )
    return pd.DataFrame(made).dropna()
