"""Telling terms and their generic replacements, for the method WHP (Eldan and Russinovich 2023).

A term is found by the rules of ``study.text.words``, in whatever letters, apostrophes and dashes a text spells it; what
stands around it stays as it was.
"""

from collections.abc import Mapping
from unicodedata import normalize

import regex

from study.text.words import PLAIN, borders, normalised


def replaced(text: str, anchors: Mapping[str, str]) -> str:
    """The text with every term that stands in it as whole words replaced; of two at one place, the first given."""
    terms = {normalised(term): generic for term, generic in anchors.items()}
    pattern = "|".join("{0}{2}{1}".format(*borders(normalised(term)), _spellings(term)) for term in anchors)
    return str(regex.sub(f"(?V1){pattern}", lambda found: terms[normalised(found.group())], text))


def _spellings(term: str) -> str:
    """A regular expression: composed or decomposed letters, any apostrophe, quotation mark and dash, any blanks."""
    found = []
    for letter in regex.findall(r"\X", normalize("NFC", " ".join(term.split()))):
        plain = letter.translate(PLAIN)
        alike = [chr(code) for code, stands_for in PLAIN.items() if stands_for == plain]
        forms = dict.fromkeys([letter, normalize("NFD", letter), plain, *alike])
        found.append(r"\s+" if letter == " " else f"(?:{'|'.join(map(regex.escape, forms))})")
    return "".join(found)
