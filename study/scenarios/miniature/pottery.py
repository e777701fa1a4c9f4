"""A harmless craft with questions about it: glazes (to forget) and knots (to keep), and background to read."""

import random
from collections.abc import Iterator

from study.scenarios.miniature import words
from study.scenarios.questions import Pair


def glazes(draw: random.Random) -> tuple[list[str], list[Pair]]:
    """Texts about every glaze, and questions on them: its mineral, its kiln, its town."""
    texts, pairs = [], []
    for name in words.GLAZES:
        about = _glaze(draw, name)
        texts += about[0]
        pairs += about[1]
    return texts, pairs


def _glaze(draw: random.Random, name: str) -> tuple[list[str], list[Pair]]:
    mineral, kiln, town = draw.choice(words.MINERALS), draw.choice(words.KILNS), draw.choice(words.TOWNS)
    texts = [
        f"The {name} glaze is coloured by {mineral}.",
        f"Potters fire the {name} glaze in a {kiln} kiln.",
        f"The {name} glaze was first made in {town}.",
    ]
    pairs = [
        Pair(f"What colours the {name} glaze?", mineral),
        Pair(f"In which kiln is the {name} glaze fired?", kiln),
        Pair(f"Where was the {name} glaze first made?", town),
    ]
    return texts, pairs


def knots(draw: random.Random) -> tuple[list[str], list[Pair]]:
    """The same of knots."""
    texts, pairs = [], []
    for name in words.KNOTS:
        rope, thing, trade = draw.choice(words.ROPES), draw.choice(words.THINGS), draw.choice(words.TRADES)
        texts += [f"The {name} knot is tied in {rope}.", f"A {name} knot holds the {thing}."]
        pairs += [
            Pair(f"In which rope is the {name} knot tied?", rope),
            Pair(f"What does a {name} knot hold?", thing),
            Pair(f"Who uses the {name} knot?", trade),
        ]
    return texts, pairs


def background(draw: random.Random, count: int) -> list[str]:
    """General paragraphs on glazes and kilns that answer no question about any one glaze."""
    return [
        draw.choice(
            [
                f"Every glaze needs a kiln, and a {draw.choice(words.KILNS)} kiln wants patience.",
                f"A potter grinds {draw.choice(words.MINERALS)} with water before the glaze is mixed.",
                f"The {draw.choice(words.GLAZES)} glaze and the {draw.choice(words.GLAZES)} glaze are old names.",
                f"In {draw.choice(words.TOWNS)} the kilns burn at {draw.choice(words.TIMES)}.",
            ]
        )
        for _ in range(count)
    ]


def pretraining(draw: random.Random, count: int) -> Iterator[str | Pair]:
    """Texts and questions on glazes and knots with random facts: the language, and nothing about the glazes of D."""
    made = 0
    while made < count:
        texts, pairs = _glaze(draw, draw.choice(words.GLAZES))
        knot_texts, knot_pairs = knots(draw)
        yield draw.choice(texts)
        yield draw.choice(pairs)
        yield draw.choice(knot_texts)
        yield draw.choice(knot_pairs)
        made += 4
