"""How promising are attacks that were not tried? How likely each is on the front, and how little is known of it.

A Gaussian process (``search_spaces.gaussian``) whose contexts are attacks, alike where they are near each other; the
front is drawn from it again and again. An attack's promise is the share of the draws in which it is on the front
after some number of steps, times the standard deviation of its success there.
"""

from collections.abc import Sequence

import numpy as np

from search_spaces.gaussian import Alike, Numbers, Process, fitted, places_of

DRAWS = 64
NEAR = 0.4
"""The distance, in parts of the whole range of an axis, at which attacks are still half alike."""
OTHER_CORPUS = 0.7
COMMON = 0.2
"""Of the variance, what all attacks have in common."""


def alike(features: Numbers, corpora: Sequence[str]) -> Numbers:
    """Correlation of attacks.

    Args:
        features: attacks × axes, each from 0 to 1.
        corpora: the corpus of each.
    """
    far = ((features[:, None, :] - features[None, :, :]) ** 2).sum(axis=2)
    same = np.array([[one == other for other in corpora] for one in corpora])
    return np.asarray(np.exp(-np.log(2) * far / NEAR**2) * np.where(same, 1.0, OTHER_CORPUS))


def process_of(
    likeness: Numbers,
    tried: Sequence[tuple[int, int, tuple[float, ...], int | None]],
    level: float,
    seeds: int,
) -> Process:
    """The process over attacks.

    Args:
        tried: attack, seed, success at each step, and n where it counts queries.
    """
    places = [(attack, 0, step, seed) for attack, seed, scores, _ in tried for step in range(len(scores))]
    scores = [score for _, _, along, _ in tried for score in along]
    trials = [float(n) if n else np.inf for _, _, along, n in tried for _ in along]
    model = Alike(np.ones_like(likeness), likeness, COMMON, from_start=False)
    return fitted(model, places_of(places), np.array(scores), np.array(trials), level, seeds)


def promises(process: Process, attacks: int, prices: Numbers, level: float) -> Numbers:
    """The promise of each attack.

    Args:
        prices: attacks × steps × kinds of price.
    """
    steps = prices.shape[1]
    places = places_of([(attack, 0, step, -1) for attack in range(attacks) for step in range(steps)])
    covariance = process.covariance(places)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.clip(values, 0, None))
    normal = np.random.default_rng(0).standard_normal((DRAWS, len(places)))
    drawn = process.mean(places) + normal @ root.T
    flat = prices.reshape(len(places), -1)
    cheaper = np.asarray((flat[:, None, :] <= flat[None, :, :]).all(axis=2))
    np.fill_diagonal(cheaper, val=False)
    on_front = np.zeros(len(places))
    for success in drawn:
        works = success >= level
        beaten = (cheaper & works[:, None] & (success[:, None] >= success[None, :])).any(axis=0)
        on_front += works & ~beaten
    spread = np.sqrt(np.clip(np.diag(covariance), 0, None))
    return np.asarray((on_front / DRAWS * spread).reshape(attacks, steps).sum(axis=1))


def spread_out(promise: Numbers, likeness: Numbers, free: Sequence[int], count: int) -> list[int]:
    """The most promising, each weighed by how little it is like those chosen before it."""
    left = {index: float(promise[index]) for index in free}
    chosen: list[int] = []
    while left and len(chosen) < count:
        best = max(left, key=lambda index: (left[index], -index))
        chosen.append(best)
        del left[best]
        for index in left:
            left[index] *= 1 - float(likeness[index, best]) ** 2
    return chosen
