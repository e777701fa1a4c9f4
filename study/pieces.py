"""The pieces an embedded model reads: words with the blank before them, and marks of punctuation.

Cutting a text loses nothing: the pieces joined are the text again, with a blank in front. So a whole name
or word is one token, and a continuation reads as it was learned. Nothing is imported here but the standard
library: a plan counts tokens without a tokenizer.
"""

import re
from collections.abc import Iterable

PIECE = r"\s?[\w'’-]+|\s?[^\w\s]|\s+"
"""A word with hyphens and apostrophes, or one mark, each with a blank before it if there is one."""

END = "<end>"
"""Stands in the vocabulary of a scenario whose texts have an end."""


def pieces(text: str) -> list[str]:
    """The pieces of a text, which is read with a blank in front."""
    return re.findall(PIECE, f" {text}")


def vocabulary(texts: Iterable[str], *, end: bool) -> tuple[str, ...]:
    """Every piece of the texts in the order of its first appearance; with ``end``, the end of a text."""
    seen = dict.fromkeys(piece for text in texts for piece in pieces(text))
    return (*seen, END) if end else tuple(seen)
