"""The audit of the relearn corpora: does a benign one hold an answer, and how similar is it to the forget set?

A corpus that holds an answer would make relearning plain learning. An answer is a keyword of a forget probe, as whole
words in any case and by the rules of the scores (``study.text.words``); and, where the scenario sets a bound, a run
of words that a target has too and that is longer than the bound, or a shorter target whole. A target of one word is
an answer only beside a word that tells its question from the others: "iron" alone stands in any text on kilns.
Similarity is recorded, to tell whether recovery follows relevance.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from study.errors import SpecError
from study.text.examples import Corpus, Material, Probe, RelearnCorpus
from study.text.words import holds, words

LONGEST_RUN = 64
COMPARED_WORDS = 2000
"""How many words of each text the edit distance compares: its time grows with their product."""


@dataclass(frozen=True)
class Audit:
    """The findings about one relearn corpus.

    Attributes:
        leak: the answer that it holds, as a sentence; None where there is none.
        benign: False for a corpus with a leak, and for one that holds the answers on purpose.
        examples, words: its size, counted in both.
        lexical_overlap: share of its distinct words that the forget set has too, 0 to 1.
        edit_distance: Levenshtein's, in words, over the longer text's length, 0 to 1; of the first
            ``COMPARED_WORDS`` words of each.
        shared_run: the longest run of words that it has in common with a forget target, counted up to
            ``LONGEST_RUN``.
    """

    corpus: str
    benign: bool
    leak: str | None
    examples: int
    words: int
    lexical_overlap: float
    edit_distance: float
    shared_run: int


def audit(material: Material, corpora: Iterable[str], leaks: str, where: str) -> tuple[Audit, ...]:
    """The audits of the named corpora, in their order.

    Args:
        leaks: ``refuse``, or ``mark`` to go on with a corpus that leaks, which is then not benign.
        where: begins the message of a refusal.

    Raises:
        SpecError: a corpus has no text, or a benign one holds an answer and ``leaks`` is ``refuse``.
    """
    found = []
    for name in corpora:
        chosen = material.relearn[name]
        if not len(chosen.corpus):
            raise SpecError(
                f"corpus={name}, {where}: holds no text to relearn; leave it out, or give data that has some"
            )
        run = _longest_shared_run(material, chosen.corpus)
        leak = _leak(material, chosen, run)
        if leak is not None and leaks == "refuse":
            raise SpecError(
                f"corpus={name}, {where}: {leak}, so relearning it would be learning; take it out of the "
                "corpus, or --set leaks=mark to go on with rows that are marked as not benign"
            )
        ours, forget = _words(chosen.corpus), _words(material.forget)
        found.append(
            Audit(
                corpus=name,
                benign=chosen.benign and leak is None,
                leak=leak,
                examples=len(chosen.corpus),
                words=len(ours),
                lexical_overlap=len(set(ours) & set(forget)) / max(1, len(set(ours))),
                edit_distance=_edit_distance(ours[:COMPARED_WORDS], forget[:COMPARED_WORDS]),
                shared_run=run,
            )
        )
    return tuple(found)


def _leak(material: Material, chosen: RelearnCorpus, shared_run: int) -> str | None:
    if not chosen.benign:
        return None
    keywords = {
        word for probe in material.probes.probes if probe.split == "forget" for word in probe.keywords
    }
    for index, example in enumerate(chosen.corpus.examples):
        for word in sorted(keywords):
            if holds(example.prompt, word, any_case=True) or holds(example.completion, word, any_case=True):
                return f"sequence {index + 1} holds the answer {word!r}"
    if material.shared_words is not None and shared_run > material.shared_words:
        return (
            f"it shares {shared_run} words in a row with a target, and at most {material.shared_words} are "
            "allowed"
        )
    return None if material.shared_words is None else _short_answer(material, chosen.corpus)


def _short_answer(material: Material, corpus: Corpus) -> str | None:
    """Where a corpus holds a whole target that is too short for the bound on shared runs."""
    asked = [probe for probe in material.probes.probes if probe.split == "forget"]
    in_questions = Counter(word for probe in asked for word in set(words(probe.prompt)))
    short: list[tuple[Probe, set[str] | None]] = []
    for probe in asked:
        target = words(probe.target)
        if 0 < len(target) <= (material.shared_words or 0):
            counts = {word: in_questions[word] for word in words(probe.prompt) if word not in target}
            telling = {word for word, count in counts.items() if count == min(counts.values())}
            short.append((probe, telling if len(target) == 1 else None))
    for index, example in enumerate(corpus.examples):
        found = set(words(example.text))
        for probe, telling_words in short:
            if (telling_words is None or telling_words & found) and holds(
                example.text, probe.target, any_case=True
            ):
                return f"sequence {index + 1} holds the answer {probe.target!r} to {probe.prompt[-60:]!r}"
    return None


def _longest_shared_run(material: Material, corpus: Corpus) -> int:
    targets = [tuple(words(probe.target)) for probe in material.probes.probes if probe.split == "forget"]
    texts = [tuple(words(example.text)) for example in corpus.examples]
    # A run of n words is shared when some n-gram is.
    for size in range(1, LONGEST_RUN + 1):
        grams = {target[at : at + size] for target in targets for at in range(len(target) - size + 1)}
        if not any(text[at : at + size] in grams for text in texts for at in range(len(text) - size + 1)):
            return size - 1
    return LONGEST_RUN


def _edit_distance(ours: list[str], theirs: list[str]) -> float:
    from rapidfuzz.distance import Levenshtein

    return float(Levenshtein.normalized_distance(ours, theirs))


def _words(corpus: Corpus) -> list[str]:
    return [word for example in corpus.examples for word in words(example.text)]
