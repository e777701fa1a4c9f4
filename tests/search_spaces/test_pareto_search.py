import itertools
import math
from collections.abc import Callable

import pytest

from search_spaces.search.attack_space import Tried
from search_spaces.search.pareto_search import QUIET_ATTACKS, ParetoSearch
from study.planning.materials import read_materials
from study.planning.proposer import History, Point
from study.settings.attack import Attack, Integers, Interval
from tests.search_spaces.conftest import curve, search_through

STEPS = (0, 5, 10, 20, 40)
LISTED = {
    "repetitions": [7],
    "depth": [8],
    "corpus": ["prefix", "retain"],
    "vary": {"learning_rate": [1e-4, 1e-3, 1e-2], "rank": [1, 4, 16], "fraction": [0.25, 0.5, 1]},
}
FINE = {
    **LISTED,
    "vary": {
        "learning_rate": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2],
        "rank": [1, 2, 4, 8, 16],
        "fraction": [0.25, 0.5, 0.75, 1],
    },
}
RANGES = {
    **LISTED,
    "vary": {
        "learning_rate": {"low": 1e-5, "high": 1e-2, "log": "true"},
        "rank": {"low": 2, "high": 32},
        "fraction": {"low": 0.1, "high": 0.9},
    },
}


def grows_with_cost(point: Point, step: int) -> float:
    """A rate that rises with every cost, and differs between seeds."""
    attack = point.attack
    force = math.log10(attack.learning_rate or 1e-4) + 4 + math.log2(attack.rank or 1) / 3
    force += 2 * (attack.fraction or 1) + math.log2(1 + step) / 2 + (attack.corpus == "prefix") / 2
    return 1 / (1 + math.exp(-2 * (force - 4.5 - 0.2 * point.seed))) if step else 0.0


@pytest.fixture
def cheapest(searching) -> Callable[..., ParetoSearch]:
    """``cheapest(depth=[…])``: the search of a small names study."""
    return lambda **fields: ParetoSearch(read_materials(searching("cheapest", **fields)))


def test_the_front_is_what_no_other_dominates(cheapest) -> None:
    """Beside the definition, pair by pair."""
    proposer = cheapest(**LISTED)
    points = proposer.candidates()
    history = History(
        rounds=(points,), curves={point: curve(point, STEPS, grows_with_cost) for point in points}
    )
    (target,) = proposer.targets
    settings = {}
    for attack, step in itertools.product({point.attack for point in points}, STEPS[1:]):
        of_seeds = [grows_with_cost(p, step) for p in points if p.attack == attack]
        words = sum(
            len(example.text.split()) for example in attack.part(proposer._words[7, attack.corpus]).examples
        )
        success = sum(of_seeds) / len(of_seeds)
        if success >= 0.5:
            settings[attack, step] = (step, words, attack.learning_rate, attack.rank, -success)
    expected = {
        name
        for name, mine in settings.items()
        if not any(all(a <= b for a, b in zip(o, mine, strict=True)) and o != mine for o in settings.values())
    }
    found = proposer.front(target, history)
    assert 5 < len(expected) < len(settings)
    assert {(each.attack, each.relearn_steps) for each in found} == expected
    assert all(each.seeds == 3 for each in found)


def test_a_quarter_of_the_grid_stands_for_nearly_all_of_its_front(cheapest) -> None:
    proposer = cheapest(budget={"trajectories": 40}, **LISTED)
    points = proposer.candidates()
    assert len(points) == 162
    (target,) = proposer.targets
    curves = {point: curve(point, STEPS, grows_with_cost) for point in points}
    front = proposer.front(target, History(rounds=(points,), curves=curves))
    found = proposer.front(target, search_through(proposer, STEPS, grows_with_cost)[-1])
    covered = sum(any(proposer.stands_for(each, one) for each in found) for one in front)
    assert covered >= 0.9 * len(front) > 60


def test_ranges_are_kept_and_whole_numbers_are_whole(cheapest) -> None:
    proposer = cheapest(budget={"trajectories": 30}, **RANGES)
    history = search_through(proposer, STEPS, grows_with_cost)[-1]
    assert proposer.candidates() == ()
    assert len(history.asked) == len(set(history.asked)) == 30
    for point in history.asked:
        attack = point.attack
        assert 1e-5 <= attack.learning_rate <= 1e-2
        assert isinstance(attack.rank, int) and 2 <= attack.rank <= 32
        assert 0.1 <= attack.fraction <= 0.9
    assert len({point.attack.learning_rate for point in history.asked}) > 8
    assert {point.attack.corpus for point in history.asked} == {"prefix", "retain"}


def test_an_attack_is_asked_in_every_seed(cheapest) -> None:
    proposer = cheapest(budget={"trajectories": 36}, **RANGES)
    asked = search_through(proposer, STEPS, grows_with_cost)[-1].asked
    seeds: dict[Attack, list[int]] = {}
    for point in asked:
        seeds.setdefault(point.attack, []).append(point.seed)
    assert len(seeds) == 12
    assert all(sorted(each) == [0, 1, 2] for each in seeds.values())


def test_what_was_published_in_one_seed_is_completed_first(cheapest) -> None:
    proposer = cheapest(**LISTED)
    strongest = max(proposer.candidates(), key=lambda point: (grows_with_cost(point, 40), -point.seed))
    history = History(found=(strongest,), curves={strongest: curve(strongest, STEPS, grows_with_cost)})
    first, second, *_ = proposer.propose(history)
    assert {first.attack, second.attack} == {strongest.attack}
    assert sorted([strongest.seed, first.seed, second.seed]) == [0, 1, 2]


def test_no_attack_works(cheapest) -> None:
    proposer = cheapest(budget={"trajectories": 16}, **LISTED)
    history = search_through(proposer, STEPS, lambda point, step: 0.1)[-1]
    answer = proposer.answer(history)
    assert answer.sentences[0] == "r = 7, depth 8: no attack that was tried reaches 50%."
    assert "The budget of 16 trajectories is spent" in answer.sentences[-1]
    assert "front" not in answer.tables


def test_it_stops_by_itself(cheapest) -> None:
    proposer = cheapest(**{**FINE, "seed": [0]})
    history = search_through(proposer, STEPS, lambda point, step: float(step > 5))[-1]
    answer = proposer.answer(history)
    assert answer.reason == "tolerance"
    assert QUIET_ATTACKS < len(history.asked) < len(proposer.candidates())
    assert answer.sentences[-1].startswith(f"The last {QUIET_ATTACKS} attacks on each model changed no front")


def test_a_front_is_quiet_where_the_last_attacks_add_nothing(cheapest) -> None:
    """All attacks work, so that the lowest costs are the front: it is quiet where they came first."""
    proposer = cheapest(**{**FINE, "corpus": ["prefix"], "seed": [0]})
    (target,) = proposer.targets

    def quiet(points: list[Point]) -> bool:
        curves = {point: curve(point, STEPS, lambda point, step: 0.9) for point in points}
        return proposer.is_quiet(target, History(rounds=tuple((point,) for point in points), curves=curves))

    rising = sorted(
        proposer.candidates(), key=lambda p: (p.attack.learning_rate, p.attack.rank, p.attack.fraction)
    )
    assert quiet(rising)
    assert not quiet(rising[::-1])
    assert not quiet(rising[:QUIET_ATTACKS])


def test_the_next_round_follows_from_the_spec_and_the_answers_alone(searching) -> None:
    materials = read_materials(searching("cheapest", budget={"trajectories": 32}, **RANGES))
    histories = search_through(ParetoSearch(materials), STEPS, grows_with_cost)
    for before, after in itertools.pairwise(histories):
        again = History(rounds=before.rounds, curves=dict(reversed(list(before.curves.items()))))
        assert ParetoSearch(materials).propose(again) == after.rounds[-1]


def test_targets_take_turns(cheapest) -> None:
    axes = {**LISTED, "repetitions": [7, 5, 3], "depth": [6, 7, 8, 10, 12]}
    proposer = cheapest(budget={"trajectories": 96}, **axes)
    asked = search_through(proposer, STEPS, grows_with_cost)[-1].asked
    each = {(p.repetitions, p.depth): 0 for p in asked}
    for point in asked:
        each[point.repetitions, point.depth] += 1
    assert len(each) == 15
    assert max(each.values()) - min(each.values()) <= 3  # one attack, in three seeds


def test_without_ranges_of_its_own_it_varies_all_three(searching) -> None:
    spec = searching("cheapest", budget={"trajectories": 8}, repetitions=[7], depth=[8])
    for point in ParetoSearch(read_materials(spec)).propose(History()):
        assert None not in (point.attack.learning_rate, point.attack.rank, point.attack.fraction)
        assert (
            spec.relearn.learning_rate / 10 <= point.attack.learning_rate <= 10 * spec.relearn.learning_rate
        )


def test_an_attack_dominates_that_costs_no_more_and_is_no_worse() -> None:
    def tried(success: float, *costs: float) -> Tried:
        return Tried(Attack("a"), 5, success, 1, success, success, costs)

    assert tried(0.6, 5, 10).dominates(tried(0.6, 5, 11))
    assert tried(0.7, 5, 10).dominates(tried(0.6, 5, 10))
    assert not tried(0.6, 5, 10).dominates(tried(0.7, 5, 11))
    assert not tried(0.6, 5, 10).dominates(tried(0.6, 5, 10))


@pytest.mark.parametrize("kind", [Interval, Integers])
def test_a_range_has_two_ends(kind) -> None:
    with pytest.raises(ValueError, match="low below high"):
        kind(low=3, high=3)
