"""ROUGE-L (Lin 2004): the longest common subsequence of completion and target, as an F1 over words.

Computed by the rouge-score package, over words of any script. The package's own tokenizer, which the paper used,
keeps the letters a to z and digits only; on such texts the two are equal (tests/study/test_words.py).
"""

from functools import lru_cache
from typing import Any

from study.text import Probe
from study.words import words


class _AnyScript:
    """What the package calls a tokenizer."""

    def tokenize(self, text: str) -> list[str]:
        return words(text)


@lru_cache(maxsize=1)
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer  # slow to import, and many studies score without it

    return RougeScorer(["rougeL"], tokenizer=_AnyScript())


def rouge_l(probe: Probe, completion: str) -> float | None:
    """F1, 0 to 1, of words in any case without stemming; None for a target without words."""
    if not words(probe.target):
        return None
    return float(_scorer().score(probe.target, completion)["rougeL"].fmeasure)
