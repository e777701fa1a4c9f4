"""A study made to mislead, what is true of it, and the rates that the cases are made of."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.analysis.invented import HEIGHT, Invented, Place, comes_back

UNSAID, HOLDS, DOES_NOT = "cannot be said", "holds", "does not hold"


def high_in(name: str, rates: dict[object, float], rest: float = 0.0) -> Callable[[Place], float]:
    """A rate by one coordinate, once something was relearned."""
    return lambda place: rates.get(place[name], rest) if place["relearn_steps"] else 0.0


def everywhere(*verdicts: str) -> dict[str, frozenset[str]]:
    """The same verdicts for every corpus."""
    return dict.fromkeys(HEIGHT, frozenset(verdicts))


def alike(height: float) -> Callable[[Place], float]:
    """The same rise on every corpus."""
    return lambda place: comes_back(place, height)


def honest(place: Place) -> float:
    return Invented().unlearned(place)


def of_model(known: str, otherwise: float) -> Callable[[Place], float]:
    return lambda place: honest(place) if place["model"] == known else otherwise


@dataclass(frozen=True)
class Case:
    """A study, and what is true of it.

    Attributes:
        says, says_not: patterns among its sentences.
        back: corpus → the verdicts that may stand on "brings back more than it teaches the control".
        corpora: "one above other" → the verdict.
        stated: a statement → the verdicts that may stand on it; none where it must not be stated.
        over: a statement → a pattern of what it is over.
        claims: a word of a paper's claim → whether it holds.
        device: whose cells are looked at, of a study that several computed.
    """

    study: Invented
    says: tuple[str, ...] = ()
    says_not: tuple[str, ...] = ()
    back: dict[str, frozenset[str]] = field(default_factory=dict)
    corpora: dict[str, str] = field(default_factory=dict)
    stated: dict[str, frozenset[str]] = field(default_factory=dict)
    over: dict[str, str] = field(default_factory=dict)
    claims: dict[str, bool | None] = field(default_factory=dict)
    device: str | None = None
