"""Beside the paper once more: its numbers and claims as they were read there, and ours from the relearnings."""

import re
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from tests.analysis.recompute.estimators import OF_GRIDS, rate
from tests.analysis.recompute.same import Same
from tests.analysis.recompute.source import Source
from tests.analysis.recompute.verdicts import (
    Judged,
    Pair,
    check_over,
    check_verdict,
    judged_pairs,
    of_corpora,
    of_ends,
)
from tests.analysis.truth.relearning import Relearning

Line = Mapping[str, str]
POST, SECOND = "the authors' post", "reported, secondary"
METRIC = {
    "names": "keyword_anywhere",
    "tofu": "keyword_hit",
    "whp-keyword": "keyword_hit",
    "wmdp": "judge_rating",
    "whp-verbatim": "rouge_l",
}
ABOVE_70 = "above 70% where unlearning is shallow"
READ: dict[str, tuple[tuple[str | None, str | None, int | None, str, str, str], ...]] = {
    "names": (
        (None, None, 7, "0%", "100%", POST),
        (None, None, 5, "0%", "97%", POST),
        (None, None, 3, "0%", "23%", POST),
        (None, None, 1, "0%", "0%", POST),
        (None, "gibberish", None, "not known", "9%", SECOND),
        (None, "prefix", None, "not known", "100%", SECOND),
    ),
    "tofu": (("gradient_ascent", None, None, "not known", ABOVE_70, POST),),
    "whp-keyword": (("whp", None, None, "not known", ABOVE_70, POST),),
    "wmdp": (
        ("gradient_ascent", None, None, "1.27", "6.2", POST),
        ("gradient_ascent", None, None, "1.67 (LoRA)", "5.2 (LoRA)", SECOND),
        ("npo", None, None, "1 (LoRA)", "5.08 (LoRA)", SECOND),
    ),
    "whp-verbatim": (
        (None, None, None, "0.03–0.23", "0.44–0.78", SECOND),
        ("gradient_ascent", None, None, "0.19", "0.78", SECOND),
        ("npo", None, None, "0.03", "0.72", SECOND),
    ),
}
"""Of which method, corpus and repetitions; before, after, and where it is known from."""
CLAIMED = {
    "names": {
        "repeated": POST,
        "correlated": SECOND,
        "deeper": f"{POST}, of TOFU",
        "D": f"{SECOND}, of TOFU",
    },
    "tofu": {"shallow": POST, "deeper": POST, "past": POST, "D": SECOND},
    "whp-keyword": {"shallow": POST, "deeper": POST},
    "wmdp": {"raises": POST},
    "whp-verbatim": {"raises": SECOND},
}
"""The claims by a word of each, and where it is known from."""
IN_WORDS = {
    "repeated": "the more a pair was repeated, the more comes back: most repetitions minus fewest",
    "correlated": "correlated text recovers more than gibberish: difference",
    "deeper": "deeper unlearning is harder to undo: shallowest depth minus deepest",
    "shallow": "where unlearning is shallow, relearning gives above 70%",
    "past": "past 40 steps more relearning lowers it: at 40 or before minus at the last step",
    "D": "a model that never learned D stays at 0% (below 5% here), relearned on the same corpus",
    "raises": "relearning raises the score: after minus before",
}


def rate_of(values: list[tuple[int, float, float]], alike: float) -> tuple[float, float, float]:
    """The mean over seeds of each seed's mean, and its interval, of (seed, share, queries)."""
    seeds = sorted({seed for seed, *_ in values})
    means = [fmean(share for at, share, _ in values if at == seed) for seed in seeds]
    asked = min(queries for *_, queries in values)
    return fmean(means), *rate([mean * asked for mean in means], asked, alike=alike)


def _rate(source: Source, mine: list[Relearning], name: str) -> tuple[float, float, float]:
    read: dict[str, Callable[[Relearning], float | None]] = {
        "original": lambda each: each.original,
        "before": lambda each: each.before,
        "after": lambda each: each.steps[each.last],
    }
    values = [(each.seed, share, each.queries) for each in mine if (share := read[name](each)) is not None]
    return rate_of(values, source.truth.alike) if values else (np.nan, np.nan, np.nan)


def _shown(source: Source, row: Line, name: str, told: tuple[float, float, float]) -> None:
    """In percent; a judge's rating as such."""
    least, span = (1, 9) if source.metric == "judge_rating" else (0, 100)
    Same.interval(
        row[name], *(least + span * each for each in told), about=(name, row), slack=OF_GRIDS * span / 100
    )


def _groups(source: Source, rows: Sequence[Line]) -> list[tuple[str, str, list[Line], list[Relearning]]]:
    """Each model and method with its rows and relearnings; of a study without any, its models."""
    every = source.truth.relearnings
    places = sorted({(each.model, each.method) for each in source.truth.every})
    places = places or [(model, "none") for model in sorted({row["model"] for row in source.truth.rows})]
    made = []
    for model, method in places:
        own = [
            row for row in rows if row.get("model", model) == model and row.get("method", method) == method
        ]
        mine = [each for each in every if (each.model, each.method) == (model, method)]
        made.append((model, method, own, mine))
    assert sum(len(own) for _, _, own, _ in made) == len(rows), "a row is of one model and method"
    return made


def check_numbers(source: Source, rows: Sequence[Line]) -> None:
    """The paper's numbers beside ours."""
    run = {row["method"].split("(")[0] for row in source.truth.rows}
    order = list(source.cells["corpus"].cat.categories)
    for _, method, own, mine in _groups(source, rows):
        base = method.split("(")[0] if mine else ""
        read = [each for each in READ[source.truth.scenario] if each[0] not in run - {base}]
        assert len(own) == len(read)
        for row, (of, corpus, count, before, after, evidence) in zip(own, read, strict=True):
            corpus = corpus or min((each.corpus for each in mine), key=order.index, default="none")
            part = [each for each in mine if each.corpus == corpus]
            what = f"{method if mine else 'no method'}{f' (there {of})' if of not in (None, base) else ''}"
            what += f", corpus {corpus}"
            if source.truth.scenario == "names":
                count = count or max((each.repetitions for each in mine), default=0)
                part = [each for each in part if each.repetitions == count]
                what += f", {count} repetitions"
            part = part if of in (None, base) else []
            what = what.removeprefix(f"{row['method']}, ") if "method" in row else what
            for name, text in (
                ("what", what),
                ("before, paper", before),
                ("after, paper", after),
                ("known from", evidence),
            ):
                Same.text(row[name], text, row)
            _number(source, row, part)


def _number(source: Source, row: Line, part: list[Relearning]) -> None:
    kept = [each for each in part if each.counts]
    originals = [each.original for each in part if each.original is not None]
    reason = ""
    if source.metric != METRIC[source.truth.scenario]:
        shown = re.fullmatch(r"scored here by (\S+), there by (\S+): not compared", row["remark"])
        assert shown and shown.groups() == (source.metric, METRIC[source.truth.scenario]), row
        reason = row["remark"]
    elif not part:
        reason = "not run here"
    elif not originals:
        reason = "no original model was asked, so it cannot be said what was known"
    elif not any(each.known for each in part):
        told = re.fullmatch(r"not known: the originals answer (\d+)%", row["remark"])
        assert told, row
        Same.number(told[1], 100 * fmean(originals), row)
        reason = row["remark"]
    elif not kept:
        reason = "no depth at which a model that knew had forgotten"
    if reason:
        Same.text(row["remark"], reason, row)
        assert (row["before"], row["after"]) == ("–", "–"), row
        return
    for name in ("before", "after"):
        _shown(source, row, name, _rate(source, kept, name))
    counts, depths = (
        ", ".join(map(str, sorted({getattr(each, name) for each in kept})))
        for name in ("repetitions", "depth")
    )
    one = "; one seed" if len({each.seed for each in kept}) == 1 else ""
    words = f"repetitions {counts}; depth {depths}; {_many(len(kept), 'relearning')}{one}"
    Same.text(row["remark"], words, row)


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def check_repetitions(source: Source, rows: Sequence[Line]) -> None:
    """What comes back on prefix, by repetitions."""
    paper = {count: (before, after) for _, _, count, before, after, _ in READ["names"] if count}
    for _, _, own, mine in _groups(source, rows):
        mine = [each for each in mine if each.corpus == "prefix"]
        counts = sorted({each.repetitions for each in mine}, reverse=True)
        for row, count in zip(own, counts, strict=True):
            part = [each for each in mine if each.repetitions == count]
            check_repetition(source, row, part, *paper.get(count, ("–", "–")))


def check_repetition(source: Source, row: Line, part: list[Relearning], before: str, after: str) -> None:
    """A row of that table."""
    kept = [each for each in part if each.counts]
    (count,) = {each.repetitions for each in part}
    Same.text(row["repetitions"], count, row)
    _shown(source, row, "original", _rate(source, part, "original"))
    _shown(source, row, "unlearned", _rate(source, kept, "before"))
    _shown(source, row, "relearned", _rate(source, kept, "after"))
    Same.text(row["cells"], len(kept), row)
    Same.text(row["left out: not known"], sum(not each.known for each in part), row)
    Same.text(
        row["left out: not forgotten"], sum(bool(each.known) and not each.forgotten for each in part), row
    )
    Same.text(row["unlearned, paper"], before, row)
    Same.text(row["relearned, paper"], after, row)


def check_claims(source: Source, rows: Sequence[Line]) -> None:
    """The paper's claims, each with its verdict."""
    groups = _groups(source, rows)
    for model, method, own, mine in groups:
        whose = f" ({model}, {method})" if len(groups) > 1 else ""
        counted = [each for each in mine if each.counts]
        related = [each for each in counted if each.corpus != "gibberish"]
        planned = len({row["seed"] for row in source.truth.planned if row["model"] == model})
        corpora = _controlled(source, model)
        expected = [
            (word, corpus)
            for word in CLAIMED[source.truth.scenario]
            for corpus in (list(corpora) if word == "D" else [""])
        ]
        differences = {
            word: (found, True, list[int]())
            for word in CLAIMED[source.truth.scenario]
            if word not in ("D", "shallow") and (found := _pairs(word, counted, related))
        }
        told = dict(zip(differences, judged_pairs(list(differences.values())), strict=True))
        for row, (word, corpus) in zip(own, expected, strict=True):
            assert row["claim of the paper"].endswith(whose), f"of which model and method? {row}"
            words = row["claim of the paper"].removesuffix(whose)
            Same.text(words.rpartition(": ")[0] if corpus else words, IN_WORDS[word], row)
            Same.text(row["known from"], CLAIMED[source.truth.scenario][word], row)
            if word in told:
                _difference(source, row, told[word], planned)
            elif word == "D" and corpus:
                named = words.rpartition(": ")[2]
                assert named in corpora, f"of which corpus? {row}"
                corpora.remove(named)
                _bound(source, row, _control(source, model, named), 0.05, at_most=True)
            elif word == "shallow" and related:
                _bound(source, row, _shallow(related), 0.7, at_most=False)
            else:
                _not_run(row, word, related)


ABSENT = {
    "repeated": "no relearning counts at two repetition counts",
    "correlated": "gibberish was not run",
    "deeper": "no relearning counts at two depths",
    "past": "no step past 40 was run",
    "D": "no control that never learned was run",
}


def _not_run(row: Line, word: str, related: list[Relearning]) -> None:
    """Of cells that are not there."""
    nothing = "no benign relearning of a model that is known to have known and forgotten"
    Same.text(row["remark"], ABSENT[word] if related or word == "D" else nothing, row)
    assert (row["ours"], row["holds here"]) == ("–", "cannot be said"), row


def _pairs(word: str, counted: list[Relearning], related: list[Relearning]) -> list[Pair]:
    if word == "repeated":
        return of_ends(related, "repetitions", -1)
    if word == "deeper":
        return of_ends(related, "depth", 1)
    if word == "correlated":
        corpora = sorted({each.corpus for each in related})
        return [pair for corpus in corpora for pair in of_corpora(counted, corpus, "gibberish")]
    if word == "raises":
        return [
            _own(each, each.last, each.steps[each.last], each.before)
            for each in related
            if each.before is not None
        ]
    assert word == "past", word
    return [
        _own(each, max(within), each.steps[max(within)], each.steps[each.last])
        for each in related
        if (within := [step for step in each.steps if step <= 40]) and each.last > 40
    ]


def _own(each: Relearning, step: int, one: float, other: float) -> Pair:
    """A relearning's own two scores."""
    return each.seed, one, other, one, other, each.queries, (each, step), (each, step)


def _difference(source: Source, row: Line, again: Judged, planned: int) -> None:
    found = re.fullmatch(r"(.*?); ([\d,]+) pairs?; (.*)", row["remark"])
    assert found, row
    check_over(found[1], again)
    Same.text(found[2], again.pairs, row)
    check_verdict(found[3], again, planned)
    holds = {"holds": "yes", "does not hold": "no", "cannot be said": "cannot be said"}
    Same.text(row["holds here"], holds[again.verdict], row)
    scale = 9 if source.metric == "judge_rating" else 100
    value, low, high = (scale * each for each in (again.value, again.low, again.high))
    Same.interval(row["ours"], value, low, high, row, again.slack)


def _controlled(source: Source, model: str) -> list[str]:
    """The benign corpora on which the model that never learned was relearned, and nothing where there is none."""
    return sorted({row["corpus"] for row in _never(source, model)}) or [""]


def _never(source: Source, model: str) -> list[dict[str, Any]]:
    rows = source.truth.find(start="never_learned", model=model, depth=0)
    return [row for row in rows if row["benign"] and row["corpus"] != "none" and row["relearn_steps"] > 0]


def _control(source: Source, model: str, corpus: str) -> list[dict[str, Any]]:
    """The last step of each."""
    rows = [row for row in _never(source, model) if row["corpus"] == corpus]
    last: dict[tuple[int, int], int] = {}
    for row in rows:
        place = (row["repetitions"], row["seed"])
        last[place] = max(last.get(place, 0), row["relearn_steps"])
    return [
        {
            "repetitions": row["repetitions"],
            "relearn steps": row["relearn_steps"],
            "seed": row["seed"],
            "value": row["value"],
            "queries": row["n"] if row["n"] is not None else source.truth.queries,
        }
        for row in rows
        if row["relearn_steps"] == last[row["repetitions"], row["seed"]]
    ]


def _shallow(related: list[Relearning]) -> list[dict[str, Any]]:
    """Each corpus, repetition count and seed at its least depth."""
    least: dict[tuple[str, int, int], int] = {}
    for each in related:
        place = (each.corpus, each.repetitions, each.seed)
        least[place] = min(least.get(place, each.depth), each.depth)
    return [
        {
            "corpus": each.corpus,
            "repetitions": each.repetitions,
            "depth": each.depth,
            "relearn steps": each.last,
            "seed": each.seed,
            "value": each.steps[each.last],
            "queries": each.queries,
        }
        for each in related
        if each.depth == least[each.corpus, each.repetitions, each.seed]
    ]


def _bound(source: Source, row: Line, cells: list[dict[str, Any]], bound: float, at_most: bool) -> None:
    """A claim that a rate is above, or below, some bound."""
    told = rate_of([(cell["seed"], cell["value"], cell["queries"]) for cell in cells], source.truth.alike)
    _shown(source, row, "ours", told)
    value, low, high = told
    names = [name for name in ("corpus", "repetitions", "depth", "relearn steps") if name in cells[0]]
    over = "; ".join(
        f"{name} {', '.join(map(str, sorted({cell[name] for cell in cells})))}" for name in names
    )
    begun = f"{over}; {_many(len(cells), 'cell')}; "
    assert row["remark"].startswith(begun), (row, begun)
    words = row["remark"].removeprefix(begun)
    seeds = len({cell["seed"] for cell in cells})
    if seeds < 2:
        verdict, said = "cannot be said", "cannot be said, since one seed tells nothing of others"
    elif not low <= bound <= high:
        holds = (low > bound) != at_most
        verdict, said = ("yes", "holds") if holds else ("no", "does not hold")
    else:
        verdict, said = "cannot be said", f"cannot be said, since the interval holds {100 * bound:.0f}%"
    Same.text(row["holds here"], verdict, row)
    if value in (0, 1) and seeds > 1 and verdict == "cannot be said":
        nothing = r"nothing came back in ([\d,]+) answers, but (\d+) seeds cannot rule out up to (\d+)%"
        all_of_it = (
            r"everything came back in ([\d,]+) answers, but (\d+) seeds cannot rule out as little as (\d+)%"
        )
        found = re.fullmatch(f"cannot be said: {all_of_it if value else nothing}", words)
        assert found, row
        Same.text(found[1], round(sum(cell["queries"] for cell in cells)), row)
        Same.text(found[2], seeds, row)
        Same.number(found[3], 100 * (low if value else high), row, OF_GRIDS)
    else:
        Same.text(words, said, row)
