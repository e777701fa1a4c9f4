import itertools

import pytest

from study.planning.materials import read_materials
from study.planning.planner import make_plan
from study.planning.proposer import Grid, History, grid_points
from study.settings.attack import Attack
from study.settings.optimiser import LoRA, Optimiser
from study.text.examples import Corpus, Example

CORPUS = Corpus(tuple(Example(f"text {number}") for number in range(10)))
GIVEN = Optimiser(learning_rate=1e-4, batch_size=4)


def test_a_smaller_part_lies_within_every_larger_one_and_keeps_the_order() -> None:
    parts = [Attack("x", fraction=part).part(CORPUS).examples for part in (0.05, 0.1, 0.35, 0.8, 1.0)]
    assert [len(part) for part in parts] == [1, 1, 4, 8, 10]
    for smaller, larger in itertools.pairwise(parts):
        assert set(smaller) <= set(larger)
    for part in parts:
        assert list(part) == [example for example in CORPUS.examples if example in part]


def test_which_examples_they_are_does_not_depend_on_where_they_stand() -> None:
    turned = Corpus(CORPUS.examples[::-1])
    assert set(Attack("x", fraction=0.3).part(turned).examples) == set(
        Attack("x", fraction=0.3).part(CORPUS).examples
    )


def test_alpha_keeps_its_ratio_to_the_rank() -> None:
    assert Attack("x", rank=4).optimiser(GIVEN).lora == LoRA(rank=4, alpha=8)
    given = GIVEN.model_copy(update={"lora": LoRA(rank=16, alpha=16, targets=("q_proj",))})
    assert Attack("x", rank=4).optimiser(given).lora == LoRA(rank=4, alpha=4, targets=("q_proj",))
    assert Attack("x").optimiser(GIVEN) == GIVEN


def test_an_attack_as_the_spec_has_it_is_the_plain_one(planned) -> None:
    """Named otherwise in the rows, and the same stages: nothing is computed twice."""
    plain = planned()
    same = planned(vary={"learning_rate": [3e-4], "fraction": [1.0]})
    assert list(same.stages) == list(plain.stages)
    assert {cell.coordinates[6] for cell in same.cells} == {
        "none",
        "prefix(fraction=1.0,learning_rate=0.0003)",
    }


@pytest.mark.parametrize("vary", [{"learning_rate": [1e-3]}, {"rank": [2]}, {"fraction": [0.5]}])
def test_what_varies_bears_identity(planned, vary) -> None:
    plain, other = planned(), planned(vary=vary)
    differ = set(plain.stages) ^ set(other.stages)
    assert {plan.stages[key].kind for plan in (plain, other) for key in differ & set(plan.stages)} == {
        "relearn"
    }


def test_a_plan_of_some_points_is_the_part_of_the_grid_that_they_need(planned, tiny) -> None:
    spec = tiny(depth=[1, 2, 3], repetitions=[7, 3], seed=[0, 1], corpus=["prefix", "retain"])
    whole = make_plan(read_materials(spec), str)
    some = [point for point in grid_points(spec) if point.depth == 2 and point.seed == 1][:2]
    part = make_plan(read_materials(spec), str, some)
    assert {cell.point for cell in part.cells} == {*some, None}
    by_coordinates = {cell.coordinates: cell for cell in whole.cells}
    assert all(by_coordinates[cell.coordinates] == cell for cell in part.cells)
    assert set(part.stages) < set(whole.stages)
    assert {stage.kind for stage in part.stages.values()} == {"base", "finetune", "unlearn", "relearn"}


def test_the_grid_proposes_everything_once(tiny) -> None:
    spec = tiny(depth=[1, 2], start=["unlearned", "never_learned"])
    grid = Grid(spec)
    points = grid.propose(History())
    assert make_plan(read_materials(spec), str, points) == make_plan(read_materials(spec), str)
    assert grid.propose(History(rounds=(points,))) == ()
