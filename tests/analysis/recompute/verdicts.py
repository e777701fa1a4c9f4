"""Statements and their verdicts once more, from the relearnings of ``tests.analysis.truth``."""

import re
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from tests.analysis.recompute.estimators import Row, together
from tests.analysis.truth.relearning import Relearning

Pair = tuple[int, float, float, float, float, float, tuple[Relearning, int], tuple[Relearning, int] | None]
"""Seed, two gains, the two scores behind them, how many were asked; the two relearnings, each with its step."""


@dataclass
class Judged:
    """What is said of one statement."""

    value: float
    low: float
    high: float
    smallest: float
    seeds: int
    pairs: int
    verdict: str
    because: str
    over: dict[str, str]


def judged(statements: list[str], relearnings: list[list[Relearning]]) -> list[Judged]:
    """The verdicts of a table; of each statement, the relearnings of its model and method that count."""
    pairs, rows, why = [], [], []
    for words, mine in zip(statements, relearnings, strict=True):
        found, compares, choices = _pairs(words, mine)
        pairs.append(found)
        seeds = sorted({pair[0] for pair in found})
        scores = [score for pair in found for score in pair[3:5]]
        untold = ""
        if len(seeds) < 2:
            untold = "one seed tells nothing of others"
        elif compares and set(scores) == {0.0}:
            untold = "both sides are at 0 everywhere"
        elif compares and set(scores) == {1.0}:
            untold = "both sides are at 100% everywhere"
        why.append(untold)
        queries = min(pair[5] for pair in found)
        rate = (fmean(scores) * queries + 1) / (queries + 2)
        by_seed = np.array([fmean(p[1] - p[2] for p in found if p[0] == seed) for seed in seeds])
        answers = [score * pair[5] for pair in found for score in pair[3:5]]
        floor = (1 / (queries + 2)) ** 2 if all(abs(k - round(k)) < 1e-6 for k in answers) else 0.0
        between = np.array([fmean(p[3] - p[4] for p in found if p[0] == seed) for seed in seeds])
        middle = by_seed.mean() - between.mean()
        least, most = min(by_seed.min(), middle - 1), max(by_seed.max(), middle + 1)
        rows.append(Row(by_seed, rate * (1 - rate), floor=floor, least=least, most=most, choices=choices))
    together([row for row, untold in zip(rows, why, strict=True) if not untold])
    return [_said(row, found, untold) for row, found, untold in zip(rows, pairs, why, strict=True)]


def _said(row: Row, found: list[Pair], untold: str) -> Judged:
    seeds, value = len(row.by_seed), float(row.by_seed.mean())
    over = _over(found)
    if untold:
        return Judged(value, np.nan, np.nan, np.nan, seeds, len(found), "cannot be said", untold, over)
    low, high = row.found["low_adjusted"], row.found["high_adjusted"]
    if np.isnan(low):
        verdict = "cannot be said"
        because = "all seeds give the same number, so nothing tells how much seeds differ"
    elif low > 0:
        verdict, because = "holds", ""
    elif high < 0:
        verdict, because = "does not hold", "it is the other way round"
    elif max(-low, high) < 0.1:
        verdict, because = "does not hold", "any effect is smaller than 10 points"
    else:
        verdict, because = "cannot be said", "the interval holds 0 and effects that matter"
    if found[0][7] is None and verdict != "holds":
        seeds_of = sorted({pair[0] for pair in found})
        before, after = (
            fmean(fmean(read(pair) for pair in found if pair[0] == seed) for seed in seeds_of)
            for read in (lambda pair: pair[6][0].before or 0.0, lambda pair: pair[3])
        )
        if before > 0 and after <= before + 1e-9:
            because = (
                f"relearning does not raise the score: {100 * before:.0f}% before, {100 * after:.0f}% after"
            )
    return Judged(value, low, high, row.found["detectable"], seeds, len(found), verdict, because, over)


def _over(found: list[Pair]) -> dict[str, str]:
    """Repetitions, depth and relearn steps of the pairs; of both sides where a pair differs in one."""
    sides = [[pair[6] for pair in found], [pair[7] for pair in found if pair[7]]]
    read = {
        "repetitions": lambda side: side[0].repetitions,
        "depth": lambda side: side[0].depth,
        "relearn steps": lambda side: side[1],
    }
    said = {}
    for name, of in read.items():
        apart = bool(sides[1]) and any(of(pair[6]) != of(pair[7]) for pair in found)
        texts = [", ".join(map(str, sorted({of(side) for side in each}))) for each in sides if each]
        said[name] = " against ".join(texts) if apart else texts[0]
    return said


def _pairs(words: str, mine: list[Relearning]) -> tuple[list[Pair], bool, int]:
    """The pairs of a statement, whether it compares two relearnings, and among how many steps one was chosen."""
    counted = [each for each in mine if each.counts]
    back = re.fullmatch(r"relearning (\S+) brings back more than it teaches the control(.*)", words)
    if back:
        chosen = [each for each in counted if each.corpus == back[1]]
        best = re.fullmatch(r", at its best step \((\d+)\)", back[2])
        if not best:
            return (
                [_alone(each, each.last) for each in chosen if each.control[each.last] is not None],
                False,
                1,
            )
        reached = [step for each in chosen for step in each.steps if each.control[step] is not None]
        shared = [step for step in set(reached) if reached.count(step) == max(map(reached.count, reached))]
        return (
            [_alone(each, int(best[1])) for each in chosen if int(best[1]) in each.steps],
            False,
            len(shared),
        )
    kinds = (
        (r"(\S+) brings back more than (\S+)", _corpora),
        (
            r"(\S+): unlearned less deeply, more comes back",
            lambda mine, corpus: _ends(mine, corpus, "depth", 1),
        ),
        (
            r"(\S+): repeated more often, more comes back",
            lambda mine, corpus: _ends(mine, corpus, "repetitions", -1),
        ),
        (r"(\S+): more relearn steps bring back more", _more_steps),
        (r"what (\S+) made forget comes back more than what (\S+) did", _methods),
    )
    for pattern, read in kinds:
        found = re.fullmatch(pattern, words)
        if found:
            return read(counted, *found.groups()), True, 1
    raise AssertionError(f"nobody recomputes this statement: {words}")


def _alone(each: Relearning, step: int) -> Pair:
    value, floor = each.steps[step], each.floor(step)
    return each.seed, value, floor, value, floor, each.queries, (each, step), None


def _both(one: Relearning, at: int, other: Relearning, beside: int) -> list[Pair]:
    """A pair; none where the two have controls of other kinds."""
    if one.kinds[at] != other.kinds[beside]:
        return []
    queries = min(one.queries, other.queries)
    scores = (one.steps[at], other.steps[beside])
    return [(one.seed, one.gain(at), other.gain(beside), *scores, queries, (one, at), (other, beside))]


def _place(each: Relearning, *without: str) -> tuple[object, ...]:
    names = ("model", "method", "repetitions", "depth", "corpus", "seed")
    return tuple(getattr(each, name) for name in names if name not in without)


def _corpora(mine: list[Relearning], one: str, other: str) -> list[Pair]:
    found = []
    for each in (each for each in mine if each.corpus == one):
        for beside in (each for each in mine if each.corpus == other):
            steps = set(each.steps) & set(beside.steps)
            if _place(each, "corpus") == _place(beside, "corpus") and steps:
                found += _both(each, max(steps), beside, max(steps))
    return found


def _ends(mine: list[Relearning], corpus: str, axis: str, sign: int) -> list[Pair]:
    """The smallest against the largest value of an axis, at the last step at which there are two."""
    groups: dict[tuple[object, ...], list[Relearning]] = {}
    for each in mine:
        if each.corpus == corpus:
            groups.setdefault(_place(each, axis), []).append(each)
    found = []
    for group in groups.values():
        steps = [step for each in group for step in each.steps]
        shared = [step for step in steps if steps.count(step) > 1]
        if shared:
            there = [each for each in group if max(shared) in each.steps]
            first, last = sorted(there, key=lambda each: sign * getattr(each, axis))[:: len(there) - 1]
            found += _both(first, max(shared), last, max(shared))
    return found


def _more_steps(mine: list[Relearning], corpus: str) -> list[Pair]:
    chosen = [each for each in mine if each.corpus == corpus and len(each.steps) > 1]
    return [pair for each in chosen for pair in _both(each, each.last, each, min(each.steps))]


def _methods(mine: list[Relearning], one: str, other: str) -> list[Pair]:
    """Models that keep as much utility, within ten points."""
    return [
        pair
        for each in mine
        for beside in mine
        if (each.method, beside.method) == (one, other)
        and _place(each, "method", "depth") == _place(beside, "method", "depth")
        and set(each.steps) & set(beside.steps)
        and abs((each.kept or 0) - (beside.kept or 0)) <= 0.1
        for step in [max(set(each.steps) & set(beside.steps))]
        for pair in _both(each, step, beside, step)
    ]
