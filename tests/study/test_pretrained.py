"""A model folder in the embedded one's place: names of several tokens, tied embeddings, no pad token."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from cluster.storage.local_store import LocalStore
from study.artifacts.address import Address
from study.errors import PreflightError
from study.evaluation.answering.generation import answer_probes
from study.evaluation.answers_file import ANSWERS_FILE, read_answers
from study.models.pretrained import fingerprint
from study.models.resident import Resident
from study.planning.materials import read_materials
from study.planning.planner import make_plan
from study.planning.stages import Pretrained, Trajectory
from study.scenarios.names import Names
from study.training.loop import train


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("model"))


def make_folder(path: Path) -> Path:
    """A random Llama with a byte-level BPE tokenizer too small to hold whole names."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts = [example.completion for example in Names().material(7).learned.examples]
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<end>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(texts, trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>").save_pretrained(path)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=300, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=256, tie_word_embeddings=True, eos_token_id=0,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(path)
    return path


def test_names_are_several_tokens_and_the_tree_still_equals_each_cell_alone(
    folder: Path, tiny, work_through, tmp_path: Path
) -> None:
    spec = tiny(model=[str(folder)], depth=[1, 2], relearn_steps=[0, 1, 2])
    plan = make_plan(read_materials(spec), fingerprint)
    store = LocalStore(tmp_path)
    work_through(plan, store)
    probe = plan.cells[0].evaluation.probes.probes[0]
    resident = Resident(Pretrained(str(folder), fingerprint(str(folder)), "sdpa", "float32"))
    assert len(resident.tokenizer(f" {probe.target}")["input_ids"]) > 1
    seen = set()
    for cell in plan.cells:
        chain, checkpoint = [], cell.checkpoint
        while isinstance(checkpoint.of, Trajectory):
            chain.append(checkpoint)
            checkpoint = checkpoint.of.parent
        alone = Resident(checkpoint.of)
        for node in reversed(chain):
            train(node.of, alone, node.step, stops=(), reached=pytest.fail, micro_batch=32)
        answers = [a.row() for a in answer_probes(alone, cell.evaluation.probes, 4, batch_size=64)]
        address = Address.of_answers(cell.checkpoint.of.key, cell.checkpoint.step, cell.evaluation.key)
        assert read_answers(store.file(address, ANSWERS_FILE)) == answers
        seen.add(tuple(answer["target_nll"] for answer in answers))
    assert len(seen) == len({(c.checkpoint.of.key, c.checkpoint.step) for c in plan.cells})


def test_identity_is_the_content_and_not_the_place(folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert fingerprint(str(copy)) == fingerprint(str(folder))
    one, other = (
        Pretrained(str(copy), "f", "sdpa", "float32"),
        Pretrained(str(folder), "f", "sdpa", "float32"),
    )
    assert one.key == other.key
    config = copy / "config.json"
    config.write_text(config.read_text().replace('"rms_norm_eps": 1e-06', '"rms_norm_eps": 1e-05'))
    assert fingerprint(str(copy)) != fingerprint(str(folder))


@pytest.fixture(scope="module")
def adapter(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter of the folder's model, whose product is not zero."""
    path = tmp_path_factory.mktemp("adapter")
    model = LlamaForCausalLM.from_pretrained(folder)
    torch.manual_seed(1)
    adapted = get_peft_model(
        model, LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    )
    adapted.save_pretrained(path)
    return path


def test_an_adapter_in_a_models_place(folder: Path, adapter: Path) -> None:
    identity = fingerprint(str(adapter))
    assert identity != fingerprint(str(folder))
    resident = Resident(Pretrained(str(adapter), identity, "sdpa", "float32"))
    plain = LlamaForCausalLM.from_pretrained(folder).eval()
    oracle = PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(folder), adapter).eval()
    ids = torch.tensor([[5, 9, 30, 7]])
    with torch.inference_mode():
        found, expected, without = (m(input_ids=ids).logits for m in (resident.model, oracle, plain))
    assert torch.allclose(found, expected, atol=1e-6)
    assert not torch.allclose(found, without, atol=1e-3)
    assert all(parameter.requires_grad for parameter in resident.model.parameters())


def test_an_adapter_of_another_base_is_refused(folder: Path, adapter: Path, tmp_path: Path) -> None:
    wider = LlamaConfig(
        vocab_size=300, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=256, eos_token_id=0,
    )  # fmt: skip
    other = tmp_path / "wider"
    shutil.copytree(folder, other)
    LlamaForCausalLM(wider).save_pretrained(other)
    copy = tmp_path / "adapter"
    shutil.copytree(adapter, copy)
    config = json.loads((copy / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = str(other)
    (copy / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(PreflightError, match=r"adapter of another base.*takes 16 values"):
        fingerprint(str(copy))
    config["base_model_name_or_path"] = None
    (copy / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(PreflightError, match="does not name its base"):
        fingerprint(str(copy))


def test_the_base_of_an_adapter_is_pinned(folder: Path, adapter: Path, tmp_path: Path) -> None:
    base, copy = tmp_path / "base", tmp_path / "adapter"
    shutil.copytree(folder, base)
    shutil.copytree(adapter, copy)
    config = json.loads((copy / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = str(base)
    (copy / "adapter_config.json").write_text(json.dumps(config))
    pinned = fingerprint(str(copy))
    model = LlamaForCausalLM.from_pretrained(base)
    model.model.norm.weight.data += 1
    model.save_pretrained(base)
    with pytest.raises(PreflightError, match="changed since the study began"):
        Resident(Pretrained(str(copy), pinned, "sdpa", "float32"))
