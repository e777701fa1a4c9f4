"""Which corpus, method or start recovers more: paired differences, with the number of comparisons accounted for."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from analysis.reading.study_frames import coordinates
from analysis.statistics.crossed_design import Answers, answers
from analysis.statistics.intervals import difference, estimate
from study.errors import SpecError

ADJUSTMENT = "holm"
COLUMNS = (
    "one",
    "other",
    "difference",
    "low",
    "high",
    "only_one",
    "only_other",
    "p",
    "p_adjusted",
    "seeds",
    "probes",
)


def compare(
    probes: pd.DataFrame,
    axis: str,
    metric: str,
    pairs: Sequence[tuple[object, object]] | None = None,
    split: str = "forget",
    **fixed: object,
) -> pd.DataFrame:
    """Differences between the values of an axis, within each setting of the other coordinates.

    Args:
        probes: ``Study.scores(metric)``, or ``Study.probes``.
        axis: what is compared: ``corpus``, ``method``, ``start``, ….
        metric: a column of scores.
        pairs: which values; None: each with each.
        fixed: keeps the cells with these values of coordinates.

    Returns:
        A row per setting and pair: rate of ``one`` minus rate of ``other``, a 95% interval over seeds and
        probes (paired: both are asked the same), and, where scores are true or false, how many (seed,
        probe) only one of them answered, and McNemar's exact test on those. The test takes seeds for
        independent of each other. ``p_adjusted`` is Holm's over all rows of this table.

    Raises:
        SpecError: no such column or coordinate, or fewer than two values to compare.
    """
    from statsmodels.stats.multitest import multipletests

    known = coordinates(probes)
    rows = probes[(probes["split"] == split)]
    for name, value in fixed.items():
        if name not in known:
            raise SpecError(f"{name} is no coordinate: choose from {', '.join(known)}")
        rows = rows[rows[name].isin(list(value) if isinstance(value, list | tuple) else [value])]
    if axis not in known:
        raise SpecError(f"{axis} is no coordinate: choose from {', '.join(known)}")
    others = [name for name in known if name not in (axis, "seed") and rows[name].nunique() > 1]
    # A start decides its own method and depth: comparing starts, these belong to the setting of one side only.
    if axis == "start":
        others = [name for name in others if name not in ("method", "depth")]
    found = []
    groups = rows.groupby(others, observed=True) if others else [((), rows)]
    for place, group in groups:
        values = [value for value in group[axis].unique() if pd.notna(value)]
        wanted = pairs if pairs is not None else list(combinations(sorted(values, key=str), 2))
        for one, other in wanted:
            if one in values and other in values:
                setting = dict(zip(others, place if isinstance(place, tuple) else (place,), strict=True))
                found += [{**setting, **row} for row in _pair(group, axis, metric, split, one, other)]
    if not found:
        raise SpecError(f"{axis}: nothing to compare; expected at least two of its values in one setting")
    table = pd.DataFrame(found)
    tested = table["p"].notna()
    table["p_adjusted"] = np.nan
    if tested.any():
        table.loc[tested, "p_adjusted"] = multipletests(table.loc[tested, "p"], method=ADJUSTMENT)[1]
    return table[[*others, *COLUMNS]]


def _pair(
    group: pd.DataFrame, axis: str, metric: str, split: str, one: object, other: object
) -> list[dict[str, object]]:
    rows = group[group[axis].isin([one, other])].copy()
    if axis == "start":
        rows["method"], rows["depth"] = "any", 0
    try:
        found = answers(rows, metric, axis, split)
    except SpecError:
        return []  # one of the two is not computed or not scored here: missing, not zero
    if len(found.settings) < 2:
        return []
    value = estimate(found, difference(found.settings, one, other))
    first, second = (found.scores[found.settings.index(each)] for each in (one, other))
    counts = _discordant(found, metric, first, second, group)
    return [
        {
            "one": one,
            "other": other,
            "difference": value.value,
            "low": value.low,
            "high": value.high,
            **counts,
            "seeds": len(found.seeds),
            "probes": len(found.probes),
        }
    ]


def _discordant(
    found: Answers, metric: str, first: np.ndarray, second: np.ndarray, group: pd.DataFrame
) -> dict[str, object]:
    from statsmodels.stats.contingency_tables import mcnemar

    if not set(np.unique(found.scores)) <= {0.0, 1.0}:
        return {"only_one": None, "only_other": None, "p": np.nan}
    one, other = int((first > second).sum()), int((second > first).sum())
    both = int(((first == 1) & (second == 1)).sum())
    neither = first.size - both - one - other
    p = float(mcnemar([[both, one], [other, neither]], exact=True).pvalue) if one + other else 1.0
    return {"only_one": one, "only_other": other, "p": p}
