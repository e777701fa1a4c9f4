"""What a worker would find out after hours is refused before anything is computed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cluster.driver.preflight.checks import check_plan
from cluster.ray_tune.room import Demand, Machine, misfit, remedies
from study.errors import PreflightError
from study.models.pretrained import fingerprint
from study.planning.materials import read_materials
from study.planning.plan import Plan
from study.planning.planner import make_plan
from study.planning.stages import Trajectory
from study.settings.execution import Resources
from study.text.examples import Corpus, Example
from tests.study.test_pretrained import make_folder
from tests.study.weights.test_memory import GIBIBYTE, LLAMA_2_7B, R16, need

REINFORCEMENT = {"steps": 1, "optimiser": {"learning_rate": 1e-4, "batch_size": 2}}


def with_generic(plan: Plan, generic: Corpus) -> Plan:
    key, stage = next(item for item in plan.stages.items() if item[1].kind == "unlearn")
    assert isinstance(stage.node, Trajectory)
    node = replace(stage.node, generic=generic)
    return replace(plan, stages={**plan.stages, key: replace(stage, node=node)})


def test_every_text_of_the_forget_set_needs_one_in_generic_terms(planned) -> None:
    plan = planned(method=[{"name": "whp", "reinforcement": REINFORCEMENT}])
    forget = next(stage.node.data for stage in plan.stages.values() if stage.kind == "unlearn")
    check_plan(with_generic(plan, forget), local=False)
    with pytest.raises(PreflightError, match="whp needs one for each"):
        check_plan(with_generic(plan, Corpus(forget.examples[:-1])), local=False)
    too_long = Corpus((Example("word " * 500), *forget.examples[1:]))
    with pytest.raises(PreflightError, match="training text 1 has"):
        check_plan(with_generic(plan, too_long), local=False)


@pytest.mark.parametrize("model", ["embedded", "folder"])
def test_a_layer_that_the_model_lacks(tiny, tmp_path: Path, model: str) -> None:
    where = "embedded" if model == "embedded" else str(make_folder(tmp_path / "model"))
    for layer in (1, 2):
        spec = tiny(model=[where], method=[{"name": "rmu", "layer": layer}])
        plan = make_plan(read_materials(spec), fingerprint)
        if layer == 1:
            check_plan(plan, local=False)
        else:
            with pytest.raises(PreflightError, match="method rmu: layer 2 of a model that has 1"):
                check_plan(plan, local=False)


DEALT = {"learning_rate": 1e-4, "batch_size": 4}
DEALT_ALIKE = {"finetune": {"steps": 1, "optimiser": DEALT}, "unlearn": DEALT, "relearn": DEALT}


@pytest.mark.parametrize(
    ("execution", "changes", "words"),
    [
        ({"gpus": 4}, {}, None),
        (
            {"gpus": 4},
            {"unlearn": {**DEALT, "batch_size": 6}},
            "unlearn.batch_size=6 .* 4 processes .*gpus=4",
        ),
        ({"processes": 3}, {}, r"pretraining\.optimiser\.batch_size=4 .* 3 processes .*processes=3"),
        ({"gpus": 2}, {"relearn": {**DEALT, "lora": {}, "batch_size": 3}}, None),  # its layers are spread
        (
            {"processes": 2},
            {"relearn": {**DEALT, "lora": {}}},
            r"processes=2 .*\{relearn: \{processes: 1\}\}",
        ),
        (
            {"offload": "cpu"},
            {},
            r"offload=cpu: .*base computes on the CPU .*\{base: \{gpus: 1, offload: cpu\}\}",
        ),
        (
            {"gpus": 1, "offload": "cpu"},
            {},
            r"base trains all weights.*\{base: \{gpus: 2\}\}.*optimiser\.lora=\{\}",
        ),
        (
            {"of_kind": {"relearn": {"gpus": 0.5, "offload": "cpu"}}},
            {"relearn": {**DEALT, "lora": {}}},
            None,
        ),
        ({"processes": 2, "of_kind": {"relearn": {}}}, {"relearn": {**DEALT, "lora": {}}}, None),
    ],
)
def test_what_processes_cannot_train_together(planned, execution, changes, words: str | None) -> None:
    plan = planned(**{**DEALT_ALIKE, **changes}, execution=execution)
    if words is None:
        check_plan(plan, local=False)
    else:
        with pytest.raises(PreflightError, match=words):
            check_plan(plan, local=False)


H100 = Machine(cores=64, memory=1024 * GIBIBYTE, cards=8, card_memory=int(79.1 * GIBIBYTE))


def of_7b(kind: str, gpus: float, trains_all_weights: bool = False, **changes: Any) -> Demand:
    """Of Llama-2-7b in mixed precision, batches of 8 x 512 tokens."""
    told = need(LLAMA_2_7B, longest=512, gpus=gpus, **changes)
    resources = Resources(gpus=gpus, offload=changes.get("offload", "none"))
    return Demand(kind, "7b", resources, told, trains_all_weights)


def test_7b_on_cards_of_80_gb() -> None:
    """Adapters fit one card, all weights two; what would help is said for what it helps."""
    assert misfit(of_7b("relearn", 1, lora=R16), H100) is None
    assert misfit(of_7b("finetune", 2, trains_all_weights=True, micro_batch=2), H100) is None
    half = misfit(of_7b("relearn", 0.5, lora=R16), H100)
    assert half is not None
    assert "and 0.5 of the GPU is 38.9 GiB beside what CUDA itself takes" in half
    helps = remedies([of_7b("relearn", 0.5, lora=R16)])
    assert "lora" not in helps
    assert (
        "spread the layers over several GPUs of a node (--set 'execution.of_kind={relearn: {gpus: 2}}')"
        in helps
    )
    assert "(--set 'execution.of_kind={relearn: {gpus: 0.5, offload: cpu}}')" in helps
    whole = of_7b("finetune", 1, trains_all_weights=True)
    assert "the GPU has 78.4 GiB" in (misfit(whole, H100) or "")
    assert "finetune.optimiser.lora={}" in remedies([whole])
    assert "--set 'execution.of_kind={finetune: {gpus: 2}}'" in remedies([whole])


def test_7b_on_cards_of_24_gb() -> None:
    """What neither one card nor two hold, four do, and one whose layers lie in main memory."""
    small = replace(H100, card_memory=int(23.6 * GIBIBYTE))
    few: dict[str, Any] = {"lora": R16, "micro_batch": 2}
    assert misfit(of_7b("relearn", 1, **few), small) is not None
    assert misfit(of_7b("relearn", 2, **few), small) is not None
    assert misfit(of_7b("relearn", 4, **few), small) is None
    assert misfit(of_7b("relearn", 1, offload="cpu", **few), small) is None
    assert "offload" not in remedies([of_7b("relearn", 1, offload="cpu", **few)])


def test_what_cuda_itself_takes_is_no_room() -> None:
    """A stage that needs all but half a GiB of a card would end there."""
    told = need(LLAMA_2_7B, lora=R16)
    card = replace(H100, card_memory=told.device + GIBIBYTE // 2)
    demand = Demand("relearn", "7b", Resources(gpus=1), told, trains_all_weights=False)
    assert misfit(demand, card) is not None
    assert misfit(demand, replace(card, card_memory=told.device + GIBIBYTE)) is None
