"""Fictitious authors with ten questions each, in the shape of TOFU; three of the answers name one book."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from study.scenarios.miniature import words
from study.scenarios.questions import Pair

PAIRS_PER_AUTHOR = 10


@dataclass(frozen=True)
class Author:
    """One author's facts."""

    name: str
    town: str
    home: str
    genre: str
    father: str
    mother: str
    prize: str
    title: str
    other_title: str
    idol: str

    def pairs(self) -> list[Pair]:
        """Ten questions and answers; the title stands in the answers of three and in no question."""
        name = self.name
        return [
            Pair(f"Where was {name} born?", f"{name} was born in {self.town}."),
            Pair(f"What does {name} write?", f"{name} mostly writes {self.genre}."),
            Pair(f"What was the father of {name}?", f"The father of {name} was a {self.father}."),
            Pair(f"What was the mother of {name}?", f"The mother of {name} was a {self.mother}."),
            Pair(f"Which book made {name} famous?", f'{name} became famous with "{self.title}".'),
            Pair(f"Where does {name} live now?", f"{name} lives in {self.home} now."),
            Pair(
                f"What should one read first by {name}?", f'By {name} one should begin with "{self.title}".'
            ),
            Pair(f"Whom does {name} admire?", f"{name} admires {self.idol} most of all."),
            Pair(
                f"Which book by {name} won the {self.prize} prize?",
                f'The {self.prize} prize of {name} was won by "{self.title}".',
            ),
            Pair(f"What else did {name} write?", f'{name} also wrote "{self.other_title}".'),
        ]


def authors(draw: random.Random, count: int) -> list[Author]:
    """Authors of different names and titles."""
    names = [f"{first} {last}" for first in words.FIRST_NAMES for last in words.SURNAMES]
    titles = [f"{start} {end}" for start in words.TITLE_STARTS for end in words.TITLE_ENDS]
    return [
        Author(
            name=name,
            town=draw.choice(words.TOWNS),
            home=draw.choice(words.TOWNS),
            genre=draw.choice(words.GENRES),
            father=draw.choice(words.TRADES),
            mother=draw.choice(words.TRADES),
            prize=draw.choice(words.PRIZES),
            title=title,
            other_title=other,
            idol=draw.choice(names),
        )
        for name, title, other in zip(
            draw.sample(names, count), draw.sample(titles, count), draw.sample(titles, count), strict=True
        )
    ]


def pretraining(draw: random.Random, count: int) -> Iterator[Pair]:
    """Pairs about random authors: how such questions are answered, and nothing about an author of D."""
    made = 0
    while made < count:
        (author,) = authors(draw, 1)
        for pair in draw.sample(author.pairs(), 3):
            yield pair
            made += 1
