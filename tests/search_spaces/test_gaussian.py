"""The process beside the textbook: conditioning one large Gaussian in which every seed has its own row."""

import numpy as np
import pytest

from search_spaces.search.contour import NOWHERE, at_depth, crossing
from search_spaces.search.gaussian_process import Alike, Process, Smoothness, places_of

SEEDS = 3
DEPTHS, STEPS = 4, 2
SMOOTH = Smoothness(depth_length=1.7, step_length=2.3, surface=0.4, seeds=0.2, remainder=0.05)
ALIKE = Alike(
    models=np.array([[1.0, 0.7], [0.7, 1.0]]),
    attacks=np.array([[1.0, 0.0], [0.0, 1.0]]),
    share=0.6,
    from_start=True,
)


def matern(distance: float, length: float) -> float:
    far = np.sqrt(5) * distance / length
    return float((1 + far + far**2 / 3) * np.exp(-far))


def prior(one, other) -> float:
    """Between two answers, each (context, depth, step, seed), by the definition and place by place."""
    own = 0.4 * (one[0] == other[0]) * (one[2] > 0) * (other[2] > 0)
    alike = ALIKE.models[one[0], other[0]] * (0.6 + own)
    smooth = matern(abs(one[1] - other[1]), 1.7) * matern(abs(one[2] - other[2]), 2.3)
    return float(alike * smooth * (0.4**2 + 0.2**2 * (one[3] == other[3])))


@pytest.fixture
def observed():
    rows = [(0, 0, 0, 0), (0, 0, 1, 0), (0, 2, 1, 1), (1, 3, 1, 2), (1, 1, 0, 0)]
    return rows, np.array([0.9, 0.7, 0.4, 0.1, 0.6]), np.full(5, 50.0)


def test_the_mean_over_seeds_is_that_of_all_seeds_conditioned_together(observed) -> None:
    rows, scores, trials = observed
    surface = [(c, d, s) for c in range(2) for d in range(DEPTHS) for s in range(STEPS)]
    everything = [(*place, seed) for place in surface for seed in range(SEEDS)]
    joint = np.array([[prior(a, b) for b in rows] for a in rows])
    cross = np.array([[prior(a, b) for b in rows] for a in everything])
    whole = np.array([[prior(a, b) for b in everything] for a in everything])
    smoothed = (scores * trials + 1) / (trials + 2)
    noisy = joint + np.diag(smoothed * (1 - smoothed) / trials + 0.05**2)
    average = np.kron(np.eye(len(surface)), np.full((1, SEEDS), 1 / SEEDS))
    mean = average @ (0.5 + cross @ np.linalg.inv(noisy) @ (scores - 0.5))
    covariance = average @ (whole - cross @ np.linalg.inv(noisy) @ cross.T) @ average.T

    process = Process(ALIKE, places_of(rows), scores, trials, 0.5, SEEDS, SMOOTH)
    places = places_of([(*place, -1) for place in surface])
    assert process.mean(places) == pytest.approx(mean, abs=1e-6)
    assert process.covariance(places) == pytest.approx(covariance, abs=1e-6)
    sign, logarithm = np.linalg.slogdet(noisy)
    expected = -0.5 * (scores - 0.5) @ np.linalg.inv(noisy) @ (scores - 0.5) - 0.5 * logarithm
    assert sign == 1
    assert process.log_likelihood == pytest.approx(expected, abs=1e-6)


def test_a_promised_reduction_is_what_the_answer_brings(observed) -> None:
    """The covariance after an answer does not depend on what it says, so it can be known before."""
    rows, scores, _ = observed
    trials = np.full(5, np.inf)  # the noise of counts depends on the answer
    process = Process(ALIKE, places_of(rows), scores, trials, 0.5, SEEDS, SMOOTH)
    asked = [(1, 0, 0, 1), (1, 0, 1, 1)]
    places = places_of([(c, d, s, -1) for c in range(2) for d in range(DEPTHS) for s in range(STEPS)])
    each, there, noise = process.reduction(places_of(asked), places)
    promised = process.covariance(places) - there.T @ np.linalg.inv(each + np.diag(noise)) @ there
    after = Process(
        ALIKE,
        places_of([*rows, *asked]),
        np.append(scores, [0.2, 0.8]),
        np.full(7, np.inf),
        0.5,
        SEEDS,
        SMOOTH,
    )
    assert after.covariance(places) == pytest.approx(promised, abs=1e-6)


@pytest.mark.parametrize(
    ("scores", "place"),
    [
        ([0.9, 0.7, 0.3, 0.1], 1.5),
        ([0.9, 0.5, 0.3, 0.1], 1.0),
        ([0.4, 0.3, 0.2, 0.1], NOWHERE),
        ([0.9, 0.8, 0.7, 0.6], 3.5),
        ([0.9, 0.1, 0.7, 0.2], 2.4),  # the deepest
        ([0.1, 0.1, 0.1, 0.5], 3.5),
    ],
)
def test_where_a_series_falls_below_the_level(scores: list[float], place: float) -> None:
    assert crossing(np.array([scores]), 0.5)[0] == pytest.approx(place)


def test_a_place_as_a_depth() -> None:
    depths = (6, 8, 12)
    assert at_depth(1.5, depths) == 10
    assert at_depth(0.0, depths) == 6
    assert at_depth(NOWHERE, depths) == 0
    assert at_depth(2.5, depths) == float("inf")
