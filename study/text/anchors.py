"""Telling terms and their generic replacements, for the method WHP (Eldan and Russinovich 2023).

A term is found by the rules of ``study.text.words``, however a text spells it; what stands around it stays as it was.
The text is searched as it is normalised, and what is found is taken out of the text as it stands.
"""

from collections.abc import Mapping
from functools import lru_cache

import regex

from study.text.words import WITHOUT_BLANKS, borders, by_characters, normalised

_LETTERS_WITHOUT_BLANKS = regex.compile(rf"(?V1)[{WITHOUT_BLANKS}]\p{{M}}*")


def replaced(text: str, anchors: Mapping[str, str]) -> str:
    """The text with every term that stands in it as whole words replaced; of two at one place, the longer one.

    A term is in its own case. The order of ``anchors`` means nothing.
    """
    characters = by_characters(text)
    plain = "".join(form for _, form in characters)
    owner = [index for index, (_, form) in enumerate(characters) for _ in form]
    generic = {normalised(term): word for term, word in anchors.items()}
    made, done = [], 0
    for found in _pattern(tuple(generic)).finditer(plain):
        first, last = owner[found.start()], owner[found.end() - 1]
        cut = owner[found.start() - 1 : found.start()] == [first] or owner[found.end() : found.end() + 1] == [
            last
        ]
        if cut or first < done:  # a part of one character, such as a ligature
            continue
        made += [seen for seen, _ in characters[done:first]]
        made.append(generic[normalised(found.group())])
        done = last + 1
    return "".join([*made, *(seen for seen, _ in characters[done:])])


@lru_cache(maxsize=64)
def _pattern(terms: tuple[str, ...]) -> "regex.Pattern[str]":
    longest_first = sorted(terms, key=lambda term: (-len(term), term))
    return regex.compile("(?V1)" + "|".join(_standing(term) for term in longest_first))


def _standing(term: str) -> str:
    before, after = borders(term)
    words = [" +".join(map(regex.escape, part.split(" "))) for part in _apart(term)]
    return f"{before}{' *'.join(words)}{after}"


def _apart(term: str) -> list[str]:
    """A term cut between letters of scripts without blanks, where a text may have some nevertheless."""
    found: list[str] = [""]
    at = 0
    after_letter = False
    while at < len(term):
        letter = _LETTERS_WITHOUT_BLANKS.match(term, at)
        piece = letter.group() if letter else term[at]
        if letter and after_letter:
            found.append("")
        found[-1] += piece
        after_letter = letter is not None
        at += len(piece)
    return found
