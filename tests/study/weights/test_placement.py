"""Models whose layers are dealt to several devices, or lie in main memory: the bits of a model in one place.

A machine without a GPU has one device, so it is both cards here; what is carried from card to card, copied and merged
runs as it does with two. That no kernel is given tensors of two cards needs two: torch's fake ones need its CUDA build.
"""

import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import init_empty_weights
from transformers import LlamaConfig, LlamaForCausalLM

import study.performing.perform
from cluster.storage.local_store import LocalStore
from study.models.devices.main_memory import _Copies, keep_in_main_memory
from study.models.devices.placement import CPU, Placement
from study.models.devices.spread import card_of_parts
from study.models.pretrained import fingerprint
from study.models.resident import Resident
from study.models.structure import decoder_layers
from study.performing.perform import perform
from study.performing.residents import Residents
from study.planning.materials import read_materials
from study.planning.plan import Plan
from study.planning.planner import make_plan
from study.planning.stages import Trajectory
from study.training.loop import train
from tests.study.models import folder_of
from tests.study.weights.test_adapters import ADAPTERS
from tests.study.weights.test_memory import LLAMA_2_7B

GIBIBYTE = 2**30
SHAPE = {"num_hidden_layers": 3, "hidden_size": 16, "num_attention_heads": 2, "num_key_value_heads": 2}
OFFLOADED = {"offload": "cpu"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of three layers, its output layer tied to the embedding."""
    return folder_of(tmp_path_factory.mktemp("model"), "llama", tie_word_embeddings=True, **SHAPE)


@pytest.fixture
def of_adapters(tiny: Any, folder: Path) -> Any:
    """Plans a tiny study that trains adapters alone, clipped and with a frozen reference."""

    def make(precision: str = "float32", method: str = "rmu", **execution: Any) -> Plan:
        clipped = {**ADAPTERS["unlearn"], "gradient_clip": 0.01}
        spec = tiny(
            model=[str(folder)],
            method=[method],
            precision=precision,
            execution={"micro_batch": 2, **execution},
            **{**ADAPTERS, "unlearn": clipped},
        )
        return make_plan(read_materials(spec), fingerprint)

    return make


def performed(plan: Plan, folder: Path) -> LocalStore:
    store, residents = LocalStore(folder), Residents()
    for stage in plan.stages.values():
        perform(stage, store, residents, plan.spec.execution)
    return store


def digests(store: LocalStore) -> dict[str, dict[str, str]]:
    return {str(each): dict(store.record(each)["files"]) for each in store.addresses()}


@pytest.mark.parametrize(
    ("precision", "method"),
    [
        ("mixed", "kl_minimisation"),
        pytest.param("float32", "rmu", marks=pytest.mark.slow),
        pytest.param("bfloat16", "npo", marks=pytest.mark.slow),
    ],
)
def test_adapters_and_answers_have_the_bits_of_a_model_in_one_place(
    of_adapters: Any, precision: str, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained, merged or beside, evaluated on the way and from the store, with references and chains of adapters."""
    plain = performed(of_adapters(precision, method), tmp_path / "plain")
    kept = performed(of_adapters(precision, method, **OFFLOADED), tmp_path / "main memory")
    monkeypatch.setattr(study.performing.perform, "devices_of", lambda gpus: (CPU, CPU))
    dealt = performed(of_adapters(precision, method), tmp_path / "spread")
    assert digests(plain) == digests(kept) == digests(dealt)
    for store, over, offload in ((plain, 1, "none"), (kept, 1, "cpu"), (dealt, 2, "none")):
        records = [store.record(each) for each in store.addresses()]
        assert {(each["spread_over"], each["offload"]) for each in records} == {(over, offload)}


def relearning(plan: Plan) -> Trajectory:
    return next(
        stage.node
        for stage in plan.stages.values()
        if stage.kind == "relearn" and isinstance(stage.node, Trajectory)
    )


@pytest.mark.parametrize("again", [True, False], ids=["activations computed again", "activations kept"])
def test_copies_of_one_layer_at_a_time(
    of_adapters: Any, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In training too, where autograd would keep every copy until the backward pass."""
    plan = of_adapters()
    resident = Resident(relearning(plan).source, Placement(offload=True))
    copies: list[weakref.ref[torch.Tensor]] = []
    most = 0
    bring = _Copies.bring

    def counted(self: _Copies, layer: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
        nonlocal most
        bring(self, layer, inputs)
        copies.extend(weakref.ref(getattr(module, name).untyped_storage()) for module, name, _ in self._own)
        most = max(most, sum(each() is not None for each in copies))

    monkeypatch.setattr(_Copies, "bring", counted)
    for layer in decoder_layers(resident.model):
        layer._forward_pre_hooks.clear()
        layer._forward_hooks.clear()
    keep_in_main_memory(resident.model, CPU)
    train(relearning(plan), resident, 2, (), pytest.fail, 8, activation_checkpointing=again)
    in_a_layer = len(list(decoder_layers(resident.model)[0].parameters()))
    assert most <= 2 * in_a_layer if again else most > 2 * in_a_layer


def test_all_weights_are_not_trained_in_main_memory(planned: Any) -> None:
    node = relearning(planned())
    with pytest.raises(ValueError, match="are not trained"):
        train(node, Resident(node.source, Placement(offload=True)), 1, (), pytest.fail, 8)


def llama(**config: Any) -> LlamaForCausalLM:
    with init_empty_weights():
        return LlamaForCausalLM(LlamaConfig(**{**LLAMA_2_7B, **config}))


@pytest.mark.parametrize("cards", [2, 3, 4])
def test_llama_2_7b_over_cards_of_24_gib(cards: int) -> None:
    """25.1 GiB in float32: whole layers in their order, no card much fuller than another."""
    model = llama()
    places = card_of_parts(model, [24 * GIBIBYTE] * cards)
    layers = [places[f"model.layers.{at}"] for at in range(32)]
    assert layers == sorted(layers)
    assert places["model.embed_tokens"] == 0
    assert places["lm_head"] == cards - 1
    taken = [0] * cards
    for name, card in places.items():
        taken[card] += sum(4 * each.numel() for each in model.get_submodule(name).parameters())
    assert sum(taken) == 4 * 6_738_415_616
    layer = sum(4 * each.numel() for each in model.model.layers[0].parameters())
    assert max(taken) <= sum(taken) / cards + 2 * layer
    if cards == 2:
        assert layers == [0] * 16 + [1] * 16


def test_layers_that_fit_no_number_of_cards() -> None:
    with pytest.raises(torch.OutOfMemoryError, match=r"do not fit 2 cards of 12\.0 GiB: model\.layers"):
        card_of_parts(llama(), [12 * GIBIBYTE] * 2)


def test_tied_weights_stay_one_tensor(folder: Path, of_adapters: Any) -> None:
    resident = Resident(relearning(of_adapters()).source, Placement((CPU, CPU)))
    assert resident.model.lm_head.weight is resident.model.get_input_embeddings().weight
