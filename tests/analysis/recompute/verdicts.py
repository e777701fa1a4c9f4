"""Statements and their verdicts once more, from the relearnings of ``tests.analysis.truth``."""

import re
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from tests.analysis.recompute.estimators import OF_GRIDS, Row, rate, together
from tests.analysis.recompute.same import Same
from tests.analysis.truth.exact import exact
from tests.analysis.truth.relearning import Relearning, over_seeds

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
    of: list[Pair]
    chosen: list[int]
    left_out: int
    slack: tuple[float, float] = (0.0, 0.0)


def judged(statements: list[str], relearnings: list[list[Relearning]]) -> list[Judged]:
    """The verdicts of a table; of each statement, the relearnings of its model and method that count."""
    return judged_pairs([_pairs(words, mine) for words, mine in zip(statements, relearnings, strict=True)])


def every_statement(relearnings: list[Relearning]) -> list[tuple[str, str, str]]:
    """Model, method and words of all that can be stated, of relearnings in their order."""
    found = []
    counted = [each for each in relearnings if each.counts]
    for model in dict.fromkeys(each.model for each in counted):
        of_model = [each for each in counted if each.model == model]
        methods = list(dict.fromkeys(each.method for each in of_model))
        for method in methods:
            mine = [each for each in of_model if each.method == method]
            corpora = list(dict.fromkeys(each.corpus for each in mine))
            words = [
                f"{one} brings back more than {other}"
                for at, one in enumerate(corpora)
                for other in corpora[at + 1 :]
            ]
            for corpus in corpora:
                back = f"relearning {corpus} brings back more than it teaches the control"
                words += [
                    back,
                    *(f"{back}, at its best step ({step})" for step in _best(mine, corpus)),
                    f"{corpus}: unlearned less deeply, more comes back",
                    f"{corpus}: repeated more often, more comes back",
                    f"{corpus}: more relearn steps bring back more",
                ]
            found += [(model, method, each) for each in words if _pairs(each, mine)[0]]
        for at, one in enumerate(methods):
            for other in methods[at + 1 :]:
                words_of_both = f"what {one} made forget comes back more than what {other} did"
                if _pairs(words_of_both, of_model)[0]:
                    found.append((model, f"{one}, {other}", words_of_both))
    return found


def _best(mine: list[Relearning], corpus: str) -> list[int]:
    """The step at which most comes back, where it is not the last of those that most relearnings have."""
    there = [
        (step, each)
        for each in mine
        if each.corpus == corpus
        for step in each.steps
        if each.control[step] is not None
    ]
    reached = [step for step, _ in there]
    gains = {
        step: over_seeds([(each.seed, each.gain(step)) for at, each in there if at == step])
        for step in sorted(set(reached))
        if reached.count(step) == max(map(reached.count, reached))
    }
    if not gains or gains[max(gains)] >= max(gains.values()) - 1e-12:
        return []
    return [max(gains, key=lambda step: gains[step])]


def judged_pairs(statements: list[tuple[list[Pair], bool, list[int]]]) -> list[Judged]:
    """The same of pairs; with each, whether it compares two relearnings, and among which steps one was chosen."""
    rows, why = [], []
    kept = [_above_controls(found) for found, _, _ in statements]
    left_out = [len(found) - len(there) for (found, _, _), there in zip(statements, kept, strict=True)]
    statements = [(there, *rest) for there, (_, *rest) in zip(kept, statements, strict=True)]
    for found, compares, chosen in statements:
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
        share = (fmean(scores) * queries + 1) / (queries + 2)
        by_seed = np.array([fmean(p[1] - p[2] for p in found if p[0] == seed) for seed in seeds])
        answers = [score * pair[5] for pair in found for score in pair[3:5]]
        floor = (1 / (queries + 2)) ** 2 if all(abs(k - round(k)) < 1e-6 for k in answers) else 0.0
        between = np.array([fmean(p[3] - p[4] for p in found if p[0] == seed) for seed in seeds])
        middle = by_seed.mean() - between.mean()
        least, most = min(by_seed.min(), middle - 1), max(by_seed.max(), middle + 1)
        choices = max(1, len(chosen))
        rows.append(Row(by_seed, share * (1 - share), floor=floor, least=least, most=most, choices=choices))
    together([row for row, untold in zip(rows, why, strict=True) if not untold])
    return [
        _said(row, found, chosen, untold, left)
        for row, (found, _, chosen), untold, left in zip(rows, statements, why, left_out, strict=True)
    ]


def _above_controls(found: list[Pair]) -> list[Pair]:
    """Of pairs of two relearnings those above a control; all, where none has one."""
    return [
        pair for pair in found if pair[7] is None or pair[6] == pair[7] or pair[6][0].kinds[pair[6][1]]
    ] or found


def _said(row: Row, found: list[Pair], chosen: list[int], untold: str, left_out: int) -> Judged:
    value, whole = float(row.by_seed.mean()), (len(row.by_seed), len(found))
    more = (_over(found), found, chosen, left_out)
    if untold:
        return Judged(value, np.nan, np.nan, np.nan, *whole, "cannot be said", untold, *more)
    low, high = _opened(row, found)
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
    smallest = row.found["detectable"]
    if low <= 0 <= high:
        smallest = max(smallest, value - low, high - value)
    of_rates = (low < row.found["low_adjusted"], high > row.found["high_adjusted"])
    slack = (OF_GRIDS * of_rates[0], OF_GRIDS * of_rates[1])
    return Judged(value, low, high, smallest, *whole, verdict, because, *more, slack)


def _opened(row: Row, found: list[Pair]) -> tuple[float, float]:
    """The adjusted ends; they reach what the two scores leave open, each by itself, unless 0 would come in."""
    low, high = row.found["low_adjusted"], row.found["high_adjusted"]
    if np.isnan(low):
        return low, high
    asked = min(pair[5] for pair in found)
    seeds = sorted({pair[0] for pair in found})
    down = up = 0.0
    for side, alone in ((3, False), (4, found[0][7] is None)):
        if alone:
            continue  # what a relearning is held against is taken as it was seen
        by_seed = [fmean(pair[side] for pair in found if pair[0] == seed) for seed in seeds]
        begin, end = rate([each * asked for each in by_seed], asked, row.found["level"])
        below, above = fmean(by_seed) - begin, end - fmean(by_seed)
        down += (below if side == 3 else above) ** 2
        up += (above if side == 3 else below) ** 2
    value = float(row.by_seed.mean())
    begin, end = value - down**0.5, value + up**0.5
    if low <= 0 or begin > 0:
        low = min(low, begin)
    if high >= 0 or end < 0:
        high = max(high, end)
    return low, high


def _over(found: list[Pair]) -> dict[str, str]:
    """Corpus, repetitions, depth and relearn steps of the pairs; of both sides where a pair differs in one."""
    sides = [[pair[6] for pair in found], [pair[7] for pair in found if pair[7]]]
    read = {
        "corpus": lambda side: side[0].corpus,
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


def _pairs(words: str, mine: list[Relearning]) -> tuple[list[Pair], bool, list[int]]:
    """The pairs of a statement, whether it compares two relearnings, and among which steps one was chosen."""
    counted = [each for each in mine if each.counts]
    back = re.fullmatch(r"relearning (\S+) brings back more than it teaches the control(.*)", words)
    if back:
        chosen = [each for each in counted if each.corpus == back[1]]
        best = re.fullmatch(r", at its best step \((\d+)\)", back[2])
        if not best:
            return (
                [_alone(each, each.last) for each in chosen if each.control[each.last] is not None],
                False,
                [],
            )
        reached = [step for each in chosen for step in each.steps if each.control[step] is not None]
        shared = [step for step in set(reached) if reached.count(step) == max(map(reached.count, reached))]
        return (
            [_alone(each, int(best[1])) for each in chosen if int(best[1]) in each.steps],
            False,
            sorted(shared),
        )
    kinds = (
        (r"(\S+) brings back more than (\S+)", of_corpora),
        (
            r"(\S+): unlearned less deeply, more comes back",
            lambda mine, corpus: of_ends([each for each in mine if each.corpus == corpus], "depth", 1),
        ),
        (
            r"(\S+): repeated more often, more comes back",
            lambda mine, corpus: of_ends([each for each in mine if each.corpus == corpus], "repetitions", -1),
        ),
        (r"(\S+): more relearn steps bring back more", _more_steps),
        (r"what (\S+) made forget comes back more than what (\S+) did", _methods),
    )
    for pattern, read in kinds:
        found = re.fullmatch(pattern, words)
        if found:
            return read(counted, *found.groups()), True, []
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


def of_corpora(mine: list[Relearning], one: str, other: str) -> list[Pair]:
    """Two corpora of one model, at the last step that both have."""
    found = []
    for each in (each for each in mine if each.corpus == one):
        for beside in (each for each in mine if each.corpus == other):
            steps = set(each.steps) & set(beside.steps)
            if _place(each, "corpus") == _place(beside, "corpus") and steps:
                found += _both(each, max(steps), beside, max(steps))
    return found


def of_ends(mine: list[Relearning], axis: str, sign: int) -> list[Pair]:
    """The smallest against the largest value of an axis, at the last step at which there are two."""
    groups: dict[tuple[object, ...], list[Relearning]] = {}
    for each in mine:
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
        and exact(abs((each.kept or 0) - (beside.kept or 0))) <= exact(0.1)
        for step in [max(set(each.steps) & set(beside.steps))]
        for pair in _both(each, step, beside, step)
    ]


VERDICT = (
    r"(?P<verdict>holds|does not hold|cannot be said)(?:, since (?P<why>.*?))?"
    r" \((?P<points>[+-]\d+) points(?: \((?P<ends>[+-]\d+ to [+-]\d+)\))?, (?:(?P<seeds>\d+) of )?"
    r"(?P<planned>\d+) seeds?"
    r"(?:, at (?P<steps>\d+ to \d+) relearn steps)?"
    r"(?:; the smallest effect that could have been seen is (?P<smallest>\d+) points"
    r"|; (?P<nothing>no effect of up to 100 points could have been seen))?\)"
)


def check_verdict(words: str, again: Judged, planned_seeds: int) -> None:
    """``holds (+24 points (+4 to +43), 3 seeds)``."""
    found = re.fullmatch(VERDICT, words)
    assert found, f"nobody recomputes this verdict: {words}"
    Same.text(found["verdict"], again.verdict, words)
    Same.text(found["why"] or "", again.because, words)
    shown = found["points"] + (f" ({found['ends']})" if found["ends"] else "")
    Same.interval(shown, 100 * again.value, 100 * again.low, 100 * again.high, words, again.slack)
    Same.text(found["seeds"] or found["planned"], again.seeds, words)
    Same.text(found["planned"], planned_seeds, words)
    steps = sorted({side[1] for pair in again.of for side in pair[6:8] if side is not None})
    apart = any(pair[7] is not None and pair[6][1] != pair[7][1] for pair in again.of)
    Same.text(found["steps"] or "", "" if apart or len(steps) == 1 else f"{steps[0]} to {steps[-1]}", words)
    if again.verdict != "cannot be said" or np.isnan(again.smallest):
        assert not found["smallest"] and not found["nothing"], words
    elif again.smallest > 1:
        assert found["nothing"], (words, again.smallest)
    else:
        Same.number(found["smallest"], 100 * again.smallest, words, max(again.slack))


def check_over(words: str, again: Judged) -> None:
    """``repetitions 5, 7; depth 7, 8 against 12; relearn steps 40``: which values the pairs have."""
    kept = [100 * (side[0].kept or 0.0) for pair in again.of for side in pair[6:8] if side is not None]
    left_out = re.search(r"; (\d+) pairs? without a control left out$", words)
    assert int(left_out[1] if left_out else 0) == again.left_out, words
    for part in words.removesuffix(left_out[0] if left_out else "").split("; "):
        named = re.fullmatch(r"(corpus|repetitions|depth|relearn steps) (.*)", part)
        methods = re.fullmatch(
            r"models whose retain scores differ by at most 10 points \(they keep (\d+) to (\d+)% of the original's\)",
            part,
        )
        if named:
            Same.text(named[2], again.over[named[1]], words)
        elif methods:
            Same.number(methods[1], min(kept), words)
            Same.number(methods[2], max(kept), words)
        else:
            Same.text(part, f"the best of steps {', '.join(map(str, again.chosen))}", words)
