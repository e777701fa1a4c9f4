"""ROUGE-L (Lin 2004): the longest common subsequence of completion and target, as an F1 over words."""

from functools import lru_cache
from typing import Any

from study.text import Probe


@lru_cache(maxsize=1)
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer  # slow to import, and many studies score without it

    return RougeScorer(["rougeL"], use_stemmer=False)


def rouge_l(probe: Probe, completion: str) -> float:
    """F1, 0 to 1, by the rouge-score package: lower case, letters and digits, no stemming."""
    return float(_scorer().score(probe.target, completion)["rougeL"].fmeasure)
