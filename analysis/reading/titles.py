"""Probes that share a title, such as an author: over the probes of one seed they count as one.

One number of a study, so that a rate of one seed has one interval in every table and picture.
"""

from collections.abc import Iterable


def cluster(probe: str) -> str:
    """What a probe belongs to: the author of ``author-03-pair-07``; any other is alone."""
    return probe.rsplit("-pair-", 1)[0]


def probes_per_cluster(probes: Iterable[str]) -> float:
    """How many probes share a title, in the mean; 1 where each is alone, and where there is none."""
    names = list(probes)
    return len(names) / len({cluster(name) for name in names}) if names else 1.0
