"""Which attacks to ask next? First those that most others are like, then those that stand for most of the front.

The front is drawn from the process (``search_spaces.search.attack_surrogate``) again and again. In each draw some of
its
settings (attack × steps) have nothing on the front as it is known that stands for them. The attacks of a round are
chosen one by one, each for the most such settings, over all draws, that it stands for and those before it do not:
the greedy choice, whose cover is at least 1 - 1/e of the best (Nemhauser, Wolsey, Fisher 1978).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from search_spaces.search.attack_space import WORSE
from search_spaces.search.gaussian_process import Numbers, Process, places_of

Flags = npt.NDArray[np.bool_]

DRAWS = 64


@dataclass(frozen=True)
class Drawn:
    """Fronts that were drawn from a process.

    Attributes:
        news: whether an attack stands for a setting of a drawn front for which nothing named stands; attacks × such
            settings, over all draws.
        settings: how many settings the drawn fronts have, missing or not.
    """

    news: Flags
    settings: int

    @property
    def covered(self) -> float:
        """The share of the front for which something named is expected to stand; all of it where nothing works."""
        return 1 - self.news.shape[1] / self.settings if self.settings else 1.0


@dataclass(frozen=True)
class Settings:
    """What can be asked of a target: every attack after every number of steps, flat, attack by attack.

    Attributes:
        steps: how many numbers of steps.
        prices: settings × kinds of price.
        near: settings × settings, whether the first is at most the tolerance dearer than the other.
        named: those on the front as it is known.
    """

    steps: int
    prices: Numbers
    near: Flags
    named: tuple[int, ...]

    def drawn(self, process: Process, level: float) -> Drawn:
        """Fronts that the answers allow, and what would stand for what is missing of them."""
        attacks = len(self.prices) // self.steps
        places = places_of([(attack, 0, step, -1) for attack in range(attacks) for step in range(self.steps)])
        values, vectors = np.linalg.eigh(process.covariance(places))
        root = vectors * np.sqrt(np.clip(values, 0, None))
        normal = np.random.default_rng(0).standard_normal((DRAWS, len(places)))
        found, whole = [], 0
        for success in process.mean(places) + normal @ root.T:
            works = np.flatnonzero(success >= level)
            front = works[~self._beaten(works, success)]
            named = np.array([each for each in self.named if success[each] >= level], dtype=np.int64)
            whole += len(front)
            front = front[~self._stands(named, front, success).any(axis=0)]
            stands = np.zeros((len(places), len(front)), dtype=np.bool_)
            stands[works] = self._stands(works, front, success)
            found.append(stands.reshape(attacks, self.steps, len(front)).any(axis=1))
        return Drawn(np.concatenate(found, axis=1), whole)

    def _beaten(self, works: npt.NDArray[np.int64], success: Numbers) -> Flags:
        prices, mine = self.prices[works], success[works]
        cheaper = np.asarray((prices[:, None, :] <= prices[None, :, :]).all(axis=2))
        np.fill_diagonal(cheaper, val=False)
        return np.asarray((cheaper & (mine[:, None] >= mine[None, :])).any(axis=0))

    def _stands(self, one: npt.NDArray[np.int64], other: npt.NDArray[np.int64], success: Numbers) -> Flags:
        return np.asarray(
            self.near[np.ix_(one, other)] & (success[one][:, None] >= success[other][None, :] - WORSE)
        )


def most_news(news: Flags, free: Sequence[int], count: int) -> list[int]:
    """So many of the free attacks, each for the most news that those before it do not bring."""
    left, missing, chosen = list(free), np.ones(news.shape[1], dtype=np.bool_), list[int]()
    while left and len(chosen) < count:
        best = left.pop(int(np.argmax(news[left][:, missing].sum(axis=1))))
        chosen.append(best)
        missing &= ~news[best]
    return chosen


def most_alike(likeness: Numbers, known: Sequence[int], free: Sequence[int], count: int) -> list[int]:
    """So many of the free attacks, each the one that most others are like and none of those before it is."""
    nearest = likeness[:, list(known)].max(axis=1, initial=0.0)
    left, chosen = list(free), list[int]()
    while left and len(chosen) < count:
        best = left.pop(int(np.argmax(np.maximum(likeness[left] - nearest, 0).sum(axis=1))))
        chosen.append(best)
        nearest = np.maximum(nearest, likeness[best])
    return chosen
