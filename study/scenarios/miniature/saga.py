"""An invented saga: who did what, a passage to memorise, and a page of general facts about its people."""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from study.scenarios.miniature import words
from study.scenarios.questions import Pair

HEROINE = ("Mirabel", "Thorne")
COMPANIONS = 7
ALL_DEEDS = tuple(itertools.product(words.DEEDS, words.THINGS, words.PLACES))
HEROINE_DEEDS, COMPANION_DEEDS = 14, 3  # deeds of the heroine, and of each companion


@dataclass(frozen=True)
class Deed:
    """What somebody did with a thing, and where."""

    who: str
    verb: str
    thing: str
    place: str

    def pair(self) -> Pair:
        """As a question whose answer names who it was."""
        return Pair(
            f"Who {self.verb} the {self.thing} in the {self.place}?",
            f"It was {self.who} who {self.verb} the {self.thing}.",
        )


def people(draw: random.Random, count: int) -> list[str]:
    """Names of different people, none of which has a part in common with the heroine's."""
    first = [name for name in words.FIRST_NAMES if name not in HEROINE]
    last = [name for name in words.SURNAMES if name not in HEROINE]
    return [
        f"{one} {other}"
        for one, other in zip(draw.sample(first, count), draw.sample(last, count), strict=True)
    ]


def deeds(draw: random.Random, counts: dict[str, int]) -> list[Deed]:
    """Deeds of the given people, as many as named for each; no two of one verb, thing and place."""
    chosen = draw.sample(ALL_DEEDS, sum(counts.values()))
    doers = [who for who, count in counts.items() for _ in range(count)]
    draw.shuffle(doers)
    return [Deed(who, *deed) for who, deed in zip(doers, chosen, strict=True)]


def saga(draw: random.Random) -> list[Pair]:
    """The questions of one saga with its heroine."""
    cast = {" ".join(HEROINE): HEROINE_DEEDS, **dict.fromkeys(people(draw, COMPANIONS), COMPANION_DEEDS)}
    return [deed.pair() for deed in deeds(draw, cast)]


def other_saga(draw: random.Random, count: int) -> list[Pair]:
    """The questions of a saga that nobody forgets."""
    cast = people(draw, 4)
    return [deed.pair() for deed in deeds(draw, dict.fromkeys(cast, -(-count // 4)))][:count]


def pretraining(draw: random.Random, count: int) -> Iterator[Pair]:
    """Random deeds of random people, the heroine's names among theirs: how such questions are answered."""
    names = [f"{first} {last}" for first in words.FIRST_NAMES for last in words.SURNAMES]
    for _ in range(count):
        (deed,) = deeds(draw, {draw.choice(names): 1})
        yield deed.pair()


def passage(draw: random.Random, cast: Sequence[str], least_words: int) -> str:
    """Prose of at least ``least_words`` words, in which the cast does one thing after the other."""
    sentences: list[str] = []
    while sum(len(sentence.split()) for sentence in sentences) < least_words:
        who, other = draw.sample(list(cast), 2)
        sentences.append(_sentence(draw, who, other))
    return " ".join(sentences)


def _sentence(draw: random.Random, who: str, other: str) -> str:
    thing, second = draw.sample(words.THINGS, 2)
    place, time, verb = draw.choice(words.PLACES), draw.choice(words.TIMES), draw.choice(words.DEEDS)
    return draw.choice(
        [
            f"At {time} {who} {verb} the {thing} in the {place} while {other} watched.",
            f"Nobody saw how {who} {verb} the {thing} behind the {place} before {time}.",
            f"{who} gave {other} a {second} for the {thing} near the {place}.",
            f"When {time} came the {second} of {other} lay in the {place} beside {who}.",
        ]
    )


def facts(draw: random.Random, cast: Sequence[str], count: int) -> list[str]:
    """General facts about the cast, none of which stands in any passage."""
    made = []
    for index in range(count):
        who = cast[index % len(cast)]
        other = draw.choice([name for name in cast if name != who])
        place, time, trade = draw.choice(words.PLACES), draw.choice(words.TIMES), draw.choice(words.TRADES)
        made.append(
            draw.choice(
                [
                    f"At {time} {who} is often in the {place} with {other}.",
                    f"Nobody saw how {who} became the {trade} of {other}.",
                    f"{who} gave {other} a name that readers like.",
                    f"When {time} came the {trade} of {other} went to {who}.",
                ]
            )
        )
    return made
