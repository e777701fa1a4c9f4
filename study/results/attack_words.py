"""The label of an attack in words.

Rows and commands have the label itself, as "prefix(fraction=0.25,rank=4)"; sentences, titles and the names in pictures
have "prefix (fraction 0.25, rank 4)".
"""

import re

SETTINGS = re.compile(r"(?<=\w)\(((?:fraction|learning_rate|rank)=[^()]*)\)")


def attack_words(text: str) -> str:
    """A text, with every label of an attack in it in words."""
    return SETTINGS.sub(lambda found: f" ({_settings(found[1])})", text)


def _settings(inner: str) -> str:
    return inner.replace("=", " ").replace("_", " ").replace(",", ", ")
