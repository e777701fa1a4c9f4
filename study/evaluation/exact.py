"""Exact continuation: the completion begins with the target, word for word."""

from study.text import Probe


def exact(probe: Probe, completion: str) -> bool:
    """Whether the words of the target come first, in their order and case; blanks do not count."""
    wanted, given = probe.target.split(), completion.split()
    return given[: len(wanted)] == wanted
