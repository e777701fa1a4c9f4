"""Adapters as checkpoints: what they take, the bits of their products, and chains that no longer hold."""

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

import study.models.adapters.product
from cluster.storage.local_store import LocalStore
from study.artifacts.address import ADAPTER_FILE, WEIGHTS_FILE, Address
from study.errors import IntegrityError
from study.models.adapters.lora import Adapter
from study.models.adapters.product import Product
from study.models.model_folders import export_checkpoints
from study.models.pretrained import fingerprint
from study.models.resident import Resident
from study.performing.perform import perform
from study.performing.residents import Residents
from study.planning.chains import chain_files
from study.planning.materials import read_materials
from study.planning.plan import Plan
from study.planning.planner import make_plan
from study.planning.stages import Pretrained, Trajectory
from study.settings.optimiser import LoRA
from tests.commands import call
from tests.conftest import TINY
from tests.study.test_pretrained import make_folder

ADAPTERS = {
    "finetune": {"steps": 3, "optimiser": {"learning_rate": 1e-2, "batch_size": 5, "lora": {"rank": 3}}},
    "unlearn": {
        **TINY["unlearn"],
        "learning_rate": 1e-2,
        "lora": {"rank": 2, "targets": ["q_proj", "up_proj"]},
    },
    "relearn": {**TINY["relearn"], "lora": {"rank": 2}},
}


@pytest.fixture
def on_a_folder(tiny: Any, tmp_path: Path) -> Any:
    """Plans a tiny study of adapters alone, on a model in a folder."""
    folder = make_folder(tmp_path / "model")

    def make(**changes: Any) -> Plan:
        spec = tiny(model=[str(folder)], **ADAPTERS, **changes)
        return make_plan(read_materials(spec), fingerprint)

    return make


@pytest.mark.parametrize(("threads", "piece"), [(1, 1 << 14), (2, 1 << 14), (1, 50), (3, 1 << 24)])
def test_a_product_has_the_same_bits_everywhere(
    threads: int, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numpy's sum, rank by rank, whole and on one thread, is the same number."""
    draw = torch.Generator().manual_seed(0)
    b, a, weight = (torch.randn(*shape, generator=draw) for shape in ((300, 16), (16, 200), (300, 200)))
    expected = np.zeros(weight.shape)
    for rank in range(16):
        expected += np.outer(b[:, rank].numpy().astype(np.float64), a[rank].numpy().astype(np.float64))
    expected = (weight.numpy().astype(np.float64) + 1.5 * expected).astype(np.float32)
    monkeypatch.setitem(study.models.adapters.product.PIECE, "cpu", piece)
    torch.set_num_threads(threads)
    Product(1.5, {"w": (b, a)}).merge("w", weight)
    assert np.array_equal(weight.numpy(), expected)


@pytest.mark.parametrize("family", ["gpt2", "mixtral"])
def test_a_product_lies_as_the_weight_does(family: str) -> None:
    """Weights that are stored transposed, and experts in one tensor: as peft merges them itself."""
    from transformers import AutoConfig

    sizes = {
        "gpt2": {"n_embd": 8, "n_layer": 1, "n_head": 2, "vocab_size": 20},
        "mixtral": {"hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2,
                    "num_key_value_heads": 2, "num_local_experts": 3, "vocab_size": 20},
    }[family]  # fmt: skip
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **sizes)).float()
    adapter = Adapter(model, LoRA(rank=2, alpha=3), seed=0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".lora_B." in name:
                parameter.normal_(std=0.1)
    product = adapter.product()
    assert any(b.dim() == (3 if family == "mixtral" else 2) for b, _ in product.factors.values())
    from peft.tuners.lora import LoraLayer

    from study.models.adapters.product import plain_name

    named = {plain_name(name): each for name, each in model.named_parameters()}
    expected = {}
    for layer in model.modules():
        if isinstance(layer, LoraLayer):
            weight = getattr(layer.get_base_layer(), getattr(layer, "parameter_name", "weight"))
            name = next(name for name, each in named.items() if each is weight)
            expected[name] = weight.detach() + cast(Any, layer).get_delta_weight("default").detach()
    assert expected.keys() == product.factors.keys()
    for name, merged in expected.items():
        weight = named[name].detach().clone()
        product.merge(name, weight)
        assert not torch.equal(weight, named[name])
        torch.testing.assert_close(weight, merged)


def test_what_is_kept_and_read(on_a_folder: Any, work_through: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """Adapters alone are written, and a relearning reads those of its chain."""
    plan, store = on_a_folder(depth=[1, 2]), LocalStore(tmp_path / "store")
    work_through(plan, store)
    kept = list((tmp_path / "store").rglob("*.safetensors"))
    assert {path.name for path in kept} == {ADAPTER_FILE}
    assert len(kept) == 3
    read: list[tuple[str, str]] = []
    real = LocalStore.file

    def noted(self: LocalStore, at: Address, name: str) -> Path:
        read.append((at.key, name))
        return real(self, at, name)

    monkeypatch.setattr(LocalStore, "file", noted)
    stage = next(stage for stage in plan.stages.values() if stage.kind == "relearn")
    again = LocalStore(tmp_path / "again")
    work_through(plan, again)
    read.clear()
    for address in [each for each in again.addresses() if each.key == stage.key]:
        (again.folder / "artifacts" / address.key[:2] / address.key).rename(tmp_path / "aside")
    done = perform(stage, again, Residents(), plan.spec.execution)
    assert done.train_steps == 2
    chain = [link.of.key for link in stage.node.parent.chain]
    assert len(chain) == 2
    # The origin, which distances are measured from, is the first link.
    assert sorted(read) == sorted((key, ADAPTER_FILE) for key in chain)


def test_a_distance_reads_and_merges_nothing(
    on_a_folder: Any, work_through: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """It is composed of the adapters since the origin, and equals that of all weights but for their rounding."""
    plan = on_a_folder(relearn_steps=[0, 1, 2], execution={"keep_relearned": True})
    store, merged = LocalStore(tmp_path / "store"), list[Product]()
    real = Product.merge

    def noted(self: Product, name: str, weight: torch.Tensor) -> None:
        merged.append(self)
        real(self, name, weight)

    monkeypatch.setattr(Product, "merge", noted)
    monkeypatch.setattr(Resident, "distance", lambda *a: pytest.fail("the origin's weights were read"))
    work_through(plan, store)
    stages = plan.stages.values()
    stops = sum(
        len({*stage.keep, *(step for step, _ in stage.evaluate)})
        for stage in stages
        if isinstance(stage.node, Trajectory)
    )
    loaded = sum(len(stage.node.parent.chain) for stage in stages if isinstance(stage.node, Trajectory))
    ended = sum(isinstance(stage.node, Trajectory) for stage in stages)
    assert len({id(product) for product in merged}) == stops + loaded + ended
    monkeypatch.undo()
    compared = 0
    for cell in plan.cells:
        node = cell.checkpoint.of
        if not isinstance(node, Trajectory) or node.origin is None:
            continue
        resident = Resident(node.source)
        resident.load(*chain_files(cell.checkpoint, store))
        moved = resident.distance(*chain_files(node.origin, store))
        address = Address.of_answers(node.key, cell.checkpoint.step, cell.evaluation.key)
        assert store.record(address)["facts"]["weight_distance"] == pytest.approx(moved, rel=1e-5)
        compared += 1
    assert compared == 3


def spoil(store: LocalStore, address: Address) -> None:
    """Another machine made the same stage again, with other bits."""
    weights = Product.read(store.file(address, ADAPTER_FILE))
    assert weights is not None
    home = store.folder / "artifacts" / address.key[:2] / address.key / str(address.step)
    record = store.record(address)
    home.rename(home.with_name("gone"))
    for b, _ in weights.factors.values():
        b += 1e-3
    with store.staging() as folder:
        weights.save(folder / ADAPTER_FILE)
        store.publish(address, folder, {key: record[key] for key in ("stage", "facts", "environment")})
    for path in sorted(home.with_name("gone").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    home.with_name("gone").rmdir()


def test_adapters_upon_other_weights_are_refused_and_found(
    on_a_folder: Any, work_through: Any, tmp_path: Path
) -> None:
    plan, store = on_a_folder(execution={"keep_relearned": True}), LocalStore(tmp_path / "store")
    work_through(plan, store)
    assert store.check().damages == []
    (relearned,) = [cell.checkpoint for cell in plan.cells if cell.relearn_steps]
    finetuned, unlearned, _ = relearned.chain
    before = {link.address: store.file(link.address, ADAPTER_FILE).read_bytes() for link in relearned.chain}
    spoil(store, finetuned.address)
    with pytest.raises(IntegrityError, match=r"other weights.*verify STUDY --repair"):
        chain_files(relearned, store)
    found = store.check().damages
    assert {damage.what.partition(" than ")[2].partition(" has")[0] for damage in found} == {
        str(finetuned.address),
        str(unlearned.address),
    }
    for damage in found:
        assert store.put_aside(damage.whole, "now") is not None
    home = (
        store.folder / "artifacts" / finetuned.of.key[:2] / finetuned.of.key / str(finetuned.step) / "weights"
    )
    assert store.put_aside(home, "now") is not None
    assert len(work_through(plan, store)) == 3
    assert store.check().damages == []
    assert {address: store.file(address, ADAPTER_FILE).read_bytes() for address in before} == before


def test_exported_whole_and_as_an_adapter(on_a_folder: Any, work_through: Any, tmp_path: Path) -> None:
    plan, store = on_a_folder(), LocalStore(tmp_path / "store")
    work_through(plan, store)
    name = Path("gradient_ascent/repetitions-7/seed-0/depth-2")
    assert len(export_checkpoints(plan, store, tmp_path / "whole").written) == 2
    assert len(export_checkpoints(plan, store, tmp_path / "adapters", adapters=True).written) == 2
    folder = tmp_path / "adapters" / name
    assert {path.name for path in folder.iterdir()} >= {"adapter_config.json", "adapter_model.safetensors"}
    assert json.loads((folder / "adapter_config.json").read_text())["r"] == 5
    whole = AutoModelForCausalLM.from_pretrained(tmp_path / "whole" / name)
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    start = {name: value.clone() for name, value in base.named_parameters()}
    read = PeftModel.from_pretrained(base, folder).merge_and_unload()
    moved = 0
    for name_, value in whole.named_parameters():
        torch.testing.assert_close(read.get_parameter(name_), value, atol=1e-6, rtol=1e-6)
        moved += not torch.equal(value, start[name_])
    assert moved == 7 * len([name for name in start if "q_proj" in name])
    # Another study attacks it as it would attack any published adapter.
    given = Pretrained(str(folder), fingerprint(str(folder)), "sdpa", "float32")
    named = dict(whole.named_parameters())
    for name_, tensor in Resident(given).weights().items():
        torch.testing.assert_close(tensor, named[name_].detach(), atol=1e-6, rtol=1e-6)


def test_what_is_no_adapter_on_a_published_model_is_left_out(
    planned: Any, work_through: Any, tmp_path: Path
) -> None:
    plan, store = planned(), LocalStore(tmp_path / "store")
    work_through(plan, store)
    exported = export_checkpoints(plan, store, tmp_path / "adapters", adapters=True)
    assert exported.written == []
    assert len(exported.no_adapters) == 2
    assert "without --adapters" in exported.left_out[0]


def test_over_bfloat16_nothing_is_lost(on_a_folder: Any, work_through: Any, tmp_path: Path) -> None:
    """The weights keep their bits, the adapters stand beside them, and whoever exports gets them in float32."""
    plan, store = on_a_folder(precision="bfloat16"), LocalStore(tmp_path / "store")
    work_through(plan, store)
    (unlearned,) = {
        cell.checkpoint for cell in plan.cells if cell.start == "unlearned" and not cell.relearn_steps
    }
    resident = Resident(unlearned.of.source)
    before = {name: value.clone() for name, value in resident.weights().items()}
    resident.load(*chain_files(unlearned, store))
    assert all(torch.equal(value, before[name]) for name, value in resident.weights().items())
    assert len(resident.beside) == 2
    with pytest.raises(ValueError, match="beside"):
        resident.save(tmp_path / WEIGHTS_FILE)
    record = store.record(
        next(each for each in store.addresses() if each.key == unlearned.of.key and each.what != "weights")
    )
    (original,) = unlearned.of.parent.chain
    moved = resident.distance(*chain_files(original, store))
    assert record["facts"]["weight_distance"] == pytest.approx(moved, rel=1e-3)
    assert moved > 0
    exported = export_checkpoints(plan, store, tmp_path / "whole")
    model = AutoModelForCausalLM.from_pretrained(exported.written[-1])
    assert model.dtype == torch.float32
    resident.reset()
    assert resident.beside == []
    assert resident.distance() == 0


def test_a_damaged_parent_is_made_again(
    finished: Any, planned: Any, work_through: Any, tmp_path: Path
) -> None:
    plan, store = planned(**ADAPTERS), LocalStore(finished(**ADAPTERS) / "store")
    (finetune,) = [stage for stage in plan.stages.values() if stage.kind == "finetune"]
    path = store.file(Address.of_weights(finetune.key, 3), ADAPTER_FILE)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    code, output = call("verify", "s", "--repair", cwd=tmp_path)
    assert (code, "1 problems" in output) == (0, True), output
    assert work_through(plan, store) == [finetune.key]
    code, output = call("verify", "s", cwd=tmp_path)
    assert (code, "0 problems" in output) == (0, True), output
