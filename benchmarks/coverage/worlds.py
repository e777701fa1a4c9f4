"""Studies in which the truth is known: curves of seeds that differ, and that are alike, as in the studies on record.

An answer is yes with a probability whose logit is a middle, plus the seed's deviation, plus the probe's (normal, spread
1, shared by all seeds). A seed's deviations have the spread ``differ`` and correlate as in the studies on record: 0.65
along a curve, 0.45 between curves. A third of the curves rise from near 0, a third rise and stay, a third fall by half
or more after step 5. The truth is the rate over all seeds and probes, unless it is said to be of the probes asked.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import expit

from analysis.statistics.crossed_design import Answers
from analysis.statistics.wilson import Numbers

STEPS = (0, 5, 10, 20, 40)
CURVES = 24
FLAT = np.arange(CURVES) < 2 * CURVES // 3
"""Curves that do not fall."""
BETWEEN, ALONG = 0.45, 0.65
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(80)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def middles() -> Numbers:
    """Curves × steps: the logits in the middle of the seeds."""
    rising = np.array([-4.0, -2.0, -1.0, 0.0, 0.5])
    staying = np.array([-4.0, 0.5, 0.5, 0.5, 0.5])
    falling = np.array([-4.0, 1.5, 1.0, -1.0, -2.5])
    shift = np.linspace(-1, 1, CURVES // 3)[:, None]
    return np.concatenate([rising + shift, staying + shift, falling + shift])


def mean_rate(logits: Numbers, spread: float) -> Numbers:
    """The mean of a rate whose logit is normal."""
    return np.asarray(expit(logits[..., None] + spread * NODES) @ WEIGHTS)


@dataclass(frozen=True)
class World:
    """One simulated study.

    Attributes:
        curves: each of steps × seeds × probes.
        of_probes: of each curve, the rate at the last step over all seeds, for the probes that were asked.
    """

    curves: list[Answers]
    of_probes: Numbers


def simulated(generator: np.random.Generator, seeds: int, probes: int, differ: float) -> World:
    """A study of ``CURVES`` relearnings."""
    common = generator.normal(size=(1, 1, seeds)) * np.sqrt(BETWEEN)
    own = generator.normal(size=(CURVES, 1, seeds)) * np.sqrt(ALONG - BETWEEN)
    rest = generator.normal(size=(CURVES, len(STEPS), seeds)) * np.sqrt(1 - ALONG)
    logits = middles()[..., None] + differ * (common + own + rest)
    probe = generator.normal(size=probes)
    chance = expit(logits[..., None] + probe)
    scores = (generator.random(chance.shape) < chance).astype(float)
    names = tuple(map(str, range(probes)))
    asked = mean_rate(middles()[:, -1:] + probe, differ).mean(axis=1)
    return World([Answers(each, STEPS, tuple(range(seeds)), names) for each in scores], asked)


@cache
def _logit(rate: float, spread: float) -> float:
    """The middle at which seeds and probes that differ so have this mean rate."""
    return next(float(each) for each in np.arange(0, 40, 0.02) if mean_rate(np.array(each), spread) >= rate)


def middle_of(rate: float, spread: float) -> float:
    """The same of any rate."""
    return _logit(rate, spread) if rate >= 0.5 else -_logit(1 - rate, spread)


def pair(
    generator: np.random.Generator, seeds: int, probes: int, differ: float, points: float = 0.0
) -> Answers:
    """Two settings at one step, correlated as curves are, whose rates lie so far apart around a half."""
    logit = _logit(0.5 + points / 2, float(np.hypot(differ, 1)))
    common = generator.normal(size=(1, seeds)) * np.sqrt(BETWEEN)
    deviations = differ * (common + generator.normal(size=(2, seeds)) * np.sqrt(1 - BETWEEN))
    middle = np.array([logit, -logit])[:, None, None]
    chance = expit(middle + deviations[..., None] + generator.normal(size=probes))
    scores = (generator.random(chance.shape) < chance).astype(float)
    return Answers(scores, (0, 1), tuple(range(seeds)), tuple(map(str, range(probes))))
