"""Verdicts: what a study says of each statement, from one number for each seed, all statements read as one table.

Within each seed a statement's pairs are averaged; the seeds are then the sample. Where a statement is about the step
that was chosen as the best, its interval allows for the choice among all steps, and such statements are adjusted among
themselves: they cost the others nothing. Whether 0 is in an interval is for Student's t to say; its ends reach at least
those that the two rates by themselves leave open, unless 0 would come in (``analysis.statistics.sides``), so that few
seeds near 0 or 100% deny nothing and promise nothing.

- **holds**: the interval lies above 0.
- **does not hold**: it lies below 0; or wholly within ±10 points, the margin below which an effect counts as none.
- **cannot be said**: anything else, always with one seed, where both sides are at 0 or both at 100% in every pair, and
  where all seeds give the same number of graded scores, so that nothing tells how much seeds differ.
  Beside it stands the smallest effect that such a test would have found in 80% of studies, and no less than the
  interval leaves open; a study without power has shown nothing.

Intervals are over seeds, for the probes that were asked, and adjusted for the number of statements (Holm).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.measures.recovery.flow import flow, in_declared_order
from analysis.measures.recovery.net_recovery import RELEARNING, net_recovery
from analysis.measures.recovery.statements import STATED, Statement
from analysis.reading.given import one_study
from analysis.reading.study_frames import Study
from analysis.statistics.moderated import Contrast, are_counts, together
from analysis.statistics.sides import difference_of_rates, widened
from analysis.statistics.thresholds import above
from study.errors import counted

HOLDS, DOES_NOT, UNSAID = "holds", "does not hold", "cannot be said"


def counted_steps(
    study: Study, rows: pd.DataFrame | None = None, steps: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Every step of the benign relearnings that count, with ``gain``: the score above what stood before, and above the
    control where one was run.

    Args:
        rows, steps: of ``flow`` and of ``net_recovery``, where they are at hand.

    Returns:
        The rows of ``net_recovery`` of those relearnings, with ``before``; ``floor``, the larger of it and of the
        control; ``gain``; ``controlled`` (``matched``, ``never learned`` or empty: which controls were run);
        ``utility``, retain before relearning as a share of the original's; and ``last_step``.
    """
    steps = net_recovery(study) if steps is None else steps
    rows = flow(study, steps) if rows is None else rows
    rows = rows[rows["counts"] & rows["benign"]]
    keys = list(RELEARNING)
    beside = rows[[*keys, "before", "relearn_steps"]].rename(columns={"relearn_steps": "last_step"})
    beside = beside.assign(utility=(rows["retain_before"] / rows["retain_original"]).to_numpy(float))
    found = in_declared_order(study, steps.merge(beside, on=keys))
    floor = found[["control", "before"]].max(axis=1)
    controlled = np.where(
        found["matched"], "matched", np.where(found["control"].notna(), "never learned", "")
    )
    return found.assign(floor=floor, gain=found["value"] - floor, controlled=controlled)


def verdicts(study: Study, steps: pd.DataFrame | None = None) -> pd.DataFrame:
    """Everything that is stated of a study's relearnings.

    Args:
        steps: of ``counted_steps``, where they are at hand.

    Returns:
        A row per statement: the place, ``statement``, ``over``, ``value`` with ``low`` and ``high`` (shares; NaN
        without an interval), ``smallest`` (see above), ``seeds``, ``pairs``, ``verdict`` and ``why``; ``planned_seeds``
        of its model, and ``unequal``, the relearn steps where they are not the same in all pairs.
    """
    study = one_study(study, "verdicts")
    rows = counted_steps(study) if steps is None else steps
    found = judged([each for make in STATED for each in make(rows)])
    planned = study.planned.groupby("model", observed=True)["seed"].nunique()
    return found.assign(planned_seeds=found["model"].map(planned.rename(index=str)))


def judged(statements: Sequence[Statement]) -> pd.DataFrame:
    """Statements with their verdicts, read together as one table."""
    columns = [
        "statement",
        "over",
        "value",
        "low",
        "high",
        "smallest",
        "seeds",
        "pairs",
        "verdict",
        "why",
        "unequal",
    ]
    if not statements:
        return pd.DataFrame(columns=["model", "method", *columns])
    hopeless = [_why_untested(each) for each in statements]
    tested = [each for each, why in zip(statements, hopeless, strict=True) if not why]
    choices = [each.choices for each in tested]
    table = together([_contrast(each) for each in tested], choices) if tested else pd.DataFrame()
    found = iter(table.to_dict("records"))
    made = []
    for each, why in zip(statements, hopeless, strict=True):
        row = {} if why else next(found)
        low, high = _ends(each, row) if row else (np.nan, np.nan)
        verdict, reason = (UNSAID, why) if why else _verdict(low, high, each)
        value = float((each.pairs["one"] - each.pairs["other"]).groupby(each.pairs["seed"]).mean().mean())
        made.append(
            {
                **each.place,
                "statement": each.words,
                "over": each.over,
                "value": value,
                "low": low,
                "high": high,
                "smallest": _smallest(float(row.get("detectable", np.nan)), value, low, high),
                "seeds": int(each.pairs["seed"].nunique()),
                "pairs": len(each.pairs),
                "verdict": verdict,
                "why": reason,
                "unequal": _unequal_steps(each.pairs),
            }
        )
    return pd.DataFrame(made)


def _smallest(detectable: float, value: float, low: float, high: float) -> float:
    """What the test would have found; where it does not find the effect, no less than the interval leaves open."""
    return max(detectable, high - value, value - low) if low <= 0 <= high else detectable


def _why_untested(statement: Statement) -> str:
    """Why no test could tell; such a statement does not count among those that the others are adjusted for."""
    scores = statement.pairs[["a", "b"]].to_numpy(float)
    if statement.pairs["seed"].nunique() < 2:
        return "one seed tells nothing of others"
    if statement.compares and (scores == 0).all():
        return "both sides are at 0 everywhere"
    if statement.compares and (scores == 1).all():
        return "both sides are at 100% everywhere"
    return ""


def _ends(statement: Statement, row: Mapping[Any, Any]) -> tuple[float, float]:
    """The adjusted interval, no narrower than the two scores leave open; NaN where nothing tells how seeds differ."""
    low, high = float(row["low_adjusted"]), float(row["high_adjusted"])
    if np.isnan(low):
        return low, high
    pairs = statement.pairs
    of_seeds = pairs.groupby("seed")[["a", "b"]].mean()
    other = of_seeds["b"].to_numpy(float) if statement.compares else float(of_seeds["b"].mean())
    queries, confidence = float(pairs["queries"].min()), float(row["confidence"])
    least, most = difference_of_rates(of_seeds["a"].to_numpy(float), other, queries, confidence)
    held_against = row["value"] - float((of_seeds["a"] - of_seeds["b"]).mean())
    return widened(low, high, least + held_against, most + held_against)


def _verdict(low: float, high: float, statement: Statement) -> tuple[str, str]:
    if np.isnan(low):
        alike = "all seeds give the same number, so nothing tells how much seeds differ"
        return UNSAID, _not_risen(statement) or alike
    if low > 0:
        return HOLDS, ""
    margin = statement.margin
    if high < 0:
        verdict, why = DOES_NOT, "it is the other way round"
    elif -margin < low and high < margin:
        verdict, why = DOES_NOT, f"any effect is smaller than {100 * margin:.0f} points"
    else:
        verdict, why = UNSAID, "the interval holds 0 and effects that matter"
    return verdict, _not_risen(statement) or why


def _not_risen(statement: Statement) -> str:
    """The premise of what comes back that fails: the score does not even rise."""
    if statement.compares:
        return ""
    before, after = (statement.pairs.groupby("seed")[name].mean().mean() for name in ("before", "a"))
    if not above(before, 0) or above(after, before):
        return ""
    return f"relearning does not raise the score: {100 * before:.0f}% before, {100 * after:.0f}% after"


def _unequal_steps(pairs: pd.DataFrame) -> str:
    """``5 to 40``: at which steps pairs are, where it is not one; empty where it is."""
    if "relearn_steps" not in pairs or pairs["relearn_steps"].nunique() == 1:
        return ""
    return f"{pairs['relearn_steps'].min()} to {pairs['relearn_steps'].max()}"


def _contrast(statement: Statement) -> Contrast:
    """One number for each seed: the mean over its pairs, whatever their number.

    Two scores lie within 1 of each other; what each is held against is taken as it was seen.
    """
    pairs = statement.pairs
    by_seed = (pairs["one"] - pairs["other"]).groupby(pairs["seed"]).mean().to_numpy(float)
    queries = float(pairs["queries"].min())
    scores = pairs[["a", "b"]].to_numpy(float)
    rate = (float(scores.mean()) * queries + 1) / (queries + 2)
    held_against = pairs["one"] - pairs["other"] - (pairs["a"] - pairs["b"])
    middle = float(held_against.groupby(pairs["seed"]).mean().mean())
    answered = scores * pairs["queries"].to_numpy(float)[:, None]
    floor = (1 / (queries + 2)) ** 2 if are_counts(answered) else 0.0
    return Contrast(
        by_seed,
        rate * (1 - rate),
        floor=floor,
        least=min(middle - 1, float(by_seed.min())),
        most=max(middle + 1, float(by_seed.max())),
    )


def in_words(row: Mapping[Any, Any]) -> str:
    """A verdict with its number, its interval and what could have been seen."""
    points, low, high = (round(100 * row[name], 9) for name in ("value", "low", "high"))
    value = f"{points:+z.0f} points"
    if not np.isnan(low):
        value += f" ({low:+z.0f} to {high:+z.0f})"
    why = f", since {row['why']}" if row["why"] else ""
    seen = ""
    if row["verdict"] == UNSAID and not np.isnan(row["smallest"]):
        seen = f"; the smallest effect that could have been seen is {100 * row['smallest']:.0f} points"
        if row["smallest"] > 1:
            seen = "; no effect of up to 100 points could have been seen"
    planned = row.get("planned_seeds", row["seeds"])
    seeds = f"{row['seeds']} of " if row["seeds"] < planned else ""
    steps = f", at {row['unequal']} relearn steps" if row["unequal"] else ""
    return f"{row['verdict']}{why} ({value}, {seeds}{counted(planned, 'seed')}{steps}{seen})"
