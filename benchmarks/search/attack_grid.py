"""A computed grid of attacks on one model: its true front, and how much of it a history covers."""

import statistics
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from benchmarks.search.grids import ATTACKS, CHEAPEST, OF_ATTACKS, Curves, grid_of
from search_spaces.loading import load_space
from search_spaces.search.attack_space import Tried
from search_spaces.search.contour_estimate import Numbers
from search_spaces.search.pareto_search import ParetoSearch
from study.planning.materials import read_materials
from study.planning.proposer import History, Point
from study.settings.attack import Attack
from study.spec import StudySpec

PART = 0.25
"""Of the grid, the budget of every arm."""


@dataclass(frozen=True)
class AttackGrid:
    """A computed grid, and what is true there."""

    spec: StudySpec
    points: tuple[Point, ...]
    curves: Curves
    front: list[Tried]
    truth: dict[tuple[object, int], Tried]

    @classmethod
    @lru_cache
    def of(cls, folder: str) -> "AttackGrid":
        """The grid in one folder."""
        spec = load_space("names", [CHEAPEST, *ATTACKS[folder], *OF_ATTACKS])
        whole = ParetoSearch(read_materials(spec))
        (target,) = whole.targets
        points = whole.candidates()
        curves = grid_of(folder, spec, points)
        everything = History(rounds=(points,), curves=curves)
        truth = {(each.attack, each.relearn_steps): each for each in whole.tried(target, everything)}
        return cls(spec, points, curves, whole.front(target, everything), truth)

    @property
    def budget(self) -> int:
        """Trajectories that an arm may ask."""
        return int(PART * len(self.points))

    @cached_property
    def attacks(self) -> tuple[Attack, ...]:
        """Each once."""
        return tuple(dict.fromkeys(point.attack for point in self.points))

    @cached_property
    def points_of(self) -> dict[Attack, tuple[Point, ...]]:
        """Of each attack, its trajectories: one in each seed of the model."""
        return {
            attack: tuple(point for point in self.points if point.attack == attack) for attack in self.attacks
        }

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """Relearn steps, from the fewest."""
        return tuple(sorted(self.spec.relearn_steps))

    def success(self, attack: Attack) -> Numbers:
        """Mean over the seeds of the model, at each number of steps."""
        return np.asarray(np.mean([self.curves[point].value for point in self.points_of[attack]], axis=0))

    def costs(self, attack: Attack) -> tuple[float, ...]:
        """Words, learning rate, rank: what an attack costs whatever its steps."""
        return self.truth[attack, self.steps[-1]].costs[1:]

    def covered(self, history: History) -> tuple[float, float]:
        """The share of the true front that is covered, and the share of the named attacks that do not work."""
        search = ParetoSearch(read_materials(self.spec))
        (target,) = search.targets
        really = [self.truth[each.attack, each.relearn_steps] for each in search.front(target, history)]
        works = [each for each in really if each.success >= 0.5]
        covered = [any(search.stands_for(each, member) for each in works) for member in self.front]
        return statistics.fmean(covered), 1 - len(works) / len(really) if really else 0.0
