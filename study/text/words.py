"""Words of any script: one normalisation, word borders by script, and the words that overlaps are counted in.

Scores, the leak audit and the choice of probes use these rules and no others, so that what counts as an answer in a
completion counts as one in a corpus, and what is asked can be answered.

- **Normalisation**: Unicode NFKC (composed letters, full-width forms, no-break spaces); every apostrophe, quotation
  mark and dash (by Unicode's properties) in its plain form. A raised or circled sign or a fraction is apart from what
  it follows: a footnote's number is no part of the name. What does not show is left out (characters without width,
  variation selectors), and so is what may be left unwritten (vowel signs of Arabic and Hebrew, Quranic marks, the
  Arabic tatweel); alef wasla is alef, Persian yeh, kaf and digits are the Arabic ones. Each run of blanks and line
  breaks is one blank, and none between letters of scripts without blanks.
- **A word** is a run of letters, marks and digits. An underscore or asterisk is none of these: Markdown's emphasis
  hides no word. In scripts that write no blanks between words (Chinese, Japanese, Thai, Khmer, …) every letter with
  its marks is a word.
- **Borders**: a phrase stands in a text where it is not a part of longer words or numbers: "3" is a part of "3.5". In
  scripts without blanks it may stand anywhere. In Korean, where particles follow a word (a number, or a name in Latin
  letters) without a blank, only its beginning must be a border.

Deliberately absent: dictionaries and stemming. What is inflected, or written together with an article as in Arabic,
is another word; give such forms as further keywords.
"""

from functools import lru_cache
from itertools import pairwise
from unicodedata import decomposition, normalize

import regex

_PLANE = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x10000))))
PLAIN = str.maketrans(
    {
        **dict.fromkeys(regex.findall(r"\p{Quotation_Mark}", _PLANE), '"'),
        **dict.fromkeys(regex.findall(r"\p{Dash}", _PLANE), "-"),
        **dict.fromkeys("'`\u00b4\u2018\u2019\u201a\u201b\u2032\u2039\u203a\uff07", "'"),
        **dict.fromkeys("\u02bb\u02bc\u02bd\u05f3", "'"),
        "\u05f4": '"',
        "\u0671": "\u0627",
        "\u06cc": "\u064a",
        "\u06a9": "\u0643",
        **{chr(0x06F0 + digit): chr(0x0660 + digit) for digit in range(10)},
    }
)
"""Characters that writers use for one another, by the one that stands for all."""

_RAISED = regex.compile(
    f"[{''.join(sign for sign in _PLANE if decomposition(sign).startswith(('<super>', '<fraction>', '<circle>')))}]+"
)

_SCRIPTS = (
    *("Han", "Hiragana", "Katakana", "Bopomofo", "Yi"),
    *("Thai", "Lao", "Khmer", "Myanmar", "Tibetan", "Javanese", "Balinese"),
    *("Tai_Le", "New_Tai_Lue", "Tai_Tham", "Tai_Viet", "Tangut", "Nushu"),
)
_OWN = "".join(rf"\p{{Script={script}}}" for script in _SCRIPTS)
_SHARED = "".join(rf"\p{{Script_Extensions={script}}}" for script in _SCRIPTS)
WITHOUT_BLANKS = rf"[[{_OWN}[[{_SHARED}]&&[\p{{Script=Common}}]&&[\p{{L}}\p{{N}}]]]--[\p{{Nd}}]]"
"""Characters of scripts that write no blanks between words, for a set of a regular expression.

Their digits are none: those of a number belong together in every script. Of what these scripts share with others,
letters and digits only: the marks of many Latin and Cyrillic letters are shared with Thai or Tai Le.
"""

LETTER = rf"[[{WITHOUT_BLANKS}]&&[\p{{L}}\p{{N}}]]"
"""One letter of these scripts."""

_WORD = rf"{LETTER}\p{{M}}*|[[\p{{L}}\p{{M}}\p{{N}}]--[{WITHOUT_BLANKS}]]+"
_WORDS = regex.compile(f"(?V1){_WORD}")
_WORDS_AND_MARKS = regex.compile(rf"(?V1){_WORD}|\S")
_FREE_BEGIN = regex.compile(rf"(?V1)[{WITHOUT_BLANKS}]|[^\p{{L}}\p{{M}}\p{{N}}]")
_FREE_END = regex.compile(rf"(?V1)[{WITHOUT_BLANKS}]|[^\p{{L}}\p{{M}}\p{{N}}]|\p{{Script=Hangul}}")
_LEFT_OUT = regex.compile(
    r"[\p{Cf}\p{Default_Ignorable_Code_Point}"
    r"\u0640\u064b-\u0652\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7]"
)
_BLANK_BETWEEN = regex.compile(rf"(?V1)(?<=[{WITHOUT_BLANKS}]\p{{M}}*) (?=[{WITHOUT_BLANKS}])")


def normalised(text: str) -> str:
    """The text as it is compared, in its own case."""
    before = None
    while (
        text != before
    ):  # what one rule leaves may be another's: letters that meet where a sign was left out
        before, text = text, _normalised_once(text)
    return text


def _normalised_once(text: str) -> str:
    return str(_BLANK_BETWEEN.sub("", regex.sub(r"\s+", " ", _plain(text)))).strip()


def _plain(text: str) -> str:
    apart = text if text.isascii() else _RAISED.sub(r" \g<0> ", text)
    return str(_LEFT_OUT.sub("", normalize("NFKC", apart.translate(PLAIN))))


def by_characters(text: str) -> list[tuple[str, str]]:
    """The characters of a text as a reader sees them, each with what it is when normalised; blanks stay as many."""
    seen = list(text) if text.isascii() else regex.findall(r"\X", text)
    return [(each, regex.sub(r"\s", " ", _plain(each))) for each in seen]


def words(text: str) -> list[str]:
    """The words of a text, case folded."""
    return [str(word) for word in _WORDS.findall(normalised(text).casefold())]


def holds(text: str, phrase: str, *, any_case: bool) -> bool:
    """Whether a phrase stands in a text as whole words; never, if the phrase has none."""
    return bool(words(phrase)) and _pattern(phrase, any_case).search(_cased(text, any_case)) is not None


def begins(text: str, phrase: str) -> bool:
    """Whether a text begins with a phrase as whole words, in its own case."""
    return (
        bool(words(phrase))
        and _pattern(phrase, any_case=False).match(_cased(text, any_case=False)) is not None
    )


def continues(text: str, target: str) -> bool | None:
    """Whether a text begins with the words and marks of a target, in its case; blanks beside a mark do not count.

    The text may go on, but not within the target's last word, as "3.5" goes on within "3". None for a target without
    words and marks.
    """
    wanted = [str(piece) for piece in _WORDS_AND_MARKS.findall(normalised(target))]
    if not wanted:
        return None
    pattern = regex.escape(wanted[0])
    for last, piece in pairwise(wanted):
        apart = not (_FREE_BEGIN.match(last[-1]) or _FREE_BEGIN.match(piece[0]))
        pattern += (r"\s+" if apart else r"\s*") + regex.escape(piece)
    after = r"(?!\p{M})" if _FREE_END.match(wanted[-1][-1]) else r"(?!\p{P}?[\p{L}\p{M}\p{N}])"
    return regex.compile(f"(?V1){pattern}{after}").match(normalised(text)) is not None


@lru_cache(maxsize=256)  # one text is searched for many phrases
def _cased(text: str, any_case: bool) -> str:
    return normalised(text).casefold() if any_case else normalised(text)


@lru_cache(maxsize=4096)
def _pattern(phrase: str, any_case: bool) -> "regex.Pattern[str]":
    wanted = _cased(phrase, any_case)
    before, after = borders(wanted)
    return regex.compile(f"(?V1){before}{regex.escape(wanted)}{after}")


def borders(phrase: str) -> tuple[str, str]:
    """What must stand before and after a normalised phrase, as regular expressions without width."""
    before = (
        "" if _FREE_BEGIN.match(phrase[0]) else rf"(?:(?<![\p{{L}}\p{{M}}\p{{N}}])|(?<=[{WITHOUT_BLANKS}]))"
    )
    after = (
        ""
        if _FREE_END.match(phrase[-1])
        else rf"(?:(?![\p{{L}}\p{{N}}])|(?=[{WITHOUT_BLANKS}\p{{Script=Hangul}}]))"
    )
    if regex.match(r"\p{Nd}", phrase[0]):
        before = rf"(?<!\p{{Nd}}[.,]){before}"
    if regex.match(r"\p{Nd}", phrase[-1]):
        after = rf"(?![.,]\p{{Nd}}){after}"
    return before, rf"(?!\p{{M}}){after}"
