"""Why a judge gave an answer no rating: the words of the column ``judge_unrated``, and how they are counted.

The words begin with a cause that many answers share, and go on after ``: `` with what is particular to one answer.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

NO_NUMBER = "its reply has no rating from 1 to 10"
"""The cause where the judge took the answer; such an answer has its reply, and nothing in ``judge_unrated``."""


def causes_of(unrated: Iterable[str | None]) -> Counter[str]:
    """How many values of ``judge_unrated`` have which cause; nulls are passed over."""
    return Counter(each.partition(": ")[0] for each in unrated if each is not None)


def in_words(causes: Mapping[str, int]) -> str:
    """Causes with how many answers each has, the most first: ``3: it fails on the question; 1: …``."""
    return "; ".join(
        f"{count:,}: {cause}" for cause, count in sorted(causes.items(), key=lambda each: -each[1])
    )
