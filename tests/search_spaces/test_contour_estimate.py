"""The process beside the textbook, its bands beside surfaces that were drawn, and crossings by hand."""

import math

import numpy as np
import pytest

from search_spaces.search.contour_estimate import NOWHERE, ScoreProcess, at_depth, context_of, crossing
from study.planning.proposer import Curve, Point, grid_points

STEPS = (0, 5, 20)
DEPTHS = (6, 8, 10, 12)


def matern(distance: float) -> float:
    """5/2, of a distance in length scales."""
    far = math.sqrt(5) * distance
    return (1 + far + far**2 / 3) * math.exp(-far)


def prior(one, other, lengths, shared: float, own: float) -> float:
    """Of two answers, each (repetitions, corpus, depth, step, seed), place by place.

    Attacks that differ are 0.9 apart once there was a step; at step 0 both are the same model, which is 0.9 / √2 from
    any.
    """
    attacks = [corpus if step else None for _, corpus, _, step, _ in (one, other)]
    squares = 0.9**2 * (1 if None not in attacks else 0.5) * (attacks[0] != attacks[1])
    squares += ((math.log2(1 + one[0]) - math.log2(1 + other[0])) / lengths[0]) ** 2
    squares += ((one[2] - other[2]) / lengths[1]) ** 2 + ((one[3] - other[3]) / lengths[2]) ** 2
    return matern(math.sqrt(squares)) * (shared + own * (one[4] == other[4]))


@pytest.fixture
def spec(searching):
    return searching(
        "frontier",
        repetitions=[7, 3],
        depth=list(DEPTHS),
        corpus=["prefix", "retain"],
        relearn_steps=list(STEPS),
    )


def place_of(point: Point, step: int) -> tuple[int, str, int, int, int]:
    return (point.repetitions, point.attack.corpus, DEPTHS.index(point.depth), step, point.seed)


def process_of(spec, curves) -> tuple[ScoreProcess, list[Point], list]:
    points = list(grid_points(spec))
    contexts = list(dict.fromkeys(map(context_of, points)))
    return ScoreProcess(spec, contexts, points, curves), points, contexts


def test_the_mean_over_seeds_is_that_of_all_seeds_conditioned_together(spec) -> None:
    points = list(grid_points(spec))
    draw = np.random.default_rng(5)
    asked = [points[index] for index in sorted(draw.choice(len(points), 9, replace=False))]
    by_start: dict[tuple, float] = {}
    curves = {}
    for point in asked:
        start = by_start.setdefault((point.repetitions, point.depth, point.seed), float(draw.random()))
        curves[point] = Curve(STEPS, (start, *draw.random(2)), 50)
    process, _, contexts = process_of(spec, curves)
    kernel = process._process.kernel_
    lengths = kernel.k1.k1.length_scale[4:7]  # after one model, one method and two attacks
    shared, own = kernel.k1.k2.k1.constant_value, kernel.k1.k2.k2.k1.constant_value
    hyperparameters = (lengths, shared, own)

    rows: dict[tuple, float] = {}
    for point, curve in curves.items():
        for step, value in enumerate(curve.value):
            repetitions, corpus, depth, _, seed = place_of(point, step)
            rows.setdefault((repetitions, corpus if step else None, depth, step, seed), value)
    places, values = list(rows), np.array(list(rows.values()))
    smoothed = (values * 50 + 1) / 52
    joint = np.array([[prior(a, b, *hyperparameters) for b in places] for a in places])
    joint += np.diag(smoothed * (1 - smoothed) / 50 + process.nugget)
    _, _, repetitions, corpus = contexts[2]
    surface = [(repetitions, corpus, d, s, seed) for d in range(4) for s in range(3) for seed in range(3)]
    cross = np.array([[prior(a, b, *hyperparameters) for b in places] for a in surface])
    whole = np.array([[prior(a, b, *hyperparameters) for b in surface] for a in surface])
    average = np.kron(np.eye(12), np.full((1, 3), 1 / 3))
    mean, covariance = process.over_seeds(*process.posterior(contexts[2]))
    assert mean == pytest.approx(average @ (0.5 + cross @ np.linalg.solve(joint, values - 0.5)), abs=1e-6)
    expected = average @ (whole - cross @ np.linalg.solve(joint, cross.T)) @ average.T
    assert covariance == pytest.approx(expected, abs=1e-6)


def test_before_any_answer_the_level_is_expected_everywhere(spec) -> None:
    process, _, contexts = process_of(spec, {})
    mean, covariance = process.over_seeds(*process.posterior(contexts[0]))
    assert mean == pytest.approx(0.5)
    assert np.diag(covariance).min() > 0.1


def test_the_band_holds_the_contours_of_surfaces_that_were_drawn(spec) -> None:
    """Of surfaces drawn from a prior that the process does not know, half of whose trajectories it is told."""
    points = list(grid_points(spec))
    places = [
        (p.repetitions, p.attack.corpus if s else None, DEPTHS.index(p.depth), s, p.seed)
        for p in points
        for s in range(3)
    ]
    covariance = np.array([[prior(a, b, (2.0, 2.0, 2.0), 0.16, 0.02) for b in places] for a in places])
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.clip(values, 0, None))
    inside = []
    for seed in range(6):
        draw = np.random.default_rng(seed)
        scores = np.clip(0.5 + root @ draw.standard_normal(len(places)), 0, 1).reshape(len(points), 3)
        told = draw.choice(len(points), len(points) // 2, replace=False)
        process, _, contexts = process_of(
            spec, {points[index]: Curve(STEPS, tuple(scores[index]), None) for index in told}
        )
        found = process.contours()
        for index, context in enumerate(contexts):
            means = [
                np.mean(
                    [scores[i] for i, p in enumerate(points) if context_of(p) == context and p.depth == d],
                    axis=0,
                )
                for d in DEPTHS
            ]
            truth = crossing(np.array(means).T, 0.5)
            inside += list((found.low[index] - 0.05 <= truth) & (truth <= found.high[index] + 0.05))
    assert len(inside) == 72
    assert np.mean(inside) > 0.85


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
