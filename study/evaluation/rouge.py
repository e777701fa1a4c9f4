"""ROUGE-L (Lin 2004): the longest common subsequence of completion and target, as an F1 over words.

Computed by the rouge-score package. ``rouge_l`` is over words of any script; ``rouge_l_ascii`` has the package's own
tokenizer, which the paper used and which keeps the letters a to z and digits only. On such texts the two are equal
(tests/study/texts/test_words.py); on others the second has no score, or one over what it keeps.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from study.text.examples import Probe
from study.text.words import words

ASCII = re.compile("[a-zA-Z0-9]")


class _AnyScript:
    """What the package calls a tokenizer."""

    def tokenize(self, text: str) -> list[str]:
        return words(text)


@contextmanager
def _with_a_home() -> Iterator[None]:
    """nltk, which the package imports for its stemmer, is not imported without a home; nothing is kept there."""
    try:
        Path.home()
    except RuntimeError:  # no HOME, and a user whom the system does not know
        os.environ["HOME"] = os.devnull
        try:
            yield
        finally:
            del os.environ["HOME"]
    else:
        yield


@lru_cache(maxsize=2)
def _scorer(any_script: bool) -> Any:
    with _with_a_home():
        from rouge_score.rouge_scorer import RougeScorer  # slow to import, and many studies score without it

    return RougeScorer(["rougeL"], tokenizer=_AnyScript() if any_script else None)


def rouge_l(probe: Probe, completion: str) -> float | None:
    """F1, 0 to 1, of words in any case without stemming; None for a target without words."""
    if not words(probe.target):
        return None
    return float(_scorer(True).score(probe.target, completion)["rougeL"].fmeasure)


def rouge_l_ascii(probe: Probe, completion: str) -> float | None:
    """The paper's: as ``rouge_l``, over the letters a to z and digits; None for a target without any."""
    if not ASCII.search(probe.target):
        return None
    return float(_scorer(False).score(probe.target, completion)["rougeL"].fmeasure)
