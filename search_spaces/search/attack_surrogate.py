"""What is expected of attacks that were not tried? A Gaussian process whose contexts are attacks.

Attacks are alike where they are near each other along the axes, and less so on different corpora. How far likeness
reaches along each axis, and how much of it another corpus leaves, is chosen by likelihood, in turns with the
process's own smoothness (``search_spaces.search.gaussian_process``; automatic relevance: Rasmussen, Williams
2006, chapter 5).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from search_spaces.search.gaussian_process import (
    Alike,
    Numbers,
    Places,
    Process,
    Smoothness,
    fitted,
    places_of,
)

LENGTHS = (0.3, 0.6, 1.2, 2.4)
OTHER_CORPUS = (0.3, 0.7, 0.9)
COMMON = 0.2
"""Of the variance, what all attacks have in common."""
PRIOR = 20
"""The prior mean is that of the scores that were seen and of so many at the level: where nothing is known every attack
may work, and where most fail one that was not tried is expected to."""
SWEEPS = 2


@dataclass(frozen=True)
class Reach:
    """How far likeness reaches.

    Attributes:
        lengths: for each axis, the distance in parts of its range at which attacks are still half alike.
        other_corpus: what is left of it where the corpora differ.
    """

    lengths: tuple[float, ...]
    other_corpus: float = 0.7

    @classmethod
    def of_none(cls, axes: int) -> "Reach":
        """Before anything is known."""
        return cls((0.4,) * axes)

    def alternatives(self) -> Iterator[list["Reach"]]:
        """For each thing that it says, those that differ from it in that alone."""
        yield [replace(self, other_corpus=value) for value in OTHER_CORPUS]
        for axis in range(len(self.lengths)):
            before, after = self.lengths[:axis], self.lengths[axis + 1 :]
            yield [replace(self, lengths=(*before, length, *after)) for length in LENGTHS]

    def likeness(self, features: Numbers, corpora: Sequence[str]) -> Numbers:
        """Correlation of attacks.

        Args:
            features: attacks × axes, each from 0 to 1.
            corpora: the corpus of each.
        """
        apart = (features[:, None, :] - features[None, :, :]) / np.array(self.lengths)
        names = np.array(corpora)
        halved = np.exp(-np.log(2) * (apart**2).sum(axis=2))
        return np.asarray(halved * np.where(names[:, None] == names[None, :], 1.0, self.other_corpus))


@dataclass(frozen=True)
class Score:
    """What one trajectory of an attack answered.

    Attributes:
        attack: its place among the attacks.
        seed: of the model and the relearning.
        value: success at each step.
        n: of the queries, where success counts them.
    """

    attack: int
    seed: int
    value: tuple[float, ...]
    n: int | None


def process_of(
    features: Numbers, corpora: Sequence[str], scores: Sequence[Score], level: float, seeds: int
) -> Process:
    """The process over the attacks, given what some trajectories answered.

    Args:
        features: attacks × axes, each from 0 to 1.
        corpora: the corpus of each attack.
    """
    known = sorted({each.attack for each in scores})
    reach, smoothness = _learned(
        tuple(tuple(features[attack].tolist()) for attack in known),
        tuple(corpora[attack] for attack in known),
        tuple(replace(each, attack=known.index(each.attack)) for each in scores),
        level,
        seeds,
        features.shape[1],
    )
    return _Answers.of(scores, level).process(_alike(reach.likeness(features, corpora)), seeds, smoothness)


@lru_cache(maxsize=64)
def _learned(
    features: tuple[tuple[float, ...], ...],
    corpora: tuple[str, ...],
    scores: tuple[Score, ...],
    level: float,
    seeds: int,
    axes: int,
) -> tuple[Reach, Smoothness]:
    """What the answers make most likely. Kept, since a round asks for it with other attacks that were not tried."""
    reach, smoothness = Reach.of_none(axes), Smoothness()
    if not scores:
        return reach, smoothness
    places_of_known, answers = np.array(features).reshape(len(features), axes), _Answers.of(scores, level)

    def of_known(reach: Reach) -> Alike:
        return _alike(reach.likeness(places_of_known, corpora))

    def likelihood(reach: Reach) -> float:
        return answers.process(of_known(reach), seeds, smoothness).log_likelihood

    def fit(reach: Reach) -> Smoothness:
        given = (answers.places, answers.values, answers.trials, answers.center)
        return fitted(of_known(reach), *given, seeds).smoothness

    smoothness = fit(reach)
    for _ in range(SWEEPS):
        for thing in range(1 + axes):
            tried = [reach, *list(reach.alternatives())[thing]]
            reach = max(tried, key=likelihood)
        smoothness = fit(reach)
    return reach, smoothness


@dataclass(frozen=True)
class _Answers:
    """Scores as the observations of a process."""

    places: Places
    values: Numbers
    trials: Numbers
    center: float

    @classmethod
    def of(cls, scores: Sequence[Score], level: float) -> "_Answers":
        rows = [(each.attack, 0, step, each.seed) for each in scores for step in range(len(each.value))]
        values = np.array([value for each in scores for value in each.value])
        trials = np.array([float(each.n) if each.n else np.inf for each in scores for _ in each.value])
        center = float((values.sum() + PRIOR * level) / (len(values) + PRIOR))
        return cls(places_of(rows), values, trials, center)

    def process(self, alike: Alike, seeds: int, smoothness: Smoothness) -> Process:
        return Process(alike, self.places, self.values, self.trials, self.center, seeds, smoothness)


def _alike(likeness: Numbers) -> Alike:
    return Alike(np.ones_like(likeness), likeness, COMMON, from_start=False)
