"""Every number that a spec holds refuses what no number of its kind can be, whichever key is added next."""

import inspect
from collections.abc import Iterator
from typing import Any, get_args, get_origin

import pytest
from pydantic import ValidationError

from study.scenarios import SCENARIOS
from study.settings.part import Part
from study.spec import StudySpec
from study.unlearning import METHODS


def parts_of(annotation: Any) -> Iterator[Any]:
    yield annotation
    for each in get_args(annotation):
        yield from parts_of(each)


def reached(model: type[Part]) -> Iterator[type[Part]]:
    """A part, and all that its fields hold."""
    yield model
    for field in model.model_fields.values():
        for each in parts_of(field.annotation):
            if inspect.isclass(each) and issubclass(each, Part) and each is not Part:
                yield from reached(each)


PARTS = list(
    dict.fromkeys(p for top in (StudySpec, *SCENARIOS.values(), *METHODS.values()) for p in reached(top))
)
NUMBERS = [
    (part, name, any(get_origin(each) is dict for each in parts_of(field.annotation)))
    for part in PARTS
    for name, field in part.model_fields.items()
    if {int, float} & {each for each in parts_of(field.annotation) if inspect.isclass(each)}
]
SHARES = {"checkpoint_share", "dropout", "fraction"}


def refused(part: type[Part], name: str, value: object) -> bool:
    with pytest.raises(ValidationError) as caught:
        part.model_validate({name: value, "": "a key that no part knows, so that there is always an error"})
    return any(problem["loc"][0] == name for problem in caught.value.errors())


@pytest.mark.parametrize(
    ("part", "name", "keyed"), NUMBERS, ids=[f"{part.__name__}.{name}" for part, name, _ in NUMBERS]
)
def test_what_no_number_can_be_is_refused(part: type[Part], name: str, keyed: bool) -> None:
    impossible = [-1, float("nan"), float("inf"), 2**63, 1e39, *([2] if name in SHARES else [])]
    taken = [value for value in impossible if not refused(part, name, {value: "x"} if keyed else value)]
    assert taken == []


def test_all_are_looked_at() -> None:
    """The walk finds nested parts, and the numbers within lists, mappings and ranges."""
    found = {f"{part.__name__}.{name}" for part, name, _ in NUMBERS}
    assert found >= {
        "Search.level",
        "Execution.checkpoint_share",
        "Vary.rank",
        "Relearning.models",
        "LoRA.dropout",
    }
    assert found >= {
        "Interval.high",
        "Names.queries",
        "NPO.beta",
        "ServiceLimits.most_jobs",
        "StudySpec.depth",
    }
    assert {name for _, name, _ in NUMBERS} >= SHARES


def test_a_possible_number_is_taken() -> None:
    """What refuses everything would pass as well."""
    assert not refused(StudySpec, "seed", 2**63 - 1)
    assert not refused(StudySpec, "depth", 8)
