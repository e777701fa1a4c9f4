"""Who says what a study asks next: the grid, or the search that its spec names."""

from study.points import Grid, Proposer
from study.spec import StudySpec


def proposer_of(spec: StudySpec) -> Proposer:
    """The proposer of a spec. What only a search needs (scipy, Optuna) is imported for a search alone."""
    if spec.search is None:
        return Grid(spec)
    if spec.search.question == "frontier":
        from search_spaces.frontier import Frontier

        return Frontier(spec)
    from search_spaces.cheapest import Cheapest

    return Cheapest(spec)
