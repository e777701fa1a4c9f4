"""Who says what a study asks next: the grid, or the search that its spec names."""

from study.planning.materials import Materials
from study.planning.proposer import Answer, Grid, History, Point, Proposer


def proposer_of(materials: Materials) -> Proposer:
    """The proposer of a spec and its data. What only a search needs (scipy, Optuna) is imported for a search alone."""
    spec = materials.spec
    if spec.search is None:
        return Grid(spec)
    if spec.search.question == "frontier":
        from search_spaces.search.contour_search import ContourSearch

        return OnOneThread(ContourSearch(spec))
    from search_spaces.search.pareto_search import ParetoSearch

    return OnOneThread(ParetoSearch(materials))


class OnOneThread:
    """A search whose sums come in one order, however many cores there are: where two points are as good, the last bit
    decides, and a search that goes on elsewhere must decide as before. Its matrices are small: more threads only wait.
    """

    def __init__(self, search: Proposer) -> None:
        self._search = search

    def candidates(self) -> tuple[Point, ...]:
        """See ``Proposer``."""
        return self._search.candidates()

    def propose(self, history: History) -> tuple[Point, ...]:
        """See ``Proposer``."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, "blas"):
            return self._search.propose(history)

    def answer(self, history: History) -> Answer | None:
        """See ``Proposer``."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, "blas"):
            return self._search.answer(history)
