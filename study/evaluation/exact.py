"""Exact continuation: the completion begins with the target, word for word."""

from study.text.examples import Probe
from study.text.words import continues


def exact(probe: Probe, completion: str) -> bool | None:
    """Whether the target's words and marks come first, in their order and case; see ``study.text.words.continues``."""
    return continues(completion, probe.target)
