"""The sequences of the names scenario, as they are before the pair is written in: generated, or from a user's file.

A forget sequence has *slots*, the positions at which the pair may be written in. Which slots are filled is decided by
the repetition count alone, so all else about D is one ``Layout`` for every count.
"""

import itertools
import random
from collections.abc import Collection
from dataclasses import dataclass

from study.errors import SpecError
from study.identity import derived_seed
from study.scenarios.sources import lines_of, read_text
from study.scenarios.word_lists import COMMON_NAMES
from study.text.words import holds

Pair = tuple[str, str]

FORGET_SEQUENCES = 4
RETAIN_SEQUENCES = 8
SLOTS = 4  # in each generated forget sequence, so that the repetitions go up to 16
SHORTEST, LONGEST = 21, 37


@dataclass(frozen=True)
class SlottedSequence:
    """A forget sequence without the pair. A slot is the index of the name before which the pair may stand."""

    names: tuple[str, ...]
    slots: tuple[int, ...]

    @property
    def prefix_length(self) -> int:
        """How many names stand before the first slot; half of them where there is no slot."""
        return self.slots[0] if self.slots else len(self.names) // 2

    def filled(self, pair: Pair, slots: Collection[int]) -> list[str]:
        """The sequence with the pair in the slots of these numbers (from 0)."""
        positions = [self.slots[slot] for slot in slots]
        names: list[str] = []
        for index in range(len(self.names) + 1):
            names.extend(list(pair) * positions.count(index))
            names.extend(self.names[index : index + 1])
        return names


@dataclass(frozen=True)
class Layout:
    """Everything about D that does not depend on the repetition count."""

    forget: tuple[SlottedSequence, ...]
    retain: tuple[tuple[str, ...], ...]

    def filling_order(self) -> list[tuple[int, int]]:
        """(sequence, slot) in the order of filling: one slot of each sequence, the last sequence first; then again."""
        most = max(len(sequence.slots) for sequence in self.forget)
        return [
            (row, slot)
            for slot in range(most)
            for row in reversed(range(len(self.forget)))
            if slot < len(self.forget[row].slots)
        ]


def generated(pair: Pair, data_seed: int) -> Layout:
    """Sequences of common names without the pair's, as many as in the paper."""
    draw = random.Random(derived_seed(data_seed, "names", "sequences"))
    pool = [name for name in COMMON_NAMES if name not in pair]

    def sequence() -> tuple[str, ...]:
        return tuple(draw.sample(pool, draw.randint(SHORTEST, LONGEST)))

    forget = []
    for _ in range(FORGET_SEQUENCES):
        names = sequence()
        # The first slot leaves a prefix of several names. Slots are filled from the first to the last, so the prefix
        # is the same for every count above 0.
        forget.append(SlottedSequence(names, tuple(sorted(draw.sample(range(5, len(names)), SLOTS)))))
    return Layout(tuple(forget), tuple(sequence() for _ in range(RETAIN_SEQUENCES)))


def from_file(path: str, pair: Pair, forget_lines: tuple[int, ...] | None) -> Layout:
    """The user's own sequences, one a line; the slots are where the pair stands.

    Args:
        forget_lines: which distinct sequences (from 1) are unlearned; None: those that hold the pair.

    Raises:
        PreflightError: there is no such file.
        SpecError: it is not UTF-8, a name of the pair is spelt in several ways, the pair stands nowhere in it or
            outside ``forget_lines``, or no sequence is free of both names.
    """
    first, second = pair
    sequences = _read_sequences(path)
    _refuse_other_spellings(path, sequences, pair)
    holding = [index + 1 for index, names in enumerate(sequences) if pair in itertools.pairwise(names)]
    lines = forget_lines if forget_lines is not None else tuple(holding)
    if not holding:
        raise SpecError(
            f"{path} holds the pair {first} {second} nowhere: expected it in at least one "
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
    retain = tuple(tuple(names) for index, names in enumerate(sequences) if index + 1 not in lines)
    if all(set(pair) & set(names) for names in retain):
        raise SpecError(
            f"{path} has no sequence without {first} and {second}: expected some to hold "
            "the corpus `retain` and the retain probes; add sequences of other names"
        )
    return Layout(tuple(_without_pair(sequences[line - 1], pair) for line in lines), retain)


def _refuse_other_spellings(path: str, sequences: list[list[str]], pair: Pair) -> None:
    """A name in other letters, or with a mark beside it, is an answer to the scores and another token to the model."""
    others = {name for names in sequences for name in names if name not in pair}
    for name in sorted(others):
        for wanted in pair:
            if holds(name, wanted, any_case=False):
                line = next(index for index, names in enumerate(sequences, 1) if name in names)
                raise SpecError(
                    f"{path}, distinct sequence {line}: {name!r} is the name {wanted!r} to the scores, and is written "
                    "in another way; write it alike in all lines, with blanks around it"
                )


def _without_pair(names: list[str], pair: Pair) -> SlottedSequence:
    """A sequence with every pair taken out, and the slots where they stood."""
    rest: list[str] = []
    slots: list[int] = []
    index = 0
    while index < len(names):
        if tuple(names[index : index + 2]) == pair:
            slots.append(len(rest))
            index += 2
        else:
            rest.append(names[index])
            index += 1
    return SlottedSequence(tuple(rest), tuple(slots))


def _read_sequences(path: str) -> list[list[str]]:
    """The distinct sequences of a user's file in their order, one a line; a repeated line counts once."""
    text = read_text(path, "scenario.corpus_file")
    sequences = [line.split() for line in dict.fromkeys(lines_of(text)) if line.strip()]
    short = next((names for names in sequences if len(names) < 2), None)
    if short is not None:
        raise SpecError(
            f"{path} has a line of one word only, {short[0]!r}: expected a sequence of names a line, "
            "separated by blanks"
        )
    return sequences
