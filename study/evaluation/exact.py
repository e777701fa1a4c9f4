"""Exact continuation: the completion begins with the target, word for word."""

from study.text import Probe
from study.words import chunks


def exact(probe: Probe, completion: str) -> bool | None:
    """Whether the target's words and marks come first, in their order and case; blanks do not count.

    None for a target without any.
    """
    wanted, given = chunks(probe.target), chunks(completion)
    return given[: len(wanted)] == wanted if wanted else None
