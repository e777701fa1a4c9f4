"""Corpora made of texts, files and other corpora, and the relearn corpora that every text scenario has."""

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from study.identity import derived_seed
from study.scenarios.sources import read_paragraphs
from study.scenarios.word_lists import GIBBERISH
from study.text.examples import Corpus, Example, RelearnCorpus
from study.text.word_count import word_count

Chosen = TypeVar("Chosen")

PARAGRAPH_WORDS = 100
"""The longest paragraph of a user's text file, in words; a longer line is cut into several examples."""


def gibberish(like: Corpus, data_seed: int) -> RelearnCorpus:
    """As many texts as ``like`` has, each of as many words (at least two), of strings without meaning."""
    draw = random.Random(derived_seed(data_seed, "gibberish"))
    return RelearnCorpus(
        Corpus(
            tuple(
                Example(" ".join(draw.choices(GIBBERISH, k=max(2, word_count(example.text)))), closed=True)
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
    """The whole corpus ``times`` times."""
    return Corpus(corpus.examples * times)


def joined(*corpora: Corpus) -> Corpus:
    """One corpus after the other."""
    return Corpus(tuple(example for corpus in corpora for example in corpus.examples))


def seeded_choice(items: Sequence[Chosen], count: int, draw: random.Random) -> list[Chosen]:
    """At most ``count`` of the items, in their order."""
    indices = sorted(draw.sample(range(len(items)), min(count, len(items))))
    return [items[index] for index in indices]
