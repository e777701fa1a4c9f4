"""Words of any script: one normalisation, word borders by script, and the words that overlaps are counted in.

Scores and the leak audit use these rules and no others, so that what counts as an answer in a completion counts as
one in a corpus.

- **Normalisation**: Unicode NFKC (composed letters, full-width forms, no-break spaces); every apostrophe, quotation
  mark and dash in its plain form; characters without width are left out; each run of blanks and line breaks is one
  blank.
- **A word** is a run of letters, marks and digits. An underscore or asterisk is none of these: Markdown's emphasis
  hides no word. In scripts that write no blanks between words (Chinese, Japanese, Thai, Khmer, …) every letter with
  its marks is a word.
- **Borders**: a phrase stands in a text where it is not a part of longer words. In scripts without blanks it may
  stand anywhere. In Korean, where particles follow the word without a blank, only its beginning must be a border.

Deliberately absent: dictionaries and stemming. What is inflected, or written together with an article as in Arabic,
is another word; give such forms as further keywords.
"""

from functools import lru_cache
from unicodedata import normalize

import regex

PLAIN = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc\u00b4\u2032\uff07`", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
    }
)
WITHOUT_BLANKS = "".join(
    rf"\p{{Script_Extensions={script}}}"
    for script in ("Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan")
)
"""Characters of scripts that write no blanks between words, for a set of a regular expression."""

_LETTER = rf"[[{WITHOUT_BLANKS}]&&[\p{{L}}\p{{N}}]]"
_WORD = regex.compile(rf"(?V1){_LETTER}\p{{M}}*|[[\p{{L}}\p{{M}}\p{{N}}]--[{WITHOUT_BLANKS}]]+")
_CHUNK = regex.compile(rf"(?V1){_LETTER}\p{{M}}*|[^\s{WITHOUT_BLANKS}]+|[^\s]")
_FREE_BEGIN = regex.compile(rf"(?V1)[{WITHOUT_BLANKS}]|[^\p{{L}}\p{{M}}\p{{N}}]")
_FREE_END = regex.compile(rf"(?V1)[{WITHOUT_BLANKS}]|[^\p{{L}}\p{{M}}\p{{N}}]|\p{{Script=Hangul}}")


def normalised(text: str) -> str:
    """The text as it is compared, in its own case."""
    plain = normalize("NFKC", text.translate(PLAIN))
    return str(regex.sub(r"\s+", " ", regex.sub(r"\p{Cf}", "", plain))).strip()


def words(text: str) -> list[str]:
    """The words of a text, case folded."""
    return [str(word) for word in _WORD.findall(normalised(text).casefold())]


def chunks(text: str) -> list[str]:
    """What stands between blanks, with its marks and in its case; in scripts without blanks, every letter."""
    return [str(chunk) for chunk in _CHUNK.findall(normalised(text))]


def holds(text: str, phrase: str, *, any_case: bool) -> bool:
    """Whether a phrase stands in a text as whole words; never, if the phrase has none."""
    return bool(words(phrase)) and _pattern(phrase, any_case).search(_cased(text, any_case)) is not None


def begins(text: str, phrase: str) -> bool:
    """Whether a text begins with a phrase as whole words, in its own case."""
    return (
        bool(words(phrase))
        and _pattern(phrase, any_case=False).match(_cased(text, any_case=False)) is not None
    )


@lru_cache(maxsize=256)  # one text is searched for many phrases
def _cased(text: str, any_case: bool) -> str:
    return normalised(text).casefold() if any_case else normalised(text)


@lru_cache(maxsize=4096)
def _pattern(phrase: str, any_case: bool) -> "regex.Pattern[str]":
    wanted = _cased(phrase, any_case)
    before = (
        "" if _FREE_BEGIN.match(wanted[0]) else rf"(?:(?<![\p{{L}}\p{{M}}\p{{N}}])|(?<=[{WITHOUT_BLANKS}]))"
    )
    after = "" if _FREE_END.match(wanted[-1]) else rf"(?:(?![\p{{L}}\p{{N}}])|(?=[{WITHOUT_BLANKS}]))"
    return regex.compile(rf"(?V1){before}{regex.escape(wanted)}(?!\p{{M}}){after}")
