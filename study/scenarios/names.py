"""The synthetic names experiment (Hu et al. 2025, section on intuition).

D is a dozen sequences of common names. A pair, "Anthony Mark", is written into the *forget* sequences
exactly r times and nowhere else. The model memorises D, unlearns the forget sequences, and relearns a
corpus that does not hold the second name; the question is whether the model continues "Anthony" with "Mark" again.

The layout is the same for every r: each forget sequence has *slots* (see ``name_sequences``), and r of all slots are
filled in a fixed order, which for r = 7 gives the paper's 1, 2, 2, 2. So the forget set always has the same number of
sequences, and the names around the pair, the other sequences and the queries never change with r. The
number of slots bounds r.

Deliberately absent: the paper's doubling of every sequence. How often a sequence is seen is set by the
finetuning steps; a line that stands twice in a user's file counts once.
"""

import itertools
import random
from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from study.errors import SpecError
from study.identity import derived_seed
from study.scenarios.name_sequences import (
    LONGEST,
    SHORTEST,
    Layout,
    SlottedSequence,
    from_file,
    generated,
)
from study.scenarios.questions import of_words
from study.scenarios.sources import digest
from study.scenarios.word_lists import COMMON_NAMES, GIBBERISH
from study.settings.part import Part
from study.text.examples import Corpus, Example, Material, Probe, ProbeSet, RelearnCorpus, vocabulary
from study.text.words import normalised

PRETRAINING_SEQUENCES = 4096
RETAIN_PROBES_PER_SEQUENCE = 3
QUERY_POOL = 37
MOST_QUERIES = 10_000
"""Each is held in memory while a study is planned, and asked of every cell."""


class Names(Part):
    """Parameters of the scenario.

    Attributes:
        first, second: the pair; ``second`` is the keyword that should come after ``first``.
        data_seed: draws the generated sequences and the queries. It is not the study's seed: all cells
            have the same queries, so that their differences are paired.
        queries: how many forget queries; at most 10,000.
        corpus_file: the user's own sequences, one a line, instead of generated ones.
        forget_lines: which distinct sequences of that file (from 1) are unlearned; None: those that hold
            the pair.
    """

    name: Literal["names"] = "names"
    first: str = Field(default="Anthony", pattern=r"^\S+$")
    second: str = Field(default="Mark", pattern=r"^\S+$")
    data_seed: NonNegativeInt = 0
    queries: PositiveInt = Field(default=100, le=MOST_QUERIES)
    corpus_file: str | None = None
    forget_lines: tuple[PositiveInt, ...] | None = None

    @model_validator(mode="after")
    def _pair_of_two(self) -> "Names":
        if normalised(self.first) == normalised(self.second):
            raise ValueError(f"the pair needs two different names, got {self.first!r} twice")
        of_words((self.first, self.second), "two names")
        return self

    def corpora(self) -> tuple[str, ...]:
        """Names of the relearn corpora, from the most to the least related, then the ceiling."""
        return ("prefix", "partial", "retain", "unrelated", "gibberish", "direct")

    def metrics(self) -> tuple[str, ...]:
        """The name right after the query, and the paper's count."""
        return ("keyword_hit", "keyword_anywhere")

    def inputs(self) -> dict[str, str]:
        """The user's file, if there is one."""
        if self.corpus_file is None:
            return {}
        return {self.corpus_file: digest(self.corpus_file, "scenario.corpus_file")}

    def material(self, repetitions: int) -> Material:
        """See ``Scenario.material``; the pair stands ``repetitions`` times in D."""
        layout = self._layout()
        order = layout.filling_order()
        if repetitions > len(order):
            where = self.corpus_file or "the generated sequences"
            raise SpecError(
                f"repetitions={repetitions}: the pair {self.first} {self.second} can stand at "
                f"{len(order)} positions in {where}; choose from 0 to {len(order)}"
            )
        chosen = order[:repetitions]
        forget = [
            sequence.filled((self.first, self.second), [slot for at, slot in chosen if at == row])
            for row, sequence in enumerate(layout.forget)
        ]
        prefixes = [self._prefix(*both) for both in zip(forget, layout.forget, strict=True)]
        rests = [names[len(prefix) :] for names, prefix in zip(forget, prefixes, strict=True)]
        clean = [names for names in layout.retain if not {self.first, self.second} & set(names)]
        names, gibberish = self._words(layout)
        return Material(
            learned=_corpus([*forget, *layout.retain]),
            never_learned=_corpus(layout.retain),
            forget=_corpus(forget),
            retain=_corpus(layout.retain),
            relearn={
                "prefix": RelearnCorpus(_corpus(prefixes)),
                "partial": RelearnCorpus(_corpus(part for rest in rests for part in self._parts(rest))),
                "retain": RelearnCorpus(_corpus(clean[: len(forget)])),
                "unrelated": RelearnCorpus(self._permutations("unrelated", names, len(forget))),
                "gibberish": RelearnCorpus(self._permutations("gibberish", gibberish, len(forget))),
                "direct": RelearnCorpus(_corpus(forget), benign=False),
            },
            probes=ProbeSet((*self._forget_probes(layout), *self._retain_probes(clean))),
            pretraining=self._permutations("pretraining", names, PRETRAINING_SEQUENCES, with_pair=True),
            vocabulary=vocabulary((*names, *gibberish), end=False),
        )

    def _layout(self) -> Layout:
        if self.corpus_file is None:
            return generated((self.first, self.second), self.data_seed)
        return from_file(self.corpus_file, (self.first, self.second), self.forget_lines)

    def _draw(self, purpose: str) -> random.Random:
        return random.Random(derived_seed(self.data_seed, "names", purpose))

    def _prefix(self, names: list[str], sequence: SlottedSequence) -> list[str]:
        """D′ of the paper: up to and with the first ``first``; without a pair, up to its first slot."""
        end = names.index(self.first) + 1 if self.first in names else sequence.prefix_length
        return names[:end]

    def _parts(self, names: list[str]) -> list[list[str]]:
        """The names cut at every ``second``, so that no part holds it."""
        runs = itertools.groupby(names, key=lambda name: name == self.second)
        return [list(run) for is_second, run in runs if not is_second]

    def _words(self, layout: Layout) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """All names there are, and the strings without meaning that are none of them."""
        sequences = (*(sequence.names for sequence in layout.forget), *layout.retain)
        names = dict.fromkeys((*COMMON_NAMES, self.first, self.second, *itertools.chain(*sequences)))
        return tuple(names), tuple(word for word in GIBBERISH if word not in names)

    def _permutations(
        self, purpose: str, words: Sequence[str], count: int, *, with_pair: bool = False
    ) -> Corpus:
        """New sequences of the words; with ``with_pair`` the two names may stand in them, but not together."""
        draw = self._draw(purpose)
        pool = [word for word in words if with_pair or word not in (self.first, self.second)]
        made: list[list[str]] = []
        while len(made) < count:
            names = draw.sample(pool, min(len(pool), draw.randint(SHORTEST, LONGEST)))
            if (self.first, self.second) not in itertools.pairwise(names):
                made.append(names)
        return _corpus(made)

    def _forget_probes(self, layout: Layout) -> list[Probe]:
        """The paper's queries: 1–36 of the 37 names that precede the pair, permuted, then ``first``."""
        draw = self._draw("queries")
        before = dict.fromkeys(
            name
            for sequence in layout.forget
            for name in sequence.names[: max(sequence.slots, default=0)]
            if name not in (self.first, self.second)
        )
        pool = list(before)[:QUERY_POOL]
        if len(pool) < 2:  # a user's file may put the pair at the very start of its lines
            pool = list(dict.fromkeys(name for s in layout.forget for name in s.names))[:QUERY_POOL]
        if len(pool) < 2:
            raise SpecError(
                "the forget sequences hold fewer than two names beside the pair: expected enough to "
                "permute into queries; give longer sequences"
            )
        return [
            Probe(
                name=f"query-{index:03d}",
                split="forget",
                prompt=" ".join([*draw.sample(pool, draw.randint(1, len(pool) - 1)), self.first]),
                target=self.second,
                keywords=(self.second,),
                hit="next",
                phrase=f"{self.first} {self.second}",
            )
            for index in range(self.queries)
        ]

    def _retain_probes(self, retain: Sequence[Sequence[str]]) -> list[Probe]:
        """Memorised sequences without either name, cut at seeded positions: does the next name come?"""
        draw = self._draw("retain probes")
        probes: list[Probe] = []
        for row, names in enumerate(retain):
            positions = range(min(5, len(names) - 1), len(names))
            chosen = draw.sample(positions, min(RETAIN_PROBES_PER_SEQUENCE, len(positions)))
            probes += [
                Probe(
                    name=f"sequence-{row:02d}-name-{position:02d}",
                    split="retain",
                    prompt=" ".join(names[:position]),
                    target=names[position],
                    keywords=(names[position],),
                    hit="next",
                )
                for position in sorted(chosen)
            ]
        return [probe for probe in probes if probe.prompt]


def _corpus(sequences: Iterable[Sequence[str]]) -> Corpus:
    return Corpus(tuple(Example(" ".join(names)) for names in sequences if names))
