"""What a page begins with: first of all what comes back in one place, chosen by a rule that does not look at it."""

import re
from statistics import fmean

from tests.analysis.recompute.estimators import OF_GRIDS
from tests.analysis.recompute.paper import rate_of
from tests.analysis.recompute.same import Same
from tests.analysis.recompute.source import Source
from tests.analysis.recompute.verdicts import Judged, check_verdict, every_statement, judged
from tests.analysis.truth.relearning import Relearning
from tests.analysis.truth.sentences import check as check_sentence

MOST = 5
"""Pairs of model and method, and corpora of each, that are named."""
RATE = r"\d+%(?: \(\d+–\d+\))?"
LEAD = (
    rf"(?:(?P<whose>.+?): a|A)t (?:r = (?P<r>\d+), )?depth (?P<depth>\d+), "
    rf"(?P<clauses>.*?{RATE}(?: in \d+ of \d+ seeds?)?)"
    r"(?: \((?P<more>\d+) more reach no more\))?"
    rf"(?:, from (?P<before>{RATE}) before)?"
    r"(?:; a model that never learned it reaches (?P<controls>.*?))?"
    rf"(?:; before unlearning (?:it|the .+?) was (?P<original>{RATE}))?"
    r"\.(?: (?P<premise>.*))?"
)
CLAUSE = (
    rf"(?:(\d+) steps? )?on (.+?)(?: reach(?:es)?)?( no more than before,)? ({RATE})"
    r"( in \d+ of \d+ seeds?)?(?:, |$)"
)
PREMISES = (
    "No model knew the answers and had forgotten them, so this is no recovery of what was known.",
    "No original model was asked, so whether anything was known before is not known.",
)


def check_lead(source: Source, sentences: list[str]) -> None:
    """The sentences that begin a page, one for each model and method, as many as are named."""
    groups: dict[tuple[str, str], list[Relearning]] = {}
    for each in in_order(source, source.truth.relearnings):
        groups.setdefault((each.model, each.method), []).append(each)
    if len(groups) > MOST:
        more = f"{len(groups) - MOST} more pairs of model and method are in the tables."
        Same.text(sentences[-1], more, sentences)
        sentences = sentences[:-1]
    several = [len({pair[at] for pair in _every(source)}) > 1 for at in (0, 1)]
    shown = list(groups.items())[:MOST]
    assert len(sentences) == len(shown), sentences
    for sentence, (pair, mine) in zip(sentences, shown, strict=True):
        found = re.fullmatch(LEAD, sentence)
        assert found, f"nobody recomputes this sentence: {sentence}"
        whose = ", ".join(name for name, told in zip(pair, several, strict=True) if told)
        Same.text(found["whose"] or "", whose, sentence)
        _check(source, found, mine)


def _every(source: Source) -> set[tuple[str, str]]:
    return {(each.model, each.method) for each in source.truth.every}


def in_order(source: Source, relearnings: list[Relearning]) -> list[Relearning]:
    """By the coordinates in turn, names as the study declares them."""
    order = {
        name: {str(value): at for at, value in enumerate(source.cells[name].cat.categories)}
        for name in ("model", "method", "corpus")
    }
    return sorted(
        relearnings,
        key=lambda each: (
            order["model"][each.model],
            order["method"][each.method],
            each.repetitions,
            each.depth,
            order["corpus"][each.corpus],
            each.seed,
        ),
    )


def _check(source: Source, found: "re.Match[str]", mine: list[Relearning]) -> None:
    repetitions, depth, counts, premise = _place(mine)
    Same.text(found["premise"] or "", premise, found[0])
    Same.text(found["depth"], depth, found[0])
    several = len({each.repetitions for each in mine}) > 1
    Same.text(found["r"] or "", repetitions if several else "", found[0])
    here = [each for each in mine if (each.repetitions, each.depth) == (repetitions, depth)]
    shown = [each for each in here if each.counts] if counts else here
    corpora = list(dict.fromkeys(each.corpus for each in shown))
    if len(corpora) > MOST:
        means = {name: fmean(each.steps[_step(shown, name)] for each in _of(shown, name)) for name in corpora}
        corpora.sort(key=lambda name: -means[name])
    Same.text(found["more"] or "", len(corpora) - MOST if len(corpora) > MOST else "", found[0])
    clauses = re.findall(CLAUSE, found["clauses"])
    assert len(clauses) == min(MOST, len(corpora)), found[0]
    steps = ""
    for (at, name, no_more, shown_rate, part), corpus in zip(clauses, corpora, strict=False):
        steps = at or steps
        _check_clause(source, (steps, name, bool(no_more), shown_rate, part), corpus, shown, found[0])
    _check_controls(source, found, shown, corpora[:MOST])
    for name in ("before", "original"):
        by_seed = {each.seed: getattr(each, name) for each in reversed(shown)}
        asked = {each.seed: each.queries for each in shown}
        told = [(seed, value, asked[seed]) for seed, value in sorted(by_seed.items()) if value is not None]
        _check_rate(source, found[name], told, found[0])


def _step(shown: list[Relearning], corpus: str) -> int:
    """The last step that most of the seeds have."""
    mine = [each for each in shown if each.corpus == corpus]
    seeds = {
        step: len({each.seed for each in mine if step in each.steps}) for each in mine for step in each.steps
    }
    return max(step for step, count in seeds.items() if count == max(seeds.values()))


def _of(shown: list[Relearning], corpus: str) -> list[Relearning]:
    """Those of a corpus that have the step which is told of."""
    step = _step(shown, corpus)
    return [each for each in shown if each.corpus == corpus and step in each.steps]


def _check_rate(
    source: Source, shown: str | None, values: list[tuple[int, float, float]], about: str
) -> None:
    """A rate with its interval over seeds; nothing where nobody was asked."""
    if not values:
        Same.text(shown or "", "", about)
        return
    assert shown, about
    value, low, high = rate_of(values, source.truth.alike)
    Same.interval(shown.replace("–", " – "), 100 * value, 100 * low, 100 * high, about, OF_GRIDS)


def _check_clause(
    source: Source, clause: tuple[str, str, bool, str, str], corpus: str, shown: list[Relearning], about: str
) -> None:
    steps, name, no_more, rate, part = clause
    plain, _, settings = corpus.partition("(")
    spoken = ", ".join(re.sub("[=_]", " ", settings.rstrip(")")).split(","))
    Same.text(name, f"{plain} ({spoken})" if spoken else plain, about)
    last, mine = _step(shown, corpus), _of(shown, corpus)
    Same.text(steps, last, about)
    seeds, planned = len({each.seed for each in mine}), len({each.seed for each in shown})
    Same.text(part, f" in {seeds} of {planned} seeds" if seeds < planned else "", about)
    value, low, high = rate_of(
        [(each.seed, each.steps[last], each.queries) for each in mine], source.truth.alike
    )
    Same.interval(rate.replace("–", " – "), 100 * value, 100 * low, 100 * high, about, OF_GRIDS)
    begun = [each.before for each in mine if each.before is not None]
    before, after = fmean(begun) if begun else 0.0, fmean(each.steps[last] for each in mine)
    assert no_more == (before > 0 and after <= before and f"{100 * before:.0f}" != "0"), about


def _check_controls(
    source: Source, found: "re.Match[str]", shown: list[Relearning], corpora: list[str]
) -> None:
    """Of each corpus that is named, or once for all of them where that is the same."""
    by_corpus: dict[str, list[tuple[int, float, float]]] = {}
    for corpus in corpora:
        for each in shown:
            control = each.control.get(_step(shown, corpus)) if each.corpus == corpus else None
            if control is not None:
                by_corpus.setdefault(corpus, []).append((each.seed, control, each.queries))
    said = found["controls"] or ""
    if not by_corpus:
        Same.text(said, "", found[0])
        return
    once = re.fullmatch(rf"({RATE})( on each)?", said)
    if once:
        Same.text(once[2] or "", " on each" if len(by_corpus) > 1 else "", found[0])
    rates = re.findall(RATE, said)
    rates = rates * len(by_corpus) if once else rates
    assert len(rates) == len(by_corpus), found[0]
    for rate, values in zip(rates, by_corpus.values(), strict=True):
        _check_rate(source, rate, values, found[0])


def _place(mine: list[Relearning]) -> tuple[int, int, bool, str]:
    """Repetitions, depth, whether only those that count are told of, and what is said of it."""
    places = {(each.repetitions, each.depth) for each in mine}
    seeds = {
        place: len({each.seed for each in mine if (each.repetitions, each.depth) == place and each.counts})
        for place in places
    }
    most, planned = max(seeds.values()), len({each.seed for each in mine})
    if not most:
        repetitions, depth = max(places)
        return repetitions, depth, False, PREMISES[all(each.original is None for each in mine)]
    repetitions, depth = min(
        (place for place, count in seeds.items() if count == most), key=lambda place: (-place[0], place[1])
    )
    lacking = (
        f"This is of {most} of {planned} seeds: the others did not know, had not forgotten, or have no score."
    )
    return repetitions, depth, True, lacking if most < planned else ""


LEADS = r"(?:.+: a|A)t (?:r = \d+, )?depth \d+, |\d+ more pairs of model and method are in the tables\."


def check_begun(source: Source, blocks: list[str]) -> None:
    """What stands before the first table: the name, the question, sentences, and the facts."""
    name, *blocks, facts = blocks
    assert name.startswith("# ")
    question = str(source.content["spec"].get("question", ""))
    said = "\n\n".join(blocks)
    assert said.startswith(question), said
    blocks = [block for block in said.removeprefix(question).split("\n\n") if block]
    leads = [block for block in blocks if re.match(LEADS, block)]
    check_lead(source, leads)
    check_sentences(source, [block for block in blocks if block not in leads])
    Same.text(facts, _facts(source), facts)


def check_sentences(source: Source, sentences: list[str]) -> None:
    """Sentences on how far the answer goes; of those that are verdicts, the intervals too."""
    several = len({(each.model, each.method) for each in source.truth.relearnings}) > 1
    told = {
        (f"{model}, {method}: " if several else "") + words: (model, again)
        for (model, method, words), again in verdicts_of(source).items()
    }
    back = "brings back more than it teaches the control"
    for sentence in sentences:
        more = re.match(r"([\d,]+) more such statements stand in the table", sentence)
        if more:
            shown = sum(back in each for each in sentences)
            Same.text(more[1], sum(back in words for words in told) - shown, sentence)
        check_sentence(source.truth, sentence)
        Same.compared += len(re.findall(r"\d+", sentence))
        whole = sentence.removesuffix(".")
        for words, (model, again) in told.items():
            begun = f"{words}: "
            if whole.startswith((begun, f"{begun[0].upper()}{begun[1:]}")):
                planned = {row["seed"] for row in source.truth.planned if row["model"] == model}
                check_verdict(whole[len(begun) :], again, len(planned))
                break
        else:
            assert back not in sentence, f"no such statement: {sentence}"


def verdicts_of(source: Source) -> dict[tuple[str, str, str], Judged]:
    """Model, method and words of every statement, with its verdict."""
    relearnings = in_order(source, source.truth.relearnings)
    every = every_statement(relearnings)
    mine = [
        [each for each in relearnings if each.model == model and each.method in (method, *method.split(", "))]
        for model, method, _ in every
    ]
    return dict(zip(every, judged([words for *_, words in every], mine), strict=True))


def _facts(source: Source) -> str:
    content = source.content
    packages = content.get("provenance", {}).get("environment", {}).get("packages", {})
    seeds = sorted(source.truth.planned_seeds)
    named = ", ".join(map(str, seeds[:12])) + (", …" if len(seeds) > 12 else "")
    planned = len(source.truth.planned)
    missing = planned - cells_there(source)
    lacking = (
        f"{missing:,} cells are missing and shown as missing, never as 0" if missing else "nothing is missing"
    )
    facts = {
        "begun": str(content.get("created", ""))[:10],
        "relearn": str(packages.get("relearn", "")),
        "model": ", ".join(map(str, content["axes"]["model"])),
        "seeds": f"{len(seeds)} ({named})",
        "cells": f"{planned - missing:,} of {planned:,} cells; {lacking}",
    }
    return "; ".join(f"{name}: {value}" for name, value in facts.items() if value) + "."


def cells_there(source: Source) -> int:
    """How many planned cells have rows."""
    keys = ["scenario", "model", "method", "start", "repetitions", "depth", "corpus", "relearn_steps", "seed"]
    there = set(source.cells[keys].drop_duplicates().astype(str).itertuples(index=False, name=None))
    return sum(tuple(str(row[key]) for key in keys) in there for row in source.truth.planned)
