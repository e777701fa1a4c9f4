"""How alike attacks are, by its definition; and what is learned of it from answers that are known."""

import itertools

import numpy as np
import pytest

from search_spaces.search.attack_surrogate import COMMON, Reach, Score, process_of
from search_spaces.search.gaussian_process import Alike, Process, Smoothness, places_of

LEVEL = 0.5
GRID = np.array(list(itertools.product(np.linspace(0, 1, 6), repeat=2)))
CORPORA = ["prefix"] * len(GRID)


def along_the_first(features) -> float:
    """A rate that the first axis alone decides."""
    return float(1 / (1 + np.exp(-12 * (features[0] - 0.5))))


def means(process: Process) -> np.ndarray:
    return process.mean(places_of([(attack, 0, 0, -1) for attack in range(len(GRID))]))


def test_attacks_are_half_alike_at_the_length_of_an_axis() -> None:
    features = np.array([[0.0, 0.0], [0.3, 0.0], [0.0, 1.2], [0.3, 1.2], [0.0, 0.0]])
    likeness = Reach((0.3, 1.2), 0.7).likeness(features, ["a", "a", "a", "a", "b"])
    assert likeness[0] == pytest.approx([1, 0.5, 0.5, 0.25, 0.7])
    assert likeness == pytest.approx(likeness.T)
    assert np.linalg.eigvalsh(likeness).min() > 0


def test_before_any_answer_each_attack_may_work() -> None:
    process = process_of(GRID, CORPORA, [], LEVEL, 3)
    places = places_of([(attack, 0, 0, -1) for attack in range(len(GRID))])
    assert means(process) == pytest.approx(LEVEL)
    assert np.diag(process.covariance(places)).min() > 0.1


def test_where_all_that_was_tried_fails_the_rest_is_expected_to() -> None:
    scores = [Score(attack, 0, (0.0,), 100) for attack in range(0, len(GRID), 4)]
    untried = [attack for attack in range(len(GRID)) if attack % 4]
    assert means(process_of(GRID, CORPORA, scores, LEVEL, 1))[untried].max() < LEVEL


def test_it_learns_which_axis_decides() -> None:
    """What it expects of attacks that were not tried is nearer to the truth than with the reach of the start."""
    asked = np.random.default_rng(3).choice(len(GRID), 12, replace=False)
    scores = [Score(int(attack), 0, (along_the_first(GRID[attack]),), 1000) for attack in asked]
    learned = process_of(GRID, CORPORA, scores, LEVEL, 1)
    of_none = Alike(
        np.ones((len(GRID),) * 2), Reach.of_none(2).likeness(GRID, CORPORA), COMMON, from_start=False
    )
    values = np.array([score.value[0] for score in scores])
    places = places_of([(score.attack, 0, 0, 0) for score in scores])
    at_start = Process(of_none, places, values, np.full(12, 1000.0), LEVEL, 1, Smoothness())
    untried = [attack for attack in range(len(GRID)) if attack not in asked]
    truth = np.array([along_the_first(GRID[attack]) for attack in untried])
    errors = [float(np.abs(means(each)[untried] - truth).mean()) for each in (learned, at_start)]
    assert errors[0] < 0.1
    assert errors[0] < 0.6 * errors[1]


def test_it_learns_that_another_corpus_is_another_attack() -> None:
    """Where one corpus works and the other never does, an attack is expected to go as others on its corpus do."""
    features = np.array(list(itertools.product(np.linspace(0, 1, 5), [0.0]))).repeat(2, axis=0)
    corpora = ["prefix", "gibberish"] * 5
    scores = [Score(index, 0, (0.9 * (corpora[index] == "prefix"),), 1000) for index in (0, 1, 2, 3, 8, 9)]
    process = process_of(features, corpora, scores, LEVEL, 1)
    works, fails = process.mean(places_of([(4, 0, 0, -1), (5, 0, 0, -1)]))
    assert works > 0.75
    assert fails < 0.15


def test_the_order_of_the_answers_does_not_matter() -> None:
    scores = [
        Score(attack, seed, (along_the_first(GRID[attack]),), 100)
        for attack, seed in ((3, 0), (20, 1), (33, 0))
    ]
    one, other = (process_of(GRID, CORPORA, order, LEVEL, 3) for order in (scores, scores[::-1]))
    assert means(one) == pytest.approx(means(other), abs=1e-9)
