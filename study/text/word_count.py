"""How long a text is in words, and where a long one is cut, in any script.

Words are what stands between blanks. In scripts that write none, two letters count as one word: the mean length of a
word in Chinese and Japanese, and near enough for a limit or for a corpus of like size.
"""

import regex

from study.text.words import LETTER

_LETTERS = regex.compile(rf"(?V1){LETTER}")
_UNITS = regex.compile(rf"(?V1)(?s:{LETTER}\p{{M}}*|.)")


def word_count(text: str) -> int:
    """How many words a text has."""
    return sum(map(_count, text.split()))


def in_parts(text: str, most: int) -> list[str]:
    """A text in parts of at most ``most`` words, with single blanks; cut at blanks, or between letters without."""
    found: list[list[str]] = []
    room = 0
    for piece in text.split():
        for each in [piece] if _count(piece) <= most else _cut(piece, most):
            length = _count(each)
            if length > room:
                found.append([])
                room = most
            found[-1].append(each)
            room -= length
    return [" ".join(part) for part in found]


def _count(piece: str) -> int:
    return max(1, (len(_LETTERS.findall(piece)) + 1) // 2)


def _cut(piece: str, most: int) -> list[str]:
    units = _UNITS.findall(piece)
    return ["".join(units[at : at + 2 * most]) for at in range(0, len(units), 2 * most)]
