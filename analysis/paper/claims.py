"""The paper's claims, each as one statement on all relearnings of a model and method that count, with its verdict.

A claim is read from seed-level contrasts over all eligible cells (``analysis.measures.recovery.verdicts``): it
holds, it does not hold, or it cannot be said. No cell is chosen, neither the shallowest nor the one where a claim holds
best. Gibberish is left out of the claims about related text, since at gibberish there is nothing to compare: it is what
``relevance`` compares with. A claim about one rate goes by the interval that this rate has everywhere
(``analysis.statistics.rates``). That the control stays clean is asked of each corpus: a mean over corpora would hide
the one that teaches the answer.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pandas as pd

from analysis.measures.recovery.before_and_after import Rate, rate_over_seeds
from analysis.measures.recovery.net_recovery import RELEARNING
from analysis.measures.recovery.statements import (
    POOLED,
    Statement,
    above_controls,
    against,
    ends,
    paired,
    pooled_values,
    sides_changed,
)
from analysis.measures.recovery.verdicts import HOLDS, UNSAID, in_words, judged
from analysis.statistics.thresholds import above, at_least, at_most
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
        planned_seeds: how many seeds were to be run.
    """

    steps: pd.DataFrame
    control: pd.DataFrame
    planned_seeds: int

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
        read: what it is read from: pairs, or where it is about one rate the cells with their ``value``.
        pooled: the coordinates that are pooled, which are named.
        unit: ``rate`` where the number is one score, ``points`` between two.
        above: the bound of a rate; the claim is "below" it where ``at_most``.
        each: whether every corpus has a verdict of its own.
    """

    statement: str
    read: Callable[[Cells], pd.DataFrame]
    pooled: tuple[str, ...] = ("corpus", *POOLED)
    unit: str = "points"
    above: float = 0.0
    at_most: bool = False
    each: bool = False


@dataclass(frozen=True)
class Verdict:
    """What a study says of a claim.

    Attributes:
        claim: its name in ``CLAIMS``.
        value, low, high: of the number that the claim is about; NaN where the cells are not there.
        holds: None where it cannot be said.
        words: from which cells, or why there is no verdict.
    """

    claim: str
    statement: str
    value: float
    low: float
    high: float
    seeds: int
    unit: str
    holds: bool | None
    words: str

    @property
    def interval(self) -> tuple[float, float, float]:
        """The number and its ends."""
        return self.value, self.low, self.high


def judge(names: list[str], cells: Cells) -> list[Verdict]:
    """The verdicts on some claims, a claim of each corpus as often as there are corpora.

    Differences are read together as one table.
    """
    read: list[tuple[str, Claim, pd.DataFrame | str]] = []
    for name in names:
        try:
            read += [(name, *part) for part in _parts(CLAIMS[name], CLAIMS[name].read(cells))]
        except NotRunError as reason:
            read.append((name, CLAIMS[name], str(reason)))
    stated = [
        Statement({}, claim.statement, rows, pooled_values(rows, *claim.pooled))
        for _, claim, rows in read
        if claim.unit == "points" and not isinstance(rows, str)
    ]
    differences = iter(judged(stated).to_dict("records"))
    made = []
    for name, claim, rows in read:
        if isinstance(rows, str):
            nothing = float("nan")
            made.append(Verdict(name, claim.statement, nothing, nothing, nothing, 0, claim.unit, None, rows))
        elif claim.unit == "rate":
            made.append(_of_rate(name, claim, rows))
        else:
            made.append(_of_difference(name, claim, next(differences), cells.planned_seeds))
    return made


def _parts(claim: Claim, rows: pd.DataFrame) -> Iterator[tuple[Claim, pd.DataFrame]]:
    if not claim.each:
        yield claim, rows
        return
    for corpus, part in rows.groupby("corpus", sort=False):
        yield replace(claim, statement=f"{claim.statement}: {corpus}"), part


def _of_difference(name: str, claim: Claim, row: "dict[object, object]", planned_seeds: int) -> Verdict:
    value, low, high = (float(str(row[each])) for each in ("value", "low", "high"))
    holds = None if row["verdict"] == UNSAID else row["verdict"] == HOLDS
    told = in_words({**row, "planned_seeds": planned_seeds})
    words = f"{row['over']}; {counted(int(str(row['pairs'])), 'pair')}; {told}"
    return Verdict(name, claim.statement, value, low, high, int(str(row["seeds"])), claim.unit, holds, words)


def _of_rate(name: str, claim: Claim, rows: pd.DataFrame) -> Verdict:
    rate = rate_over_seeds(rows)
    holds, told = _beside_bound(rate, claim, round(rows["queries"].sum()))
    words = f"{pooled_values(rows, *claim.pooled)}; {counted(len(rows), 'cell')}; {told}"
    return Verdict(
        name, claim.statement, rate.value, rate.low, rate.high, rate.seeds, claim.unit, holds, words
    )


def _beside_bound(rate: Rate, claim: Claim, answers: int) -> tuple[bool | None, str]:
    if rate.seeds < 2:
        return None, f"{UNSAID}, since one seed tells nothing of others"
    if at_most(rate.low, claim.above) and at_least(rate.high, claim.above):
        return None, _unsaid(rate, claim, answers)
    holds = above(rate.low, claim.above) != claim.at_most
    return holds, HOLDS if holds else "does not hold"


def _unsaid(rate: Rate, claim: Claim, answers: int) -> str:
    """Why a bound is not told; where all answers are the same, what has been seen and what the seeds leave open."""
    if rate.value == 0:
        seen, left = "nothing came back", f"up to {100 * rate.high:.0f}%"
    elif rate.value == 1:
        seen, left = "everything came back", f"as little as {100 * rate.low:.0f}%"
    else:
        return f"{UNSAID}, since the interval holds {100 * claim.above:.0f}%"
    return (
        f"{UNSAID}: {seen} in {answers:,} answers, but {counted(rate.seeds, 'seed')} cannot rule out {left}"
    )


def _some(rows: pd.DataFrame, reason: str) -> pd.DataFrame:
    if rows.empty:
        raise NotRunError(reason)
    return rows


def _last(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["relearn_steps"] == rows["last_step"]]


def _repetitions(cells: Cells) -> pd.DataFrame:
    return _some(
        sides_changed(ends(cells.related, "repetitions")), "no relearning counts at two repetition counts"
    )


def _depth(cells: Cells) -> pd.DataFrame:
    return _some(ends(cells.related, "depth"), "no relearning counts at two depths")


def _relevance(cells: Cells) -> pd.DataFrame:
    corpora = dict.fromkeys(cells.related["corpus"])
    pairs = [
        paired(cells.steps, "corpus", corpus, GIBBERISH).assign(corpus_one=corpus, corpus_other=GIBBERISH)
        for corpus in corpora
    ]
    return _some(above_controls(pd.concat(pairs, ignore_index=True)), "gibberish was not run")


def _shallow(cells: Cells) -> pd.DataFrame:
    rows = _last(cells.related)
    keys = ["corpus", "repetitions", "seed"]
    return _some(rows[rows["depth"] == rows.groupby(keys)["depth"].transform("min")], "")


def _rises(cells: Cells) -> pd.DataFrame:
    return _some(against(_last(cells.related), "value", "before"), "nobody asked before relearning")


def _past_forty(cells: Cells) -> pd.DataFrame:
    rows = cells.related
    keys = list(RELEARNING)
    within = rows[rows["relearn_steps"] <= MANY_STEPS].sort_values("relearn_steps", kind="stable")
    before = within.drop_duplicates(keys, keep="last")
    after = _last(rows)
    after = after[after["relearn_steps"] > MANY_STEPS]
    columns = [*keys, "relearn_steps", "value"]
    both = before.merge(after[columns], on=keys, suffixes=("", "_after"))
    return _some(against(both, "value", "value_after"), f"no step past {MANY_STEPS} was run")


def _control(cells: Cells) -> pd.DataFrame:
    rows = _some(cells.control, "no control that never learned was run")
    keys = ["corpus", "repetitions", "seed"]
    return rows[rows["relearn_steps"] == rows.groupby(keys)["relearn_steps"].transform("max")]


CLAIMS = {
    "repetitions": Claim(
        "the more a pair was repeated, the more comes back: most repetitions minus fewest", _repetitions
    ),
    "relevance": Claim("correlated text recovers more than gibberish: difference", _relevance),
    "depth": Claim("deeper unlearning is harder to undo: shallowest depth minus deepest", _depth),
    "shallow": Claim(
        "where unlearning is shallow, relearning gives above 70%", _shallow, unit="rate", above=SHALLOW
    ),
    "past_forty": Claim(
        f"past {MANY_STEPS} steps more relearning lowers it: at {MANY_STEPS} or before minus at the last step",
        _past_forty,
    ),
    "control": Claim(
        f"a model that never learned D stays at 0% (below {100 * CLEAN:.0f}% here), relearned on the same corpus",
        _control,
        pooled=("repetitions", "relearn_steps"),
        unit="rate",
        above=CLEAN,
        at_most=True,
        each=True,
    ),
    "rises": Claim("relearning raises the score: after minus before", _rises),
}
"""By the names that ``analysis.paper.published`` gives them."""
