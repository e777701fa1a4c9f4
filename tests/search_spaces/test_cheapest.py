import itertools
import math

import pytest

from search_spaces.search.attack_space import Tried
from search_spaces.search.pareto_search import Cheapest
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
RANGES = {
    **LISTED,
    "vary": {
        "learning_rate": {"low": 1e-5, "high": 1e-2, "log": "true"},
        "rank": {"low": 2, "high": 32},
        "fraction": {"low": 0.1, "high": 0.9},
    },
}


def dearer_is_stronger(point: Point, step: int) -> float:
    """A rate that rises with every price, and differs between seeds."""
    attack = point.attack
    force = math.log10(attack.learning_rate or 1e-4) + 4 + math.log2(attack.rank or 1) / 3
    force += 2 * (attack.fraction or 1) + math.log2(1 + step) / 2 + (attack.corpus == "prefix") / 2
    return 1 / (1 + math.exp(-2 * (force - 4.5 - 0.2 * point.seed))) if step else 0.0


def test_the_front_is_what_no_other_beats(searching) -> None:
    """Beside the definition, pair by pair."""
    proposer = Cheapest(searching("cheapest", **LISTED))
    points = proposer.candidates()
    history = History(
        rounds=(points,), curves={point: curve(point, STEPS, dearer_is_stronger) for point in points}
    )
    (target,) = proposer.targets
    settings = {}
    for attack, step in itertools.product({point.attack for point in points}, STEPS[1:]):
        of_seeds = [dearer_is_stronger(p, step) for p in points if p.attack == attack]
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


def test_a_quarter_of_the_grid_stands_for_its_front(searching) -> None:
    proposer = Cheapest(searching("cheapest", budget={"trajectories": 40}, **LISTED))
    points = proposer.candidates()
    assert len(points) == 162
    (target,) = proposer.targets
    everything = History(
        rounds=(points,), curves={point: curve(point, STEPS, dearer_is_stronger) for point in points}
    )
    found = proposer.front(target, search_through(proposer, STEPS, dearer_is_stronger)[-1])
    assert all(
        any(proposer.stands_for(each, one) for each in found) for one in proposer.front(target, everything)
    )


def test_ranges_are_kept_and_whole_numbers_are_whole(searching) -> None:
    proposer = Cheapest(searching("cheapest", budget={"trajectories": 30}, **RANGES))
    history = search_through(proposer, STEPS, dearer_is_stronger)[-1]
    assert proposer.candidates() == ()
    assert len(history.asked) == len(set(history.asked)) == 30
    for point in history.asked:
        attack = point.attack
        assert 1e-5 <= attack.learning_rate <= 1e-2
        assert isinstance(attack.rank, int) and 2 <= attack.rank <= 32
        assert 0.1 <= attack.fraction <= 0.9
    assert len({point.attack.learning_rate for point in history.asked}) > 8
    assert {point.attack.corpus for point in history.asked} == {"prefix", "retain"}


def test_what_is_on_the_front_is_asked_in_other_seeds(searching) -> None:
    proposer = Cheapest(searching("cheapest", budget={"trajectories": 40}, **RANGES))
    history = search_through(proposer, STEPS, dearer_is_stronger)[-1]
    (target,) = proposer.targets
    seeds = [each.seeds for each in proposer.front(target, history)]
    assert max(seeds) > 1
    assert sum(seeds) / len(seeds) > 1.3


def test_no_attack_works(searching) -> None:
    proposer = Cheapest(searching("cheapest", budget={"trajectories": 16}, **LISTED))
    history = search_through(proposer, STEPS, lambda point, step: 0.1)[-1]
    answer = proposer.answer(history)
    assert answer.sentences[0] == "r=7, depth 8: no attack that was tried reaches 50%."
    assert "The budget of 16 trajectories is spent" in answer.sentences[-1]
    assert "front" not in answer.tables


def test_it_stops_by_itself(searching) -> None:
    proposer = Cheapest(searching("cheapest", **{**LISTED, "seed": [0]}))
    history = search_through(proposer, STEPS, lambda point, step: float(step > 5))[-1]
    answer = proposer.answer(history)
    assert answer.reason == "tolerance"
    assert len(history.asked) < len(proposer.candidates())


def test_it_goes_on_while_too_little_of_the_front_is_expected_to_be_covered(searching, monkeypatch) -> None:
    """The same search, of which more is demanded than can be had, asks for all that there is."""
    proposer = Cheapest(searching("cheapest", **{**LISTED, "seed": [0]}))
    monkeypatch.setattr("search_spaces.search.pareto_search.COVER", 1.01)
    history = search_through(proposer, STEPS, lambda point, step: float(step > 5))[-1]
    assert proposer.answer(history).reason == "grid"
    assert set(history.asked) == set(proposer.candidates())


def test_it_says_what_it_expects_to_cover(searching) -> None:
    """Hardly anything while little is known, and all of it at the end of the grid."""
    proposer = Cheapest(searching("cheapest", **{**LISTED, "seed": [0]}))
    (target,) = proposer.targets
    histories = search_through(proposer, STEPS, dearer_is_stronger)
    early, late = (proposer.expected_cover(target, histories[place]) for place in (1, -1))
    assert early < late
    assert late >= 0.95
    assert f"expected to cover {100 * late:.0f}% of the front" in proposer.answer(histories[-1]).sentences[0]


def test_the_next_round_follows_from_the_spec_and_the_answers_alone(searching) -> None:
    spec = searching("cheapest", budget={"trajectories": 32}, **RANGES)
    histories = search_through(Cheapest(spec), STEPS, dearer_is_stronger)
    for before, after in itertools.pairwise(histories):
        again = History(rounds=before.rounds, curves=dict(reversed(list(before.curves.items()))))
        assert Cheapest(spec).propose(again) == after.rounds[-1]


def test_targets_take_turns(searching) -> None:
    axes = {**LISTED, "repetitions": [7, 5, 3], "depth": [6, 7, 8, 10, 12]}
    proposer = Cheapest(searching("cheapest", budget={"trajectories": 64}, **axes))
    asked = search_through(proposer, STEPS, dearer_is_stronger)[-1].asked
    each = {(p.repetitions, p.depth): 0 for p in asked}
    for point in asked:
        each[point.repetitions, point.depth] += 1
    assert len(each) == 15
    assert max(each.values()) - min(each.values()) <= 1


def test_without_ranges_of_its_own_it_varies_all_three(searching) -> None:
    spec = searching("cheapest", budget={"trajectories": 8}, repetitions=[7], depth=[8])
    for point in Cheapest(spec).propose(History()):
        assert None not in (point.attack.learning_rate, point.attack.rank, point.attack.fraction)
        assert (
            spec.relearn.learning_rate / 10 <= point.attack.learning_rate <= 10 * spec.relearn.learning_rate
        )


def test_beaten_is_dearer_and_no_better() -> None:
    def tried(success: float, *prices: float) -> Tried:
        return Tried(Attack("a"), 5, success, 1, success, success, prices)

    assert tried(0.6, 5, 10).beats(tried(0.6, 5, 11))
    assert tried(0.7, 5, 10).beats(tried(0.6, 5, 10))
    assert not tried(0.6, 5, 10).beats(tried(0.7, 5, 11))
    assert not tried(0.6, 5, 10).beats(tried(0.6, 5, 10))


@pytest.mark.parametrize("kind", [Interval, Integers])
def test_a_range_has_two_ends(kind) -> None:
    with pytest.raises(ValueError, match="low below high"):
        kind(low=3, high=3)
