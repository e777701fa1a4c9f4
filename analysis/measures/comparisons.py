"""Which corpus, method or start recovers more: paired differences, read together as one table."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from analysis.reading.given import study_or_probes
from analysis.reading.selection import matching, refuse_empty, refuse_unknown, refuse_unknown_values
from analysis.reading.studies import Studies
from analysis.reading.study_frames import SCORES, Study, coordinates
from analysis.statistics.crossed_design import Answers, answers
from analysis.statistics.moderated import contrast, together
from study.errors import SpecError, did_you_mean

COLUMNS = ("one", "other", "difference", "low", "high", "p", "p_adjusted", "detectable", "seeds", "probes")


def compare(
    probes: Study | Studies | pd.DataFrame,
    axis: str,
    metric: str | None = None,
    pairs: Sequence[tuple[object, object]] | None = None,
    split: str = "forget",
    **fixed: object,
) -> pd.DataFrame:
    """Differences between the values of an axis, within each setting of the other coordinates.

    Args:
        probes: a study, ``Study.scores(metric)`` or ``Study.probes``.
        axis: what is compared: ``corpus``, ``method``, ``start``, ….
        metric: a column of scores; the headline of the study if None.
        pairs: which values; None: each with each.
        fixed: keeps the cells with these values of coordinates.

    Returns:
        A row per setting and pair: ``difference``, the rate of ``one`` minus that of ``other``, paired by seed and
        probe; ``p``, and ``p_adjusted``, Holm's over the rows; ``low`` and ``high``, the interval that excludes 0
        where the adjusted p is below 5%; ``detectable``, the difference that this test finds in 80% of studies. See
        ``analysis.statistics.moderated``. With one seed there is no p and the interval is over its probes. Where all
        scores of both sides are the same number, there is no interval.

    Raises:
        SpecError: no such metric, coordinate or value, no row that has all that was named, or fewer than two values to
            compare.
    """
    given = study_or_probes(probes, "compare")
    if metric is None:
        if isinstance(given, pd.DataFrame):
            scored = ", ".join(name for name in SCORES if name in given)
            raise SpecError(f"probes have no headline: name the metric, one of {scored or 'none'}")
        metric = given.headline.metric
    rows = _chosen(given, axis, metric, split, fixed)
    others = _settings(rows, axis)
    places: list[dict[str, object]] = []
    found: list[Answers] = []
    for setting, group in _groups(rows, others):
        for one, other in _pairs(group, axis, pairs):
            both = _pair(group, axis, metric, split, one, other)
            if both is not None:
                places.append({**setting, "one": one, "other": other})
                found.append(both)
    return _table(axis, others, places, found)


def compare_at_last(
    probes: pd.DataFrame, axis: str, metric: str, split: str = "forget", **fixed: object
) -> pd.DataFrame:
    """As ``compare``, each pair at the last relearn step that both have, whatever others have.

    Returns:
        As of ``compare``, with that step as ``relearn_steps``.

    Raises:
        SpecError: as ``compare``.
    """
    rows = _chosen(probes, axis, metric, split, fixed)
    rows = rows[rows["relearn_steps"] > 0]
    others = [name for name in _settings(rows, axis) if name != "relearn_steps"]
    places: list[dict[str, object]] = []
    found: list[Answers] = []
    for setting, group in _groups(rows, others):
        steps: dict[object, set[int]] = {
            value: set(part.unique()) for value, part in group.groupby(axis, observed=True)["relearn_steps"]
        }
        for one, other in _pairs(group, axis, None):
            for step in sorted(steps[one] & steps[other], reverse=True):
                both = _pair(group[group["relearn_steps"] == step], axis, metric, split, one, other)
                if both is not None:
                    places.append({**setting, "relearn_steps": int(step), "one": one, "other": other})
                    found.append(both)
                    break
    return _table(axis, [*others, "relearn_steps"], places, found)


def _chosen(
    given: Study | Studies | pd.DataFrame, axis: str, metric: str, split: str, fixed: Mapping[str, object]
) -> pd.DataFrame:
    given = study_or_probes(given, "compare")
    probes = given if isinstance(given, pd.DataFrame) else given.scores(metric, split)
    refuse_unknown([axis], coordinates(probes))
    if metric not in SCORES:
        raise SpecError(
            f"metric={metric}: probes are scored by {', '.join(SCORES)}{did_you_mean(str(metric), SCORES)}"
        )
    if metric not in probes:
        scored = ", ".join(name for name in SCORES if name in probes)
        raise SpecError(
            f"metric={metric}: these probes have {scored or 'no score'}; ask study.scores({metric!r})"
        )
    refuse_unknown_values(probes, fixed)
    rows = matching(probes[probes["split"] == split], fixed)
    if rows.empty:
        refuse_empty(probes, {"split": split, **fixed})
    if rows[metric].isna().all():
        scored = ", ".join(name for name in SCORES if name in rows and rows[name].notna().any())
        raise SpecError(
            f"{metric}: nothing to compare; no probe of these has this score, they have {scored or 'none'}"
        )
    return rows


def _settings(rows: pd.DataFrame, axis: str) -> list[str]:
    """The coordinates that vary beside the axis and the seed."""
    others = [name for name in coordinates(rows) if name not in (axis, "seed") and rows[name].nunique() > 1]
    # A start decides its own method and depth: comparing starts, these belong to the setting of one side only.
    return [name for name in others if axis != "start" or name not in ("method", "depth")]


def _groups(rows: pd.DataFrame, others: list[str]) -> Iterator[tuple[dict[str, object], pd.DataFrame]]:
    if not others:
        yield {}, rows
        return
    for place, group in rows.groupby(others, observed=True):
        yield dict(zip(others, place if isinstance(place, tuple) else (place,), strict=True)), group


def _pairs(
    group: pd.DataFrame, axis: str, wanted: Sequence[tuple[object, object]] | None
) -> list[tuple[object, object]]:
    values = [value for value in group[axis].unique() if pd.notna(value)]
    pairs = list(combinations(sorted(values, key=str), 2)) if wanted is None else wanted
    return [(one, other) for one, other in pairs if {one, other} <= set(values)]


def _table(
    axis: str, others: list[str], places: list[dict[str, object]], found: list[Answers]
) -> pd.DataFrame:
    if not found:
        raise SpecError(f"{axis}: nothing to compare; expected at least two of its values in one setting")
    return pd.concat([pd.DataFrame(places), differences(found)], axis=1)[[*others, *COLUMNS]]


def differences(found: Sequence[Answers]) -> pd.DataFrame:
    """First setting minus second of each, as one table of ``COLUMNS`` from ``difference`` on."""
    told = [np.ptp(each.scores) > 0 for each in found]
    contrasts = [
        contrast(each.scores, [1.0, -1.0], each.clusters)
        for each, tells in zip(found, told, strict=True)
        if tells
    ]
    table = pd.DataFrame(
        {
            "difference": [float((each.scores[0] - each.scores[1]).mean()) for each in found],
            "seeds": [len(each.seeds) for each in found],
            "probes": [len(each.probes) for each in found],
        }
    )
    names = {"low": "low_adjusted", "high": "high_adjusted"}
    tested = together(contrasts) if contrasts else pd.DataFrame()
    for name in ("low", "high", "p", "p_adjusted", "detectable"):
        table[name] = np.nan
        if contrasts:
            table.loc[told, name] = tested[names.get(name, name)].to_numpy()
    return table


def _pair(
    group: pd.DataFrame, axis: str, metric: str, split: str, one: object, other: object
) -> Answers | None:
    """The scores of two values of the axis, in that order; None where they share no seed or probe."""
    rows = group[group[axis].isin([one, other])].copy()
    if axis == "start":
        rows["method"], rows["depth"] = "any", 0
    try:
        found = answers(rows, metric, axis, split)
    except SpecError:
        return None  # one of the two is not computed or not scored here: missing, not zero
    if len(found.settings) < 2:
        return None
    order = [found.settings.index(each) for each in (one, other)]
    return Answers(found.scores[order], (one, other), found.seeds, found.probes)
