"""The names of a study's models: at a service, at `relearn serve` and as folders, each model has its own."""

from typing import Any

import pytest

from search_spaces.loading import validate
from study.errors import SpecError
from study.planning.materials import read_materials
from study.planning.plan import Plan
from study.planning.planner import make_plan
from study.planning.served_names import check_told_apart
from study.planning.served_nodes import ServedModel
from study.settings.relearning import short_names
from tests.conftest import TINY

ALL = "{model}/{start}/{method}/{repetitions}/{seed}/{depth}"
TWO_METHODS = ["gradient_ascent", {"name": "gradient_difference"}]
VARIED: dict[str, dict[str, Any]] = {
    "model": {"model": ["a/final", "b/final"]},
    "method": {"method": TWO_METHODS},
    "repetitions": {"repetitions": [1, 7]},
    "seed": {"seed": [0, 1]},
    "depth": {"depth": [1, 2]},
}


def through_a_service(models: Any = None, **changes: Any) -> Plan:
    relearn = {**TINY["relearn"], "by": "jobs", "base_url": "https://somewhere/v1"}
    if models is not None:
        relearn["models"] = models
    spec = validate({**TINY, "relearn": relearn, **changes}, "the test")
    plan = make_plan(read_materials(spec), str)
    check_told_apart(plan.spec, plan.cells)
    return plan


@pytest.mark.parametrize("field", VARIED)
def test_a_template_that_does_not_tell_models_apart_is_refused_and_the_default_does(field: str) -> None:
    asked = [
        cell.checkpoint.of
        for cell in through_a_service(**VARIED[field]).cells
        if not cell.relearn_steps and cell.start == "unlearned"
    ]
    assert len({node.model for node in asked if isinstance(node, ServedModel)}) == 2
    with pytest.raises(
        SpecError, match=rf"{field}=.* and with {field}=.* would both be asked as .*\{{{field}\}}"
    ):
        through_a_service(ALL.replace(f"{{{field}}}", ""), **VARIED[field])


def test_a_mapping_has_all_seeds_and_tells_nothing_but_depths_apart() -> None:
    through_a_service({0: "original", 2: "ours"}, seed=[0, 1])
    for models, changes in (
        ({2: "ours"}, VARIED["method"]),
        ({1: "ours", 2: "ours"}, VARIED["depth"]),
        ({0: "ours", 2: "ours"}, {"start": ["unlearned", "original"]}),
    ):
        with pytest.raises(SpecError, match="would both be asked as 'ours'"):
            through_a_service(models, **changes)


@pytest.mark.parametrize(
    "template", ["{depth.x}", "{depth[0]}", "{colour}", "{0}", "{depth", "{seed!q}", "{depth:q}"]
)
def test_a_wrong_template_is_refused_in_words(template: str) -> None:
    with pytest.raises(SpecError, match="expected a template over model"):
        through_a_service(template)


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        (["org/one", "runs/two"], ["one", "two"]),
        (["runs/a/final", "runs/b/final/"], ["a-final", "b-final"]),
        (["x/Final", "y/final"], ["x-Final", "y-final"]),
        (["/m/a b", "/m/a:b"], None),
        (["a-b", "a/b", "c/a-b"], None),
        (["..", ".", "runs/a", "./runs/a"], None),
    ],
)
def test_short_names_differ_and_are_folders(models: list[str], expected: list[str] | None) -> None:
    names = list(short_names(models).values())
    assert expected is None or names == expected
    assert len({name.casefold() for name in names}) == len(models)
    assert all("/" not in name and not name.startswith(".") and " " not in name for name in names)
