"""The paper's claims, each as one statement on all relearnings of a model and method that count, with its verdict.

A claim is read from seed-level contrasts over all eligible cells (``analysis.measures.recovery.verdicts``): it
holds, it does not hold, or it cannot be said. No cell is chosen, neither the shallowest nor the one where a claim holds
best. Gibberish is left out of the claims about related text, since at gibberish there is nothing to compare: it is what
``relevance`` compares with.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.measures.recovery.statements import MARGIN, Statement, against, ends, paired, pooled_values
from analysis.measures.recovery.verdicts import HOLDS, UNSAID, in_words, judged
from study.errors import counted

SHALLOW = 0.7
"""The score that relearning reaches where unlearning is shallow."""
CLEAN = 0.05
"""The score that a model which never learned stays below."""
MANY_STEPS = 40
"""Relearn steps after which the paper sees the score fall."""
GIBBERISH = "gibberish"


class NotRunError(Exception):
    """The study lacks the cells of a claim; the message says which."""


@dataclass(frozen=True)
class Cells:
    """What claims are read from, of one model and method.

    Attributes:
        steps: of ``analysis.measures.recovery.verdicts.counted_steps``.
        control: the benign cells of the model that never learned, relearned.
    """

    steps: pd.DataFrame
    control: pd.DataFrame

    @property
    def related(self) -> pd.DataFrame:
        """Without gibberish.

        Raises:
            NotRunError: nothing counts.
        """
        rows = self.steps[self.steps["corpus"] != GIBBERISH]
        if rows.empty:
            raise NotRunError("no benign relearning of a model that is known to have known and forgotten")
        return rows


@dataclass(frozen=True)
class Claim:
    """A statement that a number is above a bound.

    Attributes:
        read: the pairs, and the cells that they are from, in words.
        unit: ``rate`` where the number is one score, ``points`` between two.
        above: the bound of a rate; the claim is "below" it where ``at_most``.
    """

    statement: str
    read: Callable[[Cells], tuple[pd.DataFrame, str]]
    unit: str = "points"
    above: float = 0.0
    at_most: bool = False


@dataclass(frozen=True)
class Verdict:
    """What a study says of a claim.

    Attributes:
        value, low, high: of the number that the claim is about; NaN where the cells are not there.
        holds: None where it cannot be said.
        words: from which cells, or why there is no verdict.
    """

    statement: str
    value: float
    low: float
    high: float
    seeds: int
    unit: str
    holds: bool | None
    words: str


def judge(names: list[str], cells: Cells) -> list[Verdict]:
    """The verdicts on some claims, read together as one table."""
    read: list[Statement | str] = []
    for name in names:
        claim = CLAIMS[name]
        try:
            pairs, over = claim.read(cells)
            sign = -1 if claim.at_most else 1
            pairs = pairs.assign(one=sign * pairs["one"], other=sign * (pairs["other"] + claim.above))
            points = claim.unit == "points"
            read.append(
                Statement({}, claim.statement, pairs, over, compares=points, margin=MARGIN if points else 0.0)
            )
        except NotRunError as reason:
            read.append(str(reason))
    rows = iter(judged([each for each in read if isinstance(each, Statement)]).to_dict("records"))
    return [
        _verdict(CLAIMS[name], next(rows) if isinstance(each, Statement) else each)
        for name, each in zip(names, read, strict=True)
    ]


def _verdict(claim: Claim, row: "dict[object, object] | str") -> Verdict:
    nothing = float("nan")
    if isinstance(row, str):
        return Verdict(claim.statement, nothing, nothing, nothing, 0, claim.unit, None, row)
    sign = -1 if claim.at_most else 1
    ends_of = [float(str(row[name])) for name in (("high", "low") if claim.at_most else ("low", "high"))]
    value, low, high = (round(sign * each + claim.above, 12) for each in (float(str(row["value"])), *ends_of))
    holds = None if row["verdict"] == UNSAID else row["verdict"] == HOLDS
    said = in_words(row).split(" (")[0] if claim.unit == "rate" else in_words(row)
    words = f"{row['over']}; {counted(int(str(row['pairs'])), 'pair')}; {said}"
    least = float(np.clip(low, 0, 1)) if claim.unit == "rate" else low
    most = float(np.clip(high, 0, 1)) if claim.unit == "rate" else high
    return Verdict(claim.statement, value, least, most, int(str(row["seeds"])), claim.unit, holds, words)


def _some(pairs: pd.DataFrame, rows: pd.DataFrame, reason: str) -> tuple[pd.DataFrame, str]:
    if pairs.empty:
        raise NotRunError(reason)
    return pairs, pooled_values(rows, "corpus", "repetitions", "depth")


def _last(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["relearn_steps"] == rows["last_step"]]


def _of_each(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    return against(rows.assign(bound=0.0), column, "bound")


def _repetitions(cells: Cells) -> tuple[pd.DataFrame, str]:
    pairs = ends(cells.related, "repetitions")
    turned = pairs.rename(columns={"one": "other", "other": "one", "a": "b", "b": "a"})
    return _some(turned, cells.related, "no relearning counts at two repetition counts")


def _depth(cells: Cells) -> tuple[pd.DataFrame, str]:
    return _some(ends(cells.related, "depth"), cells.related, "no relearning counts at two depths")


def _relevance(cells: Cells) -> tuple[pd.DataFrame, str]:
    corpora = dict.fromkeys(cells.related["corpus"])
    pairs = [paired(cells.steps, "corpus", corpus, GIBBERISH) for corpus in corpora]
    found = pd.concat(pairs, ignore_index=True)
    return _some(found, cells.steps, "gibberish was not run")


def _shallow(cells: Cells) -> tuple[pd.DataFrame, str]:
    rows = _last(cells.related)
    keys = ["corpus", "repetitions", "seed"]
    rows = rows[rows["depth"] == rows.groupby(keys)["depth"].transform("min")]
    return _some(_of_each(rows, "value"), rows, "")


def _rises(cells: Cells) -> tuple[pd.DataFrame, str]:
    rows = _last(cells.related)
    return _some(against(rows, "value", "before"), rows, "nobody asked before relearning")


def _past_forty(cells: Cells) -> tuple[pd.DataFrame, str]:
    rows = cells.related
    keys = [
        name
        for name in rows
        if name in ("scenario", "model", "method", "repetitions", "depth", "corpus", "seed")
    ]
    within = rows[rows["relearn_steps"] <= MANY_STEPS].sort_values("relearn_steps", kind="stable")
    before = within.drop_duplicates(keys, keep="last")
    after = _last(rows)
    after = after[after["relearn_steps"] > MANY_STEPS]
    both = before.merge(after[[*keys, "value"]], on=keys, suffixes=("", "_after"))
    return _some(against(both, "value", "value_after"), both, f"no step past {MANY_STEPS} was run")


def _control(cells: Cells) -> tuple[pd.DataFrame, str]:
    rows = cells.control
    if rows.empty:
        raise NotRunError("no control that never learned was run")
    keys = ["corpus", "repetitions", "seed"]
    rows = rows[rows["relearn_steps"] == rows.groupby(keys)["relearn_steps"].transform("max")]
    return _of_each(rows, "value"), pooled_values(rows, "corpus", "repetitions")


CLAIMS = {
    "repetitions": Claim(
        "the more a pair was repeated, the more comes back: most repetitions minus fewest", _repetitions
    ),
    "relevance": Claim("correlated text recovers more than gibberish: difference", _relevance),
    "depth": Claim("deeper unlearning is harder to undo: shallowest depth minus deepest", _depth),
    "shallow": Claim("where unlearning is shallow, relearning gives above 70%", _shallow, "rate", SHALLOW),
    "past_forty": Claim(
        f"past {MANY_STEPS} steps more relearning lowers it: at {MANY_STEPS} or before minus at the last step",
        _past_forty,
    ),
    "control": Claim(
        f"a model that never learned D stays at 0% (below {100 * CLEAN:.0f}% here) on the same corpora",
        _control,
        "rate",
        CLEAN,
        at_most=True,
    ),
    "rises": Claim("relearning raises the score: after minus before", _rises),
}
"""By the names that ``analysis.paper.published`` gives them."""
