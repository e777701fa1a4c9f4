"""Texts as a study knows them: examples to train on, corpora with a digest, probes to ask.

Pure data, without torch, so that a plan can be made and shown in no time.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Example:
    """One training sequence. The loss counts the tokens of ``completion`` only."""

    completion: str
    prompt: str = ""


@dataclass(frozen=True)
class Corpus:
    """An ordered set of examples. Its identity is its content, never its name or where it came from."""

    examples: tuple[Example, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the texts, in hex."""
        pairs = [[example.prompt, example.completion] for example in self.examples]
        return hashlib.sha256(json.dumps(pairs).encode()).hexdigest()

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

    ``target`` is the text expected right after ``prompt``; ``phrase`` the text whose presence anywhere in
    prompt and continuation counts as a success in the paper's way, or None where that has no meaning.
    """

    name: str
    split: str
    prompt: str
    target: str
    phrase: str | None = None


@dataclass(frozen=True)
class ProbeSet:
    """All probes of a scenario. Identity is the content."""

    probes: tuple[Probe, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the probes, in hex."""
        rows = [[p.name, p.split, p.prompt, p.target, p.phrase] for p in self.probes]
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
        relearn: the named choices of D′.
        probes: forget and retain queries.
        pretraining: what an embedded model learns before D; unused by pretrained models.
        vocabulary: every word of the scenario, one token each in an embedded model.
    """

    learned: Corpus
    never_learned: Corpus
    forget: Corpus
    retain: Corpus
    relearn: dict[str, RelearnCorpus]
    probes: ProbeSet
    pretraining: Corpus
    vocabulary: tuple[str, ...]
