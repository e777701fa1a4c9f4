"""What the scenarios of running text share: their corpora by name, the files they read, and their material.

D is the forget set ``repetitions`` times, then the retain set once. Each has the same kinds of relearn corpora,
from the most to the least related: one of its own, the retain set, the user's files, and strings without meaning;
last, not benign, the forget set itself.

Deliberately absent: ``names``, whose repetitions stand within the sequences and whose corpora are cut from them.
"""

import random
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import ClassVar, Self

from pydantic import Field, NonNegativeInt, field_validator, model_validator

from study.identity import derived_seed
from study.scenarios.corpora import from_files, gibberish, joined, repeated
from study.scenarios.sources import digest
from study.scenarios.word_lists import GIBBERISH
from study.settings.part import Part
from study.text.examples import Corpus, Material, Probe, ProbeSet, RelearnCorpus, vocabulary


class TextScenario(Part):
    """Parameters that every scenario of running text has.

    Attributes:
        corpus_files: further relearn corpora, text files by name.
        data_seed: draws the miniature and every seeded choice. It is not the study's seed: all cells have the same
            data, so that their differences are paired.
    """

    related: ClassVar[str]
    """The name of the scenario's own relearn corpus, the most related one."""
    draws: ClassVar[tuple[str, ...]]
    """The first names of the scenario's random streams."""

    whole_data: ClassVar[bool] = False
    """Whether the user's data is given as a whole or not at all."""

    corpus_files: dict[str, str] = Field(default_factory=dict)
    data_seed: NonNegativeInt = 0

    @field_validator("corpus_files")
    @classmethod
    def _names_of_their_own(cls, files: dict[str, str]) -> dict[str, str]:
        taken = [name for name in files if name in (cls.related, "retain", "gibberish", "direct", "none", "")]
        if taken:
            raise ValueError(
                f"{taken[0]!r} is the name of another corpus; give the file a name of its own, such as "
                f"my-{taken[0] or 'texts'}"
            )
        return files

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        given = self._sources()
        missing = [key for key, value in given.items() if value is None]
        if self.whole_data and missing and len(missing) < len(given):
            raise ValueError(
                f"{', '.join(missing)} missing: expected all of {', '.join(given)}, or none of them for the miniature"
            )
        return self

    def corpora(self) -> tuple[str, ...]:
        """From the most to the least related; last the forget set, which is the ceiling."""
        return (self.related, "retain", *self.corpus_files, "gibberish", "direct")

    def inputs(self) -> dict[str, str]:
        """SHA-256 of every file and data set that is given, by its name in the spec."""
        files = {f"corpus_files.{name}": path for name, path in self.corpus_files.items()}
        return {
            source: digest(source, f"scenario.{key}")
            for key, source in {**self._sources(), **files}.items()
            if source is not None
        }

    @abstractmethod
    def _sources(self) -> Mapping[str, str | None]:
        """The data that the user can give, by key; None where the miniature stands in."""

    def _draw(self, *purpose: str) -> random.Random:
        """A random stream of its own for each purpose."""
        return random.Random(derived_seed(self.data_seed, *self.draws, *purpose))

    def _material(
        self,
        repetitions: int,
        *,
        forget: Corpus,
        retain: Corpus,
        related: Corpus,
        relearned_retain: Corpus,
        probes: Iterable[Probe],
        pretraining: Corpus,
        generic: Corpus | None = None,
        shared_words: int | None = None,
    ) -> Material:
        """The material of one repetition count from a scenario's own parts.

        Args:
            related: the scenario's own relearn corpus.
            relearned_retain: what the relearn corpus ``retain`` holds.
            pretraining: the miniature's; empty where the user's data is read.
            generic, shared_words: see ``Material``.

        Raises:
            PreflightError, SpecError: a corpus file cannot be read, see ``sources.read_text``.
        """
        read = joined(forget, retain, related, pretraining)
        return Material(
            learned=joined(repeated(forget, repetitions), retain),
            never_learned=retain,
            forget=forget,
            retain=retain,
            relearn={
                self.related: RelearnCorpus(related),
                "retain": RelearnCorpus(relearned_retain),
                **from_files(self.corpus_files),
                "gibberish": gibberish(related, self.data_seed),
                "direct": RelearnCorpus(forget, benign=False),
            },
            probes=ProbeSet(tuple(probes)),
            pretraining=pretraining,
            vocabulary=vocabulary([*(example.text for example in read.examples), *GIBBERISH], end=True),
            generic=generic,
            shared_words=shared_words,
        )
