"""Which trajectories to ask next, for the contour of a level over depth and relearn steps?

The first round is drawn at random. Each later round asks for the trajectories with the greatest straddle per
optimiser step that they cost. The straddle of a place is 1.96 standard deviations of the mean over seeds, less the
distance of that mean from the level, and at least 0 (Bryan et al. 2005): it is greatest where the side of the level
is least certain. A trajectory has the sum over its relearn steps. After each choice the covariance is that of the
process with the choice observed, so that a round does not ask for the same thing twice. Contours that are known to
the tolerance do not count.
"""

import numpy as np
import numpy.typing as npt

from search_spaces.search.budget import Spending
from search_spaces.search.contour_answer import contour_rows, contour_sentences, end_sentence
from search_spaces.search.contour_estimate import Context, Contours, Numbers, ScoreProcess, context_of
from study.planning.proposer import Answer, History, Point, asked_rows, grid_points
from study.settings.search import Search
from study.spec import StudySpec

Flags = npt.NDArray[np.bool_]

WIDTH = 1.96


class ContourSearch:
    """The proposer of ``--search frontier``. A function of the spec and of the history; it remembers nothing."""

    def __init__(self, spec: StudySpec) -> None:
        if spec.search is None:
            raise ValueError("expected a spec with a search")
        self._spec = spec
        self._search: Search = spec.search
        self._points = tuple(point for point in grid_points(spec) if point.start == "unlearned")
        self._contexts: tuple[Context, ...] = tuple(dict.fromkeys(map(context_of, self._points)))
        self._depths = tuple(sorted(spec.depth))
        self._spending = Spending(spec, self._points)

    @property
    def contexts(self) -> tuple[Context, ...]:
        """What has contours, in the order of ``estimate``."""
        return self._contexts

    def candidates(self) -> tuple[Point, ...]:
        """Every trajectory of the grid that starts from an unlearned model."""
        return self._points

    def propose(self, history: History) -> tuple[Point, ...]:
        """The next round; none at the end."""
        taken = {*history.found, *history.asked}
        free = [point for point in self._points if point not in taken]
        if not history.curves:
            draw = np.random.default_rng([self._search.seed, len(history.rounds)])
            chosen = [free[index] for index in draw.permutation(len(free))[: self._search.round]]
        else:
            process = self._process(history)
            known = process.contours().half_width <= self._search.tolerance
            chosen = [] if known.all() else self._choose(process, ~known, free, history)
        return tuple(self._spending.within(self._search.budget, history, chosen))

    def answer(self, history: History) -> Answer:
        """The contours with their bands, how well they are known, and where they are not monotone."""
        found = self.estimate(history)
        reason = self._reason(found, history)
        sentences = contour_sentences(self._spec, self._contexts, found)
        return Answer(
            (*sentences, end_sentence(self._search, reason, found, history, len(self._points))),
            reason,
            {"contours": contour_rows(self._spec, self._contexts, found), "asked": asked_rows(history)},
        )

    def estimate(self, history: History) -> Contours:
        """The contours, contexts × steps, in the order of ``contexts``."""
        return self._process(history).contours()

    def _process(self, history: History) -> ScoreProcess:
        return ScoreProcess(self._spec, self._contexts, self._points, history.curves)

    def _choose(
        self, process: ScoreProcess, counts: Flags, free: list[Point], history: History
    ) -> list[Point]:
        """The points of one round, in the order in which they were chosen.

        Args:
            counts: contexts × steps, the contours that are not known yet.
        """
        seeds, steps = len(self._spec.seed), len(self._spec.relearn_steps)
        posteriors = [process.posterior(context) for context in self._contexts]
        worth = [self._straddle(process, *posteriors[each], counts[each]) for each in range(len(posteriors))]
        places = [
            (self._contexts.index(context_of(point)), self._depths.index(point.depth)) for point in free
        ]
        chosen: list[int] = []
        for _ in range(min(self._search.round, len(free))):
            before = [*history.found, *history.asked, *(free[index] for index in chosen)]
            costs = self._spending.costs(free, before, history.begun)
            values = np.array([worth[context][depth] for context, depth in places]) / np.array(costs)
            values[chosen] = -1
            best = int(values.argmax())
            chosen.append(best)
            context, depth = places[best]
            first = (depth * seeds + self._spec.seed.index(free[best].seed)) * steps
            mean, covariance = posteriors[context]
            posteriors[context] = (mean, _observed(covariance, slice(first, first + steps), process.nugget))
            worth[context] = self._straddle(process, *posteriors[context], counts[context])
        return [free[index] for index in chosen]

    def _straddle(self, process: ScoreProcess, mean: Numbers, covariance: Numbers, counts: Flags) -> Numbers:
        """Of a context, at each depth: the sum over the relearn steps that count."""
        mean, covariance = process.over_seeds(mean, covariance)
        deviation = np.sqrt(np.clip(np.diag(covariance), 0, None))
        straddle = np.clip(WIDTH * deviation - np.abs(mean - self._search.level), 0, None)
        return np.asarray(straddle.reshape(len(self._depths), -1) @ counts)

    def _reason(self, found: Contours, history: History) -> str:
        if history.curves and (found.half_width <= self._search.tolerance).all():
            return "tolerance"
        taken = {*history.found, *history.asked}
        if all(point in taken for point in self._points):
            return "grid"
        return "" if self.propose(history) else "budget"


def _observed(covariance: Numbers, rows: slice, noise: float) -> Numbers:
    """The covariance once some rows are observed, whatever they turn out to be."""
    block = covariance[rows, rows] + noise * np.eye(rows.stop - rows.start)
    return np.asarray(covariance - covariance[:, rows] @ np.linalg.solve(block, covariance[rows]))
