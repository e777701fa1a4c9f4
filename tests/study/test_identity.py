import enum
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.loading import load_space
from study.identity import canonical, derived_seed, key
from study.planning.materials import read_materials
from study.planning.planner import make_plan

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@dataclass(frozen=True)
class Left:
    value: int


@dataclass(frozen=True)
class Right:
    value: int


def strictly_equal(one: object, other: object) -> bool:
    """Equality that tells 1 from True and 1.0, and 0.0 from -0.0, as a key must."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(strictly_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(strictly_equal(one[k], other[k]) for k in one)
    return type(one) is type(other) and repr(one) == repr(other)


@given(PLAIN, PLAIN)
def test_keys_are_equal_exactly_when_the_values_are(one: object, other: object) -> None:
    assert (key(one) == key(other)) == strictly_equal(one, other)


def test_order_of_a_mapping_is_no_identity() -> None:
    assert key({"a": 1, "b": 2}) == key({"b": 2, "a": 1})


def test_classes_with_equal_fields_differ() -> None:
    assert key(Left(1)) != key(Right(1))


@pytest.mark.parametrize("value", [object(), {1, 2}, enum.Enum("Colour", "RED")["RED"], {1: 2}, lambda: 0])
def test_refuses_what_has_no_canonical_form(value: object) -> None:
    with pytest.raises(TypeError):
        canonical(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_refuses_numbers_that_are_none(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        key(value)


def test_streams_differ_by_seed_purpose_and_step() -> None:
    streams = [
        (0, "order", 0),
        (1, "order", 0),
        (0, "dropout", 0),
        (0, "order", 1),
        (0, "order"),
        (0, "order0"),
    ]
    assert len({derived_seed(*stream) for stream in streams}) == len(streams)


METHODS = "[gradient_ascent, gradient_difference, kl_minimisation, npo, scrub, rmu, whp]"
LORA = ["unlearn.lora={rank: 4, dropout: 0.1}", "relearn.lora={rank: 16, alpha: 8.0, dropout: 0.0}"]
GIVEN = [
    "model=a-model",
    "checkpoints={at: {2: two, 4: four}}",
    "depth=[2,4]",
    "start=[unlearned]",
    "seed=[0]",
]
OVERRIDES: dict[str, tuple[str, list[str]]] = {
    "names": ("names", []),
    "names pretrained, mixed": ("names", ["model=a-model", "precision=mixed"]),
    "names LoRA on both sides": ("names", LORA),
    "names vary": ("names", ["vary.learning_rate=[1e-4,3e-4]", "seed=[0]"]),
    "names given checkpoints": ("names", GIVEN),
    "README: run names": ("names", ["depth=[8,12]", "seed=0"]),
    "README: relearn.lora": ("names", ["relearn.lora={rank: 16}", "seed=0"]),
    "README: tofu-mini": (
        "tofu-mini",
        ["depth=8", "start=unlearned", "corpus=gibberish", "relearn_steps=[0,1]"],
    ),
    "README: checkpoints": (
        "tofu-mini",
        [
            "checkpoints={at: {8: models/gradient_ascent/repetitions-1/seed-0/depth-8}, method: published}",
            "depth=8",
            "start=unlearned",
            "finetune=null",
        ],
    ),
    "USAGE: LoRA on both sides": (
        "tofu-mini",
        ["relearn.lora={rank: 16}", "unlearn.lora={rank: 8, targets: [q_proj, v_proj]}", "seed=0"],
    ),
    **{
        f"{preset}, every method": (preset, [f"method={METHODS}", "seed=[0]"])
        for preset in ("tofu-mini", "whp-keyword-mini", "wmdp-mini", "whp-verbatim-mini")
    },
}
GOLDEN_FILE = Path(__file__).parent / "golden_keys.json"
"""``python -m tests.study.test_identity`` writes it again, after identity.NUMERICS was raised."""
GOLDEN = json.loads(GOLDEN_FILE.read_text())


def keys_of(name: str) -> dict[str, str]:
    """The first key of each kind of stage and method, and of an evaluation."""
    space, overrides = OVERRIDES[name]
    plan = make_plan(read_materials(load_space(space, overrides)), str)
    found: dict[str, str] = {}
    for key_, stage in plan.stages.items():
        method = getattr(stage.node, "method", None)
        found.setdefault(f"{stage.kind} {getattr(method, 'name', '')}".strip(), key_)
        for _, evaluation in stage.evaluate:
            found.setdefault("evaluation", evaluation.key)
    return found


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_keys(name: str) -> None:
    """A change here orphans everything users have published: raise identity.NUMERICS and mean it."""
    assert keys_of(name) == GOLDEN[name]


if __name__ == "__main__":
    GOLDEN_FILE.write_text(json.dumps({each: keys_of(each) for each in GOLDEN}, indent=1) + "\n")


def test_a_zero_has_one_key_whatever_its_sign() -> None:
    assert key(0.0) == key(-0.0) != key(0)
