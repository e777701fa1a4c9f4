"""Who says what a study asks next: the grid, or the search that its spec names."""

from collections.abc import Callable

from search_spaces.cheapest import Cheapest
from search_spaces.frontier import Frontier
from study.points import Grid, Proposer
from study.spec import StudySpec

SEARCHES: dict[str, Callable[[StudySpec], Proposer]] = {"frontier": Frontier, "cheapest": Cheapest}


def proposer_of(spec: StudySpec) -> Proposer:
    """The proposer of a spec."""
    return Grid(spec) if spec.search is None else SEARCHES[spec.search.question](spec)
