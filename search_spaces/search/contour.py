"""Where an attack begins to work: the contour of a level over depths, with its band, drawn from a process.

For each context and number of relearn steps, the contour is the depth up to which the attack works: the last
place along the depths where the score falls below the level. It is counted in steps of the grid from the
shallowest depth; half a step outside of the grid stands for "nowhere" (no depth is shallow enough) and for
"everywhere" (none is deep enough).
"""

from dataclasses import dataclass

import numpy as np

from search_spaces.search.gaussian_process import Numbers, Process, places_of

DRAWS = 400
CONFIDENCE = 0.95
NOWHERE = -0.5


@dataclass(frozen=True)
class Contours:
    """All contexts × steps at once.

    Attributes:
        place, low, high: in steps of the grid of depths; median and band of the draws.
        fails_below: probability that the attack works at a depth and not at a shallower one.
        fails_later: for each context and step, the probability that the attack works after so many steps and
            at some greater number no more, at the same depth.
    """

    place: Numbers
    low: Numbers
    high: Numbers
    fails_below: Numbers
    fails_later: Numbers

    @property
    def half_width(self) -> Numbers:
        """Of the band."""
        return (self.high - self.low) / 2


def crossing(scores: Numbers, level: float) -> Numbers:
    """The last place along the last axis where scores fall below the level; see the module's text.

    Args:
        scores: … × depths, from the shallowest.
    """
    depths = scores.shape[-1]
    above = scores >= level
    last = depths - 1 - np.argmax(above[..., ::-1], axis=-1)
    at = np.take_along_axis(scores, last[..., None], -1)[..., 0]
    after = np.take_along_axis(scores, np.minimum(last + 1, depths - 1)[..., None], -1)[..., 0]
    fall = np.where(at > after, at - after, 1.0)
    inside = last + np.clip((at - level) / fall, 0, 1)
    found = np.where(last == depths - 1, depths - 0.5, inside)
    return np.where(above.any(axis=-1), found, NOWHERE)


def contours(process: Process, contexts: int, depths: int, steps: int, level: float) -> Contours:
    """The contours of every context and number of steps, from draws of the process with a fixed seed."""
    normal = np.random.default_rng(0).standard_normal((DRAWS, steps * depths))
    tail = (1 - CONFIDENCE) / 2
    parts: list[list[Numbers]] = []
    for context in range(contexts):
        rows = [(context, depth, step, -1) for step in range(steps) for depth in range(depths)]
        places = places_of(rows)
        values, vectors = np.linalg.eigh(process.covariance(places))
        root = vectors * np.sqrt(np.clip(values, 0, None))
        drawn = (process.mean(places) + normal @ root.T).reshape(DRAWS, steps, depths)
        found = crossing(drawn, level)
        low, place, high = np.quantile(found, [tail, 0.5, 1 - tail], axis=0)
        works = drawn >= level
        deeper = np.flip(np.logical_or.accumulate(np.flip(works, -1), axis=-1), -1)
        later_fails = np.flip(np.logical_or.accumulate(np.flip(~works, 1), axis=1), 1)
        parts.append(
            [
                place,
                low,
                high,
                (~works & deeper).any(axis=-1).mean(axis=0),
                (works & later_fails).any(axis=-1).mean(axis=0),
            ]
        )
    return Contours(*(np.stack(arrays) for arrays in zip(*parts, strict=True)))


def at_depth(place: float, depths: tuple[int, ...]) -> float:
    """A place on the grid as a depth, between the listed ones; infinite or 0 outside of them."""
    if place <= NOWHERE:
        return 0.0
    if place > len(depths) - 1:
        return float("inf")
    return float(np.interp(place, range(len(depths)), depths))
