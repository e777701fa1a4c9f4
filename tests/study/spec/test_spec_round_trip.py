"""The key of what ran is the key of what was written down: validate, dump, load, validate gives equal identities."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from pydantic import ValidationError

from search_spaces.loading import load_space, validate
from study.errors import SpecError
from study.identity import key
from study.planning.materials import read_materials
from study.planning.planner import make_plan
from study.settings.optimiser import LoRA, Optimiser
from study.spec import StudySpec
from tests.study.specs import CHANGED_PRESETS, GIVEN_CHECKPOINTS, SPECS

SOME = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(SOME, max_examples=1000)


def identities(spec: StudySpec) -> dict[str, str]:
    """The keys of every part that reaches a stage."""
    parts = {
        name: getattr(spec, name)
        for name in ("scenario", "embedded", "finetune", "unlearn", "relearn", "generation", "vary")
    }
    methods = {f"method {index}": method for index, method in enumerate(spec.method)}
    attacks = {}
    if not spec.vary.ranges:
        attacks = {each.label: each.optimiser(spec.relearn) for each in spec.vary.listed(spec.corpus)}
    return {name: key(part) for name, part in {**parts, **methods, **attacks}.items()}


def text_of(spec: StudySpec) -> str:
    """The spec as text that tells 1 from 1.0, whatever the order of its mappings."""
    return json.dumps(spec.model_dump(mode="json"), sort_keys=True)


def written_and_read(spec: StudySpec) -> list[StudySpec]:
    """As study.json holds it, and as YAML by hand."""
    dumped = spec.model_dump(mode="json")
    as_json = json.dumps(dumped, indent=1, ensure_ascii=False)
    as_yaml = yaml.dump(dumped, Dumper=yaml.CSafeDumper, allow_unicode=True)
    return [
        validate(json.loads(as_json), place="JSON"),
        validate(yaml.load(as_yaml, Loader=yaml.CSafeLoader), place="YAML"),
    ]


def same_when_read_again(spec: StudySpec) -> None:
    for again in written_and_read(spec):
        assert text_of(again) == text_of(spec)
        assert identities(again) == identities(spec)


def any_spec(fields: dict[str, Any]) -> None:
    try:
        spec = StudySpec.model_validate(fields)
    except ValidationError:
        assume(False)
    same_when_read_again(spec)


def any_changed_preset(changed: tuple[str, dict[str, Any]]) -> None:
    preset, changes = changed
    try:
        spec = load_space(preset, [f"{name}={json.dumps(value)}" for name, value in changes.items()])
    except SpecError:
        assume(False)
    same_when_read_again(spec)


test_some_specs = pytest.mark.further(SOME(given(SPECS)(any_spec)))
test_some_given_checkpoints = SOME(given(GIVEN_CHECKPOINTS)(any_spec))
test_some_changed_presets = SOME(given(CHANGED_PRESETS)(any_changed_preset))
test_a_thousand_specs = pytest.mark.slow(MANY(given(SPECS)(any_spec)))
test_a_thousand_given_checkpoints = pytest.mark.slow(MANY(given(GIVEN_CHECKPOINTS)(any_spec)))
test_a_thousand_changed_presets = pytest.mark.slow(MANY(given(CHANGED_PRESETS)(any_changed_preset)))


@pytest.mark.parametrize(
    "override",
    ["relearn.lora={}", "relearn.lora={rank: 16}", "unlearn.lora={alpha: 8}", "unlearn.weight_decay=0"],
)
def test_stages_keep_their_keys(override: str) -> None:
    spec = load_space("names", [override, "seed=[0]"])
    stages = list(make_plan(read_materials(spec), str).stages)
    for again in written_and_read(spec):
        assert list(make_plan(read_materials(again), str).stages) == stages


def test_what_was_made_without_validation_has_no_key() -> None:
    with pytest.raises(ValueError, match="made without validation"):
        key(LoRA.model_construct(rank=4, alpha=8, targets="all-linear", dropout=0))


def test_a_changed_copy_is_validated() -> None:
    given_ = Optimiser(learning_rate=1, batch_size=8)
    assert repr(given_.model_copy(update={"weight_decay": 0}).weight_decay) == "0.0"
    with pytest.raises(ValidationError):
        given_.model_copy(update={"batch_size": 0})


def test_a_part_that_is_null_is_set_by_its_keys() -> None:
    by_key, whole = (
        load_space("names", [each]) for each in ("relearn.lora.rank=4", "relearn.lora={rank: 4}")
    )
    assert text_of(by_key) == text_of(whole)
    assert identities(by_key) == identities(whole)


def test_methods_that_differ_have_names_that_differ() -> None:
    """Also in a part whose every key is left to its default."""
    plain, given_ = (
        load_space(
            "whp-keyword-mini",
            [f"method=[{{name: whp, reinforcement: {{steps: 2, optimiser: {optimiser}}}}}]"],
        )
        for optimiser in (
            "{learning_rate: 1e-4, batch_size: 4}",
            "{learning_rate: 1e-4, batch_size: 4, lora: {}}",
        )
    )
    assert set(plain.the_methods).isdisjoint(given_.the_methods)
