import itertools
import random
from types import SimpleNamespace

import numpy as np
import pytest

from search_spaces.search.budget import Spending
from search_spaces.search.contour_search import ContourSearch
from study.planning.proposer import History, Point
from tests.search_spaces.conftest import curve, search_through

STEPS = (0, 5, 10, 20, 40)


def words(proposer: ContourSearch, history: History) -> str:
    return "\n".join(proposer.answer(history).sentences)


def falls_with_depth(point: Point, step: int) -> float:
    """Works down to about depth 9 after 40 steps where r = 7, and one step of depth less in one seed of three."""
    edge = 5 + step / 10 - (point.seed == 1) if point.repetitions == 7 else 0
    return float(1 / (1 + np.exp(2 * (point.depth - edge))))


def test_half_of_the_grid_tells_the_contours(searching) -> None:
    """Beside the crossing of the mean over seeds, found by bisection of the formula on each pair of depths."""
    depths = (6, 7, 8, 10, 12)
    proposer = ContourSearch(searching("frontier", budget={"trajectories": 15}, tolerance=1e-6))
    history = search_through(proposer, STEPS, falls_with_depth)[-1]
    assert len(history.asked) == 15 == len(proposer.candidates()) // 2
    found = proposer.estimate(history)
    for index, (_, _, repetitions, _) in enumerate(proposer.contexts):
        for place, step in enumerate(STEPS):
            expected = last_crossing(depths, repetitions, step)
            assert abs(found.place[index, place] - expected) <= 1, (repetitions, step)


def last_crossing(depths: tuple[int, ...], repetitions: int, step: int) -> float:
    """In steps of the grid; -0.5 where no depth reaches one half."""

    def mean(depth: int) -> float:
        point = {"repetitions": repetitions, "depth": depth}
        return sum(falls_with_depth(SimpleNamespace(**point, seed=seed), step) for seed in range(3)) / 3

    rates = [mean(depth) for depth in depths]
    for place in reversed(range(len(depths) - 1)):
        if rates[place] >= 0.5 > rates[place + 1]:
            return place + (rates[place] - 0.5) / (rates[place] - rates[place + 1])
    return -0.5


def test_what_it_says_is_what_it_was_shown(searching) -> None:
    proposer = ContourSearch(searching("frontier"))
    history = search_through(proposer, STEPS, falls_with_depth)[-1]
    said = words(proposer, history)
    assert "prefix, r = 7: after 40 steps the attack reaches 50% up to depth" in said
    assert "The attack reaches 50% at no depth, after any number of steps: prefix, r = 1." in said
    assert "not monotone" not in said
    assert "Every contour is known to ±1 step of the grid" in said
    row = next(
        row
        for row in proposer.answer(history).tables["contours"]
        if (row["repetitions"], row["relearn_steps"]) == (7, 40)
    )
    assert row["depth_low"] <= 8.76 <= row["depth_high"]  # the mean over seeds: 0.753 at depth 8, 0.085 at 10
    assert len(history.asked) < 0.7 * len(proposer.candidates())


def test_an_attack_that_never_works(searching) -> None:
    proposer = ContourSearch(searching("frontier"))
    history = search_through(proposer, STEPS, lambda point, step: 0.0)[-1]
    assert "at no depth, after any number of steps: prefix, r = 7; prefix, r = 1." in words(proposer, history)
    assert len(history.asked) < 0.7 * len(proposer.candidates())


def test_an_attack_that_always_works(searching) -> None:
    proposer = ContourSearch(searching("frontier"))
    history = search_through(proposer, STEPS, lambda point, step: 0.97)[-1]
    assert words(proposer, history).count("50% or more at every depth, whatever the steps") == 2


def test_an_attack_that_works_deeper_and_not_shallower(searching) -> None:
    proposer = ContourSearch(searching("frontier"))
    odd = search_through(proposer, STEPS, lambda point, step: float(step > 0 and point.depth in (6, 10)))[-1]
    assert "not monotone in depth" in words(proposer, odd)


def test_an_attack_that_more_relearning_undoes(searching) -> None:
    proposer = ContourSearch(searching("frontier"))
    undone = search_through(proposer, STEPS, lambda point, step: 0.95 if 5 <= step <= 10 else 0.02)[-1]
    assert "not monotone in steps: what works after 5, 10 is undone by more relearning" in words(
        proposer, undone
    )
    assert "not monotone in depth" not in words(proposer, undone)


def test_the_next_round_follows_from_the_spec_and_the_answers_alone(searching) -> None:
    spec = searching("frontier", tolerance=1e-6)
    histories = search_through(ContourSearch(spec), STEPS, falls_with_depth)
    assert len(histories) == 5
    draw = random.Random(0)
    for before, after in itertools.pairwise(histories):
        shuffled = list(before.curves.items())
        draw.shuffle(shuffled)
        again = History(rounds=before.rounds, curves=dict(shuffled))
        assert ContourSearch(spec).propose(again) == after.rounds[-1]


def test_nothing_is_asked_twice_and_nothing_that_is_published(searching) -> None:
    spec = searching("frontier", tolerance=1e-6)
    asked = search_through(ContourSearch(spec), STEPS, falls_with_depth)[-1].asked
    assert len(asked) == len(set(asked)) == len(ContourSearch(spec).candidates())
    found = asked[:20]
    history = History(found=found, curves={point: curve(point, STEPS, falls_with_depth) for point in found})
    assert not set(ContourSearch(spec).propose(history)) & set(found)


def test_a_failed_trajectory_is_not_asked_again(searching) -> None:
    spec = searching("frontier")
    first = ContourSearch(spec).propose(History())
    again = ContourSearch(spec).propose(History(rounds=(first,)))  # no answer at all
    assert again
    assert not set(again) & set(first)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_first_round_is_drawn_by_the_seed(searching, seed: int) -> None:
    first = [
        ContourSearch(searching("frontier", draw=each)).propose(History()) for each in (seed, seed, seed + 1)
    ]
    assert first[0] == first[1] != first[2]


def test_budgets(searching) -> None:
    def spent(budget: dict[str, float]) -> tuple[History, ContourSearch]:
        proposer = ContourSearch(searching("frontier", budget=budget, tolerance=1e-6))
        return search_through(proposer, STEPS, falls_with_depth)[-1], proposer

    history, proposer = spent({"trajectories": 11})
    assert len(history.asked) == 11
    assert "The budget (11 trajectories) is spent" in words(proposer, history)
    history, proposer = spent({"steps": 2000})
    spending = Spending(proposer._spec, ())
    assert (
        spending.steps(history.asked) <= 2000 < spending.steps(history.asked) + 600
    )  # a pipeline of its own at most
    over = History(seconds=3601, rounds=history.rounds, curves=history.curves)
    assert ContourSearch(searching("frontier", budget={"hours": 1}, tolerance=1e-6)).propose(over) == ()


def test_steps_that_are_shared_are_counted_once(searching, planned) -> None:
    """As the plan counts them."""
    from study.planning.materials import read_materials
    from study.planning.planner import make_plan

    spec = searching("frontier")
    points = ContourSearch(spec).candidates()[:7]
    plan = make_plan(read_materials(spec), str, points)
    assert Spending(spec, ()).steps(points) == sum(stage.last_step for stage in plan.stages.values())


def test_what_shares_a_trunk_is_cheaper(searching) -> None:
    spec = searching("frontier")
    one, *others = ContourSearch(spec).candidates()
    spending = Spending(spec, (one, *others))
    same = next(p for p in others if (p.seed, p.repetitions) == (one.seed, one.repetitions))
    other = next(p for p in others if p.seed != one.seed)
    near, far = spending.costs([same, other], [one])
    assert near < far
    assert spending.costs([other], [], [other]) == [max(spec.relearn_steps)]
    assert spending.steps([other], [], [other]) == max(spec.relearn_steps)
