"""Relearn corpora that every text scenario has: letters that mean nothing, and the user's own text files."""

import random
from collections.abc import Iterable, Mapping, Sequence

from study.identity import derived_seed
from study.scenarios.sources import digest, read_paragraphs
from study.scenarios.word_lists import GIBBERISH
from study.text import Corpus, Example, RelearnCorpus

PARAGRAPH_WORDS = 100


def gibberish(like: Corpus, data_seed: int) -> RelearnCorpus:
    """As many texts as ``like`` has, each with as many words, of strings without meaning."""
    draw = random.Random(derived_seed(data_seed, "gibberish"))
    return RelearnCorpus(
        Corpus(
            tuple(
                Example(" ".join(draw.choices(GIBBERISH, k=max(2, len(example.text.split())))), closed=True)
                for example in like.examples
            )
        )
    )


def from_files(files: Mapping[str, str]) -> dict[str, RelearnCorpus]:
    """The user's corpora by name, a paragraph an example.

    Raises:
        PreflightError, SpecError: see ``sources.read_text``.
    """
    return {
        name: RelearnCorpus(texts(read_paragraphs(path, f"scenario.corpus_files.{name}", PARAGRAPH_WORDS)))
        for name, path in files.items()
    }


def texts(paragraphs: Iterable[str]) -> Corpus:
    """Plain texts to learn, from the first word to the last."""
    return Corpus(tuple(Example(paragraph, closed=True) for paragraph in paragraphs))


def repeated(corpus: Corpus, times: int) -> Corpus:
    """Every text as often as the study's repetitions say."""
    return Corpus(corpus.examples * times)


def joined(*corpora: Corpus) -> Corpus:
    """One corpus after the other."""
    return Corpus(tuple(example for corpus in corpora for example in corpus.examples))


def input_digests(sources: Mapping[str, str | None]) -> dict[str, str]:
    """SHA-256 by source, for those that are given; the keys name the spec's keys."""
    return {source: digest(source, key) for key, source in sources.items() if source is not None}


def some(examples: Sequence[Example], count: int, data_seed: int, purpose: str) -> list[Example]:
    """A seeded choice of at most ``count``, in their order."""
    draw = random.Random(derived_seed(data_seed, purpose))
    chosen = sorted(draw.sample(range(len(examples)), min(count, len(examples))))
    return [examples[index] for index in chosen]
