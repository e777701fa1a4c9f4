"""What would stand for the front, beside the definition setting by setting; and the greedy choice beside the best."""

import itertools
import math

import numpy as np
import pytest

from search_spaces.search.acquisition import DRAWS, Settings, most_alike, most_news
from search_spaces.search.attack_space import WORSE
from search_spaces.search.attack_surrogate import Score, process_of
from search_spaces.search.gaussian_process import places_of

LEVEL = 0.5
STEPS = 2
PRICES = [(1, 1), (2, 1), (1, 2), (2, 2), (1, 4), (2, 4), (1, 8), (2, 8)]
"""Four attacks, dearer one by one, each after one step and after two."""
RATES = [(0.0, 0.2), (0.3, 0.65), (0.65, 0.9), (0.93, 0.6)]
FEATURES = np.array([[0.0], [1 / 3], [2 / 3], [1.0]])


def near(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """At most twice as dear in the second price and not at all in the first."""
    return one[0] <= other[0] and one[1] <= 2 * other[1]


def front_of(rates: list[float]) -> list[int]:
    works = [place for place, rate in enumerate(rates) if rate >= LEVEL]

    def beats(a: int, b: int) -> bool:
        mine, others = (*PRICES[a], -rates[a]), (*PRICES[b], -rates[b])
        return mine != others and all(x <= y for x, y in zip(mine, others, strict=True))

    return [place for place in works if not any(beats(other, place) for other in works)]


def stands(place: int, other: int, rates: list[float]) -> bool:
    good = rates[place] >= LEVEL and rates[place] >= rates[other] - WORSE
    return good and near(PRICES[place], PRICES[other])


def settings(*named: int) -> Settings:
    closeness = np.array([[near(one, other) for other in PRICES] for one in PRICES])
    return Settings(STEPS, np.array(PRICES, dtype=float), closeness, named)


def known(attacks: list[int], n: int):
    return process_of(FEATURES, ["prefix"] * 4, [Score(a, 0, RATES[a], n) for a in attacks], LEVEL, 1)


@pytest.mark.parametrize("named", [(), (3,), (5,), (3, 5)])
def test_where_all_is_known_the_drawn_front_is_the_front(named) -> None:
    rates = [rate for attack in RATES for rate in attack]
    front = front_of(rates)
    missing = [place for place in front if not any(stands(each, place, rates) for each in named)]
    assert 1 < len(front) < 6
    drawn = settings(*named).drawn(known([0, 1, 2, 3], 10**7), LEVEL)
    assert drawn.settings == DRAWS * len(front)
    assert drawn.covered == pytest.approx(1 - len(missing) / len(front))
    expected = [
        [any(stands(2 * a + s, place, rates) for s in range(STEPS)) for place in missing] for a in range(4)
    ]
    assert drawn.news.tolist() == [row * DRAWS for row in expected]


def test_where_little_is_known_the_cover_is_that_of_many_other_draws() -> None:
    process = known([0, 3], 100)
    places = places_of([(attack, 0, step, -1) for attack in range(4) for step in range(STEPS)])
    draws = np.random.default_rng(7).multivariate_normal(
        process.mean(places), process.covariance(places), 4000
    )
    whole = missing = 0
    for rates in draws.tolist():
        front = front_of(rates)
        whole += len(front)
        missing += sum(not stands(6, place, rates) for place in front)
    assert 0.1 < missing / whole < 0.9
    assert settings(6).drawn(process, LEVEL).covered == pytest.approx(1 - missing / whole, abs=0.1)


def test_nothing_is_missing_where_nothing_works() -> None:
    flat = [Score(attack, 0, (0.0, 0.0), 10**7) for attack in range(4)]
    drawn = settings().drawn(process_of(FEATURES, ["prefix"] * 4, flat, LEVEL, 1), LEVEL)
    assert (drawn.settings, drawn.news.shape, drawn.covered) == (0, (4, 0), 1.0)


@pytest.mark.parametrize("seed", range(10))
def test_the_greedy_choice_covers_nearly_as_much_as_the_best(seed) -> None:
    news = np.random.default_rng(seed).random((9, 40)) < 0.2
    free = [0, 2, 3, 5, 6, 7, 8]
    chosen = most_news(news, free, 3)
    best = max(news[list(each)].any(axis=0).sum() for each in itertools.combinations(free, 3))
    assert len(set(chosen)) == 3
    assert set(chosen) <= set(free)
    assert news[chosen].any(axis=0).sum() >= (1 - 1 / math.e) * best
    assert news[chosen[0]].sum() == news[free].sum(axis=1).max()


def test_more_than_there_is_gives_all_of_it() -> None:
    assert sorted(most_news(np.zeros((4, 0), dtype=bool), [1, 3], 5)) == [1, 3]
    assert sorted(most_alike(np.eye(4), [], [1, 3], 5)) == [1, 3]


def test_each_of_two_groups_is_asked_in_its_middle() -> None:
    at = np.array([0.0, 0.1, 0.2, 3.0, 3.1, 3.2, 3.3, 3.4])
    likeness = np.exp(-((at[:, None] - at[None, :]) ** 2))
    assert most_alike(likeness, [], range(8), 2) == [5, 1]
    assert most_alike(likeness, [4], range(8), 1) == [1]
