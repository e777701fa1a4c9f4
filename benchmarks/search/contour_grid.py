"""A computed grid of names: its true contours, and how far from them an estimate is.

A contour belongs to a context (model, method, repetitions, attack) and a number of relearn steps. It is the depth up to
which the mean over seeds reaches the level, in steps of the grid of depths.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from benchmarks.search.grids import NAMES, UNTIL_THE_BUDGET, Curves, grid_of
from search_spaces.loading import load_space
from search_spaces.search.contour_estimate import Contours, Numbers, context_of, crossing
from search_spaces.search.contour_search import ContourSearch
from study.planning.proposer import History, Point
from study.spec import StudySpec

PART = 0.25
"""Of the grid, the budget of every arm."""


@dataclass(frozen=True)
class ContourGrid:
    """A computed grid, and what is true there.

    Attributes:
        truth: the contours of the mean over seeds, contexts × steps.
    """

    spec: StudySpec
    points: tuple[Point, ...]
    curves: Curves
    truth: Numbers

    @classmethod
    @lru_cache
    def of(cls, folder: str) -> "ContourGrid":
        """The grid in one folder."""
        spec = load_space("names", [UNTIL_THE_BUDGET, NAMES[folder]])
        search = ContourSearch(spec)
        curves = grid_of(folder, spec, search.candidates())
        depths = sorted(spec.depth)
        means = np.zeros((len(search.contexts), len(spec.relearn_steps), len(depths)))
        for point, curve in curves.items():
            context = search.contexts.index(context_of(point))
            means[context, :, depths.index(point.depth)] += np.array(curve.value) / len(spec.seed)
        truth = crossing(means, 0.5)
        return cls(spec, search.candidates(), curves, truth)

    @property
    def budget(self) -> int:
        """Trajectories that an arm may ask."""
        return int(PART * len(self.points))

    def estimate(self, history: History) -> Contours:
        """The contours by the search's own process: all arms are read by the same estimator."""
        return ContourSearch(self.spec).estimate(history)
