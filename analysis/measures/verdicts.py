"""Verdicts: what a study says of a statement, from one contrast for each seed over all cells that count.

Each statement is a difference, such as "prefix brings back more than gibberish". Within each seed it is averaged
over all
pairs of relearnings that count (known and forgotten, ``analysis.measures.flow``) and differ in nothing else; the
seeds are
then the sample. What is compared is the *gain*, the score above the control of the same corpus and step, where a
control
was run: text that teaches anybody the answer recovers nothing.

- **holds**: the interval lies above 0.
- **does not hold**: it lies below 0; or wholly within ±10 points, which is the margin below which an effect counts
as none.
- **cannot be said**: anything else, always with one seed, and where both sides are at 0 or both at 100% in every pair.
  Beside it stands the smallest effect that such a test would have found in 80% of studies; a study without power has
  shown nothing.

Intervals are over seeds, for the probes that were asked, and adjusted for the number of statements (Holm).
Nothing is pooled but what the statement names: models and methods each have their own, and seeds alone are the sample.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from analysis.measures.flow import flow, in_declared_order
from analysis.measures.net_recovery import RELEARNING, net_recovery
from analysis.reading.study_frames import Study
from analysis.statistics.moderated import Contrast, together

MARGIN = 0.1
"""An effect smaller than this counts as none."""
ALIKE = 0.1
"""The most by which the retain scores of two models differ that are compared at matched utility."""
HOLDS, DOES_NOT, UNSAID = "holds", "does not hold", "cannot be said"


@dataclass(frozen=True)
class Statement:
    """A contrast of relearnings, as pairs.

    Attributes:
        place: what it is about: model, method and whatever else is not pooled.
        words: the statement.
        pairs: a row per pair: ``seed``; ``one`` and ``other``, two gains; ``a`` and ``b``, the two scores behind them;
            ``queries``.
        over: what the pairs differ in, in words.
        compares: two relearnings, of which nothing can be said where both are at 0 or both at 100%; a relearning and
        its
            control at 0 say that nothing came back.
        margin: within which an effect counts as none; 0 where the statement is about a bound.
    """

    place: Mapping[str, str]
    words: str
    pairs: pd.DataFrame
    over: str
    compares: bool = True
    margin: float = MARGIN


def counted_steps(
    study: Study, rows: pd.DataFrame | None = None, steps: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Every step of the benign relearnings that count, with ``gain``: the score above the control where one was run.

    Args:
        rows, steps: of ``flow`` and of ``net_recovery``, where they are at hand.

    Returns:
        The rows of ``net_recovery`` of those relearnings, with ``gain``, ``retain_before`` as a share of the
        original's, ``before`` and ``last_step``.
    """
    steps = net_recovery(study) if steps is None else steps
    rows = flow(study, steps) if rows is None else rows
    rows = rows[rows["counts"] & rows["benign"]]
    keys = list(RELEARNING)
    beside = rows[[*keys, "before", "relearn_steps"]].rename(columns={"relearn_steps": "last_step"})
    beside = beside.assign(utility=(rows["retain_before"] / rows["retain_original"]).to_numpy(float))
    found = in_declared_order(study, steps.merge(beside, on=keys))
    return found.assign(gain=found["value"] - found["control"].fillna(0))


def verdicts(study: Study, steps: pd.DataFrame | None = None) -> pd.DataFrame:
    """Everything that is stated of a study's relearnings.

    Args:
        steps: of ``counted_steps``, where they are at hand.

    Returns:
        A row per statement: the place, ``statement``, ``over``, ``value`` with ``low`` and ``high`` (shares; NaN
        without an interval), ``smallest`` (see above), ``seeds``, ``pairs``, ``verdict`` and ``why``.
    """
    rows = counted_steps(study) if steps is None else steps
    stated = [each for make in STATED for each in make(rows)]
    return judged(stated)


def judged(statements: Sequence[Statement]) -> pd.DataFrame:
    """Statements with their verdicts, read together as one table."""
    columns = ["statement", "over", "value", "low", "high", "smallest", "seeds", "pairs", "verdict", "why"]
    if not statements:
        return pd.DataFrame(columns=["model", "method", *columns])
    hopeless = [_why_untested(each) for each in statements]
    tested = [each for each, why in zip(statements, hopeless, strict=True) if not why]
    found = iter(together([_contrast(each) for each in tested]).to_dict("records") if tested else [])
    made = []
    for each, why in zip(statements, hopeless, strict=True):
        row = {} if why else next(found)
        low, high = float(row.get("low_adjusted", np.nan)), float(row.get("high_adjusted", np.nan))
        verdict, reason = (UNSAID, why) if why else _verdict(low, high, each.margin)
        made.append(
            {
                **each.place,
                "statement": each.words,
                "over": each.over,
                "value": float(
                    (each.pairs["one"] - each.pairs["other"]).groupby(each.pairs["seed"]).mean().mean()
                ),
                "low": low,
                "high": high,
                "smallest": float(row.get("detectable", np.nan)),
                "seeds": int(each.pairs["seed"].nunique()),
                "pairs": len(each.pairs),
                "verdict": verdict,
                "why": reason,
            }
        )
    return pd.DataFrame(made)


def _why_untested(statement: Statement) -> str:
    """Why no test could tell; such a statement does not count among those that the others are adjusted for."""
    scores = statement.pairs[["a", "b"]].to_numpy(float)
    if statement.pairs["seed"].nunique() < 2:
        return "one seed, which tells nothing of others"
    if statement.compares and (scores == 0).all():
        return "both sides are at 0 everywhere"
    if statement.compares and (scores == 1).all():
        return "both sides are at 100% everywhere"
    return ""


def _verdict(low: float, high: float, margin: float) -> tuple[str, str]:
    if low > 0:
        return HOLDS, ""
    if high < 0:
        return DOES_NOT, "the other way round"
    if -margin < low and high < margin:
        return DOES_NOT, f"any effect is smaller than {100 * margin:.0f} points"
    return UNSAID, "the interval holds 0 and effects that matter"


def _contrast(statement: Statement) -> Contrast:
    """One number for each seed: the mean over its pairs, whatever their number."""
    pairs = statement.pairs
    by_seed = (pairs["one"] - pairs["other"]).groupby(pairs["seed"]).mean().to_numpy(float)
    queries = float(pairs["queries"].min())
    rate = (float(pairs[["a", "b"]].to_numpy(float).mean()) * queries + 1) / (queries + 2)
    most = 2.0 if statement.compares else 1.0  # a gain lies between -1 and 1, and two may lie apart by 2
    return Contrast(by_seed, rate * (1 - rate), floor=(1 / (queries + 2)) ** 2, least=-most, most=most)


def paired(
    rows: pd.DataFrame, axis: str, one: object, other: object, gain: str = "gain", steps: bool = True
) -> pd.DataFrame:
    """Relearnings with two values of an axis that differ in nothing else, at the last step that both have.

    Args:
        rows: of ``counted_steps``.
        gain: what is compared.
        steps: pair at equal relearn steps; False where the axis itself is the steps.
    """
    keys = [name for name in RELEARNING if name != axis] + (["relearn_steps"] if steps else [])
    first, second = (rows[rows[axis] == value][[*keys, gain, "value", "queries"]] for value in (one, other))
    both = first.merge(second, on=keys, suffixes=("_one", "_other"))
    if steps:
        both = both.sort_values("relearn_steps", kind="stable")
        both = both.drop_duplicates([name for name in keys if name != "relearn_steps"], keep="last")
    return _as_pairs(both, gain)


def _as_pairs(both: pd.DataFrame, gain: str = "gain") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "seed": both["seed"],
            "one": both[f"{gain}_one"],
            "other": both[f"{gain}_other"],
            "a": both["value_one"],
            "b": both["value_other"],
            "queries": both[["queries_one", "queries_other"]].min(axis=1),
        }
    ).reset_index(drop=True)


def against(rows: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    """Each relearning's own two scores, such as its value and its control's."""
    return pd.DataFrame(
        {
            "seed": rows["seed"],
            "one": rows[one],
            "other": rows[other],
            "a": rows[one],
            "b": rows[other],
            "queries": rows["queries"],
        }
    ).dropna(ignore_index=True)


def ends(rows: pd.DataFrame, axis: str) -> pd.DataFrame:
    """The smallest against the largest value of an axis that count, wherever a relearning has two of them."""
    keys = [name for name in RELEARNING if name != axis]
    shared = rows.groupby([*keys, "relearn_steps"])[axis].transform("nunique") > 1
    rows = rows[shared]
    rows = rows[rows["relearn_steps"] == rows.groupby(keys)["relearn_steps"].transform("max")]
    ordered = rows.sort_values(axis, kind="stable")
    first, last = (ordered.drop_duplicates(keys, keep=keep) for keep in ("first", "last"))
    columns = [*keys, "gain", "value", "queries"]
    return _as_pairs(first[columns].merge(last[columns], on=keys, suffixes=("_one", "_other")))


def _groups(rows: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[dict[str, str], pd.DataFrame]]:
    for values, part in rows.groupby(list(by), sort=False):
        yield dict(zip(by, map(str, values), strict=True)), part


def _last(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["relearn_steps"] == rows["last_step"]]


def pooled_values(rows: pd.DataFrame, *names: str) -> str:
    """Which values of some coordinates are pooled."""
    return "; ".join(f"{name} {', '.join(map(str, sorted(rows[name].unique())))}" for name in names)


def comes_back(rows: pd.DataFrame) -> Iterator[Statement]:
    """Relearning a corpus brings back more than its control, at each relearning's last step."""
    for place, part in _groups(_last(rows), ("model", "method", "corpus")):
        pairs = against(part, "value", "control")
        if len(pairs):
            words = f"relearning {place.pop('corpus')} brings back more than it teaches the control"
            yield Statement(place, words, pairs, pooled_values(part, "repetitions", "depth"), compares=False)


def corpora(rows: pd.DataFrame) -> Iterator[Statement]:
    """One corpus brings back more than another."""
    for place, part in _groups(rows, ("model", "method")):
        for one, other in combinations(dict.fromkeys(part["corpus"]), 2):
            pairs = paired(part, "corpus", one, other)
            if len(pairs):
                both = part[part["corpus"].isin([one, other])]
                yield Statement(
                    place,
                    f"{one} brings back more than {other}",
                    pairs,
                    pooled_values(both, "repetitions", "depth"),
                )


def depth(rows: pd.DataFrame) -> Iterator[Statement]:
    """Deeper unlearning is harder to undo."""
    yield from _of_ends(rows, "depth", "unlearned less deeply, more comes back", "repetitions", False)


def repetitions(rows: pd.DataFrame) -> Iterator[Statement]:
    """What was repeated more comes back more, among what was known at all."""
    yield from _of_ends(rows, "repetitions", "repeated more often, more comes back", "depth", True)


def _of_ends(
    rows: pd.DataFrame, axis: str, words: str, over: str, largest_first: bool
) -> Iterator[Statement]:
    for place, part in _groups(rows, ("model", "method", "corpus")):
        pairs = ends(part, axis)
        if not len(pairs):
            continue
        if largest_first:
            pairs = pairs.rename(columns={"one": "other", "other": "one", "a": "b", "b": "a"})
        corpus = place.pop("corpus")
        yield Statement(place, f"{corpus}: {words}", pairs, pooled_values(part, axis, over))


def more_steps(rows: pd.DataFrame) -> Iterator[Statement]:
    """More relearn steps bring back more: the last step against the first one above 0."""
    for place, part in _groups(rows, ("model", "method", "corpus")):
        keys = list(RELEARNING)
        ordered = part.sort_values("relearn_steps", kind="stable")
        first, last = (ordered.drop_duplicates(keys, keep=keep) for keep in ("first", "last"))
        both = last.merge(first, on=keys, suffixes=("_one", "_other"))
        both = both[both["relearn_steps_one"] > both["relearn_steps_other"]]
        if len(both):
            corpus = place.pop("corpus")
            yield Statement(
                place,
                f"{corpus}: more relearn steps bring back more",
                _as_pairs(both),
                f"{pooled_values(part, 'repetitions', 'depth')}; the last step against the first",
            )


def methods(rows: pd.DataFrame) -> Iterator[Statement]:
    """What one method made forget comes back more than what another did, among models that kept as much utility."""
    rows = _last(rows)
    keys = ["scenario", "corpus", "repetitions", "seed", "relearn_steps"]
    columns = [*keys, "depth", "gain", "value", "queries", "utility"]
    for place, part in _groups(rows, ("model",)):
        for one, other in combinations(dict.fromkeys(part["method"]), 2):
            first, second = (part[part["method"] == name][columns] for name in (one, other))
            both = first.merge(second, on=keys, suffixes=("_one", "_other"))
            both = both[(both["utility_one"] - both["utility_other"]).abs() <= ALIKE]
            if len(both):
                kept = both[["utility_one", "utility_other"]].to_numpy(float)
                yield Statement(
                    {**place, "method": f"{one}, {other}"},
                    f"what {one} made forget comes back more than what {other} did",
                    _as_pairs(both),
                    f"models whose retain scores differ by at most {100 * ALIKE:.0f} points (they keep "
                    f"{100 * kept.min():.0f} to {100 * kept.max():.0f}% of the original's); "
                    f"{pooled_values(part, 'corpus')}",
                )


STATED: tuple[Callable[[pd.DataFrame], Iterator[Statement]], ...] = (
    comes_back,
    corpora,
    depth,
    repetitions,
    more_steps,
    methods,
)
"""What is stated of every study whose rows allow it."""


def in_words(row: Mapping[Any, Any]) -> str:
    """A verdict with its number, its interval and what could have been seen."""
    value = f"{100 * row['value']:+.0f} points"
    if not np.isnan(row["low"]):
        value += f" ({100 * row['low']:+.0f} to {100 * row['high']:+.0f})"
    why = f": {row['why']}" if row["why"] else ""
    seen = ""
    if row["verdict"] == UNSAID and not np.isnan(row["smallest"]):
        seen = f"; the smallest effect that could have been seen is {100 * row['smallest']:.0f} points"
    return f"{row['verdict']}{why} ({value}, {row['seeds']} seed{'s' if row['seeds'] != 1 else ''}{seen})"
