"""The synthetic names experiment (Hu et al. 2025, section on intuition).

D is a dozen sequences of common names. A pair, "Anthony Mark", is written into the *forget* sequences
exactly r times and nowhere else. The model memorises D, unlearns the forget sequences, and relearns a
corpus that does not hold the second name; the question is whether "Anthony" calls up "Mark" again.

The layout is the same for every r: each forget sequence has *slots*, and r of all slots are filled in a
fixed order, which for r = 7 gives the paper's 1, 2, 2, 2. So the forget set always has the same number of
sequences, and the names around the pair, the other sequences and the queries never change with r. The
number of slots bounds r.

Deliberately absent: the paper's doubling of every sequence. How often a sequence is seen is set by the
finetuning steps; a line that stands twice in a user's file counts once.
"""

import itertools
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from study.errors import SpecError
from study.identity import derived_seed
from study.scenarios.sources import digest, read_text
from study.scenarios.word_lists import COMMON_NAMES, GIBBERISH
from study.settings.part import Part
from study.text import Corpus, Example, Material, Probe, ProbeSet, RelearnCorpus, vocabulary

FORGET_SEQUENCES = 4
RETAIN_SEQUENCES = 8
SLOTS = 4  # in each forget sequence, so that r goes up to 16
SHORTEST, LONGEST = 21, 37
PRETRAINING_SEQUENCES = 4096
RETAIN_PROBES_PER_SEQUENCE = 3
QUERY_POOL = 37


@dataclass(frozen=True)
class Slotted:
    """A forget sequence without the pair, and the places (before which name) where it may stand."""

    names: tuple[str, ...]
    slots: tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """Everything about D that does not depend on r."""

    forget: tuple[Slotted, ...]
    retain: tuple[tuple[str, ...], ...]

    def slot_order(self) -> list[tuple[int, int]]:
        """(sequence, slot) in the order of filling: one in each sequence, the last first; then again."""
        most = max(len(sequence.slots) for sequence in self.forget)
        return [
            (row, slot)
            for slot in range(most)
            for row in reversed(range(len(self.forget)))
            if slot < len(self.forget[row].slots)
        ]


class Names(Part):
    """Parameters of the scenario.

    Attributes:
        first, second: the pair; ``second`` is the keyword that is asked for.
        data_seed: draws the generated sequences and the queries. It is not the study's seed: all cells
            are asked the same queries, so that their differences are paired.
        queries: how many forget queries.
        corpus_file: the user's own sequences, one a line, instead of generated ones.
        forget_lines: which distinct sequences of that file (from 1) are unlearned; None: those that hold
            the pair.
    """

    name: Literal["names"] = "names"
    first: str = Field(default="Anthony", pattern=r"^\S+$")
    second: str = Field(default="Mark", pattern=r"^\S+$")
    data_seed: NonNegativeInt = 0
    queries: PositiveInt = 100
    corpus_file: str | None = None
    forget_lines: tuple[PositiveInt, ...] | None = None

    @model_validator(mode="after")
    def _pair_of_two(self) -> "Names":
        if self.first == self.second:
            raise ValueError(f"the pair needs two different names, got {self.first!r} twice")
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
        """See ``Scenario.material``."""
        layout = self._layout()
        order = layout.slot_order()
        if repetitions > len(order):
            where = self.corpus_file or "the generated sequences"
            raise SpecError(
                f"repetitions={repetitions}: the pair {self.first} {self.second} has "
                f"{len(order)} places in {where}; choose from 0 to {len(order)}"
            )
        filled = set(order[:repetitions])
        forget = [
            self._fill(sequence, [slot for slot in range(len(sequence.slots)) if (row, slot) in filled])
            for row, sequence in enumerate(layout.forget)
        ]
        retain = [list(names) for names in layout.retain]
        clean = [names for names in retain if self.first not in names and self.second not in names]
        words = self._vocabulary(layout)
        count = len(forget)
        relearn = {
            "prefix": RelearnCorpus(
                _corpus(
                    self._prefix(names, sequence)
                    for names, sequence in zip(forget, layout.forget, strict=True)
                )
            ),
            "partial": RelearnCorpus(
                _corpus(
                    part
                    for names, sequence in zip(forget, layout.forget, strict=True)
                    for part in self._other_parts(names, sequence)
                )
            ),
            "retain": RelearnCorpus(_corpus(clean[:count])),
            "unrelated": RelearnCorpus(
                _corpus(self._permutations("unrelated", words.names, count, pair=False))
            ),
            "gibberish": RelearnCorpus(
                _corpus(self._permutations("gibberish", words.gibberish, count, pair=False))
            ),
            "direct": RelearnCorpus(_corpus(forget), benign=False),
        }
        return Material(
            learned=_corpus([*forget, *retain]),
            never_learned=_corpus(retain),
            forget=_corpus(forget),
            retain=_corpus(retain),
            relearn=relearn,
            probes=ProbeSet((*self._forget_probes(layout), *self._retain_probes(clean))),
            pretraining=_corpus(
                self._permutations("pretraining", words.names, PRETRAINING_SEQUENCES, pair=True)
            ),
            vocabulary=vocabulary((*words.names, *words.gibberish), end=False),
        )

    def _layout(self) -> Layout:
        if self.corpus_file is None:
            return self._generated()
        return self._from_file(self.corpus_file)

    def _generated(self) -> Layout:
        draw = random.Random(derived_seed(self.data_seed, "names", "sequences"))
        pool = [name for name in COMMON_NAMES if name not in (self.first, self.second)]

        def sequence() -> tuple[str, ...]:
            return tuple(draw.sample(pool, draw.randint(SHORTEST, LONGEST)))

        forget = []
        for _ in range(FORGET_SEQUENCES):
            names = sequence()
            # The first slot stands far enough inside for a prefix that says something, and the order of
            # filling is the order in the sequence, so the prefix is the same for every r > 0.
            forget.append(Slotted(names, tuple(sorted(draw.sample(range(5, len(names)), SLOTS)))))
        return Layout(tuple(forget), tuple(sequence() for _ in range(RETAIN_SEQUENCES)))

    def _from_file(self, path: str) -> Layout:
        sequences = _sequences(path)
        holding = [
            index + 1
            for index, names in enumerate(sequences)
            if any(pair == (self.first, self.second) for pair in itertools.pairwise(names))
        ]
        lines = self.forget_lines if self.forget_lines is not None else tuple(holding)
        if not holding:
            raise SpecError(
                f"{path} holds the pair {self.first} {self.second} nowhere: expected it in at least one "
                "line; name another pair with --set scenario.first=… --set scenario.second=…"
            )
        beyond = [line for line in lines if line > len(sequences)]
        if beyond:
            raise SpecError(
                f"scenario.forget_lines names line {beyond[0]}, but {path} has {len(sequences)} "
                "distinct sequences (blank and repeated lines do not count)"
            )
        outside = [line for line in holding if line not in lines]
        if outside:
            raise SpecError(
                f"scenario.forget_lines leaves out line {outside[0]} of {path}, which holds the pair: "
                "the pair may stand in the forget sequences only; add the line or remove the pair"
            )
        forget = tuple(self._emptied(sequences[line - 1]) for line in lines)
        retain = tuple(tuple(names) for index, names in enumerate(sequences) if index + 1 not in lines)
        clean = [names for names in retain if self.first not in names and self.second not in names]
        if not clean:
            raise SpecError(
                f"{path} has no sequence without {self.first} and {self.second}: expected some to hold "
                "the corpus `retain` and the retain probes; add sequences of other names"
            )
        return Layout(forget, retain)

    def _emptied(self, names: list[str]) -> Slotted:
        """A sequence of the user's with the pair taken out, and the slots where it stood."""
        rest: list[str] = []
        slots: list[int] = []
        index = 0
        while index < len(names):
            if tuple(names[index : index + 2]) == (self.first, self.second):
                slots.append(len(rest))
                index += 2
            else:
                rest.append(names[index])
                index += 1
        return Slotted(tuple(rest), tuple(slots))

    def _fill(self, sequence: Slotted, slots: list[int]) -> list[str]:
        """The sequence with the pair in the given slots."""
        names: list[str] = []
        places = [sequence.slots[slot] for slot in slots]
        for index in range(len(sequence.names) + 1):
            names.extend([self.first, self.second] * places.count(index))
            names.extend(sequence.names[index : index + 1])
        return names

    def _first_slot(self, sequence: Slotted) -> int:
        """Where the prefix ends in a sequence without the pair."""
        return sequence.slots[0] if sequence.slots else len(sequence.names) // 2

    def _prefix(self, names: list[str], sequence: Slotted) -> list[str]:
        """D′ of the paper: up to and with the first ``first``; without a pair, up to its first slot."""
        if self.first in names:
            return names[: names.index(self.first) + 1]
        return names[: self._first_slot(sequence)]

    def _other_parts(self, names: list[str], sequence: Slotted) -> list[list[str]]:
        """What the prefix leaves, cut at every ``second`` so that no part holds it."""
        rest = names[len(self._prefix(names, sequence)) :]
        parts: list[list[str]] = [[]]
        for name in rest:
            if name == self.second:
                parts.append([])
            else:
                parts[-1].append(name)
        return [part for part in parts if part]

    def _vocabulary(self, layout: Layout) -> "_Words":
        seen = dict.fromkeys((*COMMON_NAMES, self.first, self.second))
        for names in (*(sequence.names for sequence in layout.forget), *layout.retain):
            seen.update(dict.fromkeys(names))
        return _Words(tuple(seen), tuple(word for word in GIBBERISH if word not in seen))

    def _permutations(
        self, purpose: str, words: tuple[str, ...], count: int, *, pair: bool
    ) -> list[list[str]]:
        """New sequences of the words; with ``pair`` the two names may stand in them, but not together."""
        draw = random.Random(derived_seed(self.data_seed, "names", purpose))
        pool = [word for word in words if pair or word not in (self.first, self.second)]
        made: list[list[str]] = []
        while len(made) < count:
            names = draw.sample(pool, min(len(pool), draw.randint(SHORTEST, LONGEST)))
            if (self.first, self.second) not in itertools.pairwise(names):
                made.append(names)
        return made

    def _forget_probes(self, layout: Layout) -> list[Probe]:
        """The paper's queries: 1–36 of the 37 names that precede the pair, permuted, then ``first``."""
        draw = random.Random(derived_seed(self.data_seed, "names", "queries"))
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

    def _retain_probes(self, retain: list[list[str]]) -> list[Probe]:
        """Memorised sequences without either name, cut at a seeded place: does the next name come?"""
        draw = random.Random(derived_seed(self.data_seed, "names", "retain probes"))
        probes: list[Probe] = []
        for row, names in enumerate(retain):
            places = range(min(5, len(names) - 1), len(names))
            chosen = draw.sample(places, min(RETAIN_PROBES_PER_SEQUENCE, len(places)))
            probes += [
                Probe(
                    name=f"sequence-{row:02d}-name-{place:02d}",
                    split="retain",
                    prompt=" ".join(names[:place]),
                    target=names[place],
                    keywords=(names[place],),
                    hit="next",
                )
                for place in sorted(chosen)
            ]
        return [probe for probe in probes if probe.prompt]


@dataclass(frozen=True)
class _Words:
    names: tuple[str, ...]
    gibberish: tuple[str, ...]


def _corpus(sequences: Iterable[Sequence[str]]) -> Corpus:
    return Corpus(tuple(Example(" ".join(names)) for names in sequences if names))


def _sequences(path: str) -> list[list[str]]:
    """The distinct sequences of a user's file in their order, one a line; a repeated line counts once."""
    text = read_text(path, "scenario.corpus_file")
    sequences = [line.split() for line in dict.fromkeys(text.splitlines()) if line.strip()]
    short = next((names for names in sequences if len(names) < 2), None)
    if short is not None:
        raise SpecError(
            f"{path} has a line of one word only, {short[0]!r}: expected a sequence of names a line, "
            "separated by blanks"
        )
    return sequences
