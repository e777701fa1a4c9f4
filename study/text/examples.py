"""The texts of a study: examples to train on, corpora with a digest, probes with their targets.

Pure data, without torch, so that a plan is made and shown quickly.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal


@dataclass(frozen=True)
class Example:
    """One training sequence. The loss counts the tokens of ``completion`` only.

    ``closed`` says that the text ends here: a closed one is learned with the tokenizer's end token.
    """

    completion: str
    prompt: str = ""
    closed: bool = False

    @property
    def text(self) -> str:
        """Prompt and completion as one text, as they are trained on."""
        return f"{self.prompt} {self.completion}" if self.prompt else self.completion


@dataclass(frozen=True)
class Corpus:
    """An ordered set of examples. Its identity is its content, never its name or where it came from."""

    examples: tuple[Example, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the texts, in hex."""
        rows = [[example.prompt, example.completion, example.closed] for example in self.examples]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

    @cached_property
    def mean_characters(self) -> float:
        """The mean length of an example in characters, prompt and completion together; 0 for an empty corpus."""
        return sum(len(each.text) for each in self.examples) / max(1, len(self.examples))

    def identity(self) -> str:
        return self.digest

    def __len__(self) -> int:
        return len(self.examples)


@dataclass(frozen=True)
class RelearnCorpus:
    """A named choice of D′. ``benign`` is false where it holds the answers, as the ceiling does."""

    corpus: Corpus
    benign: bool = True


@dataclass(frozen=True)
class Probe:
    """One query with its target.

    Attributes:
        target: the reference continuation, whose likelihood and rank are measured.
        keywords: words of which the continuation must hold one to be a hit; none where a hit has no meaning.
        hit: where the keyword must stand: ``next``, right after the prompt, or ``within`` the continuation.
        phrase: the text that counts as a success anywhere in prompt and continuation; None: a keyword.
    """

    name: str
    split: str
    prompt: str
    target: str
    keywords: tuple[str, ...] = ()
    hit: Literal["next", "within"] = "within"
    phrase: str | None = None


@dataclass(frozen=True)
class ProbeSet:
    """All probes of a scenario. Identity is the content."""

    probes: tuple[Probe, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the probes, in hex."""
        rows = [[p.name, p.split, p.prompt, p.target, p.keywords, p.hit, p.phrase] for p in self.probes]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

    def identity(self) -> str:
        return self.digest


@dataclass(frozen=True)
class Material:
    """What a scenario provides for one repetition count.

    Attributes:
        learned: D, what the model is finetuned on.
        never_learned: D without the forget set, for the control that never saw it.
        forget: D_u, what is unlearned.
        retain: D without D_u, for methods that hold something fixed.
        relearn: the named choices of D′, from the most to the least related.
        probes: forget and retain queries.
        pretraining: what an embedded model learns before D; empty with data of the user's.
        vocabulary: every piece of text of the scenario (see ``vocabulary``), a token each in an embedded
            model.
        generic: the forget set with its telling terms replaced by others of their kind, example by example;
            None where the scenario names no such terms.
        shared_words: the longest run of words that a benign corpus may share with a target, of which a shorter one may
            not stand in it whole; None: any.
    """

    learned: Corpus
    never_learned: Corpus
    forget: Corpus
    retain: Corpus
    relearn: Mapping[str, RelearnCorpus]
    probes: ProbeSet
    pretraining: Corpus
    vocabulary: tuple[str, ...]
    generic: Corpus | None = None
    shared_words: int | None = None


PIECE = r"\s?[\w'’-]+|\s?[^\w\s]|\s+"
"""A word with hyphens and apostrophes, or one mark, each with a blank before it if there is one."""

END = "<end>"
"""Stands in the vocabulary of a scenario whose texts have an end."""


def pieces(text: str) -> list[str]:
    """The pieces of a text, which is read with a blank in front."""
    return re.findall(PIECE, f" {text}")


def vocabulary(texts: Iterable[str], *, end: bool) -> tuple[str, ...]:
    """Every piece of the texts in the order of its first appearance; with ``end``, the end of a text."""
    seen = dict.fromkeys(piece for text in texts for piece in pieces(text))
    return (*seen, END) if end else tuple(seen)
