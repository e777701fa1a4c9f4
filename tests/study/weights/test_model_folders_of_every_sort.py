"""Folders as people have them: adapters of every kind, tokenizers that are too large, weights that are missing."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import IA3Config, LoraConfig, PeftConfig, PeftModel, PrefixTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from benchmarks.architectures.tokenizer_forms import tokenizer_of
from cluster.driver.preflight.checks import check_plan
from study.errors import PreflightError
from study.evaluation.judge_clients import FolderJudge
from study.evaluation.rating import UnratedError
from study.models.pretrained import fingerprint
from study.models.resident import Resident
from study.planning.materials import read_materials
from study.planning.planner import make_plan
from study.planning.stages import Pretrained
from tests.study.models import folder_of

IDS = torch.tensor([[5, 9, 30, 7]])
LINEAR = {"llama": ["q_proj", "down_proj"], "gpt2": ["c_attn", "c_proj"], "mixtral": ["q_proj"]}


def lora(kind: str, **settings: Any) -> tuple[str, LoraConfig]:
    return kind, LoraConfig(
        **{"r": 2, "target_modules": LINEAR[kind], "init_lora_weights": False, **settings}
    )


ADAPTERS: dict[str, tuple[str, PeftConfig]] = {
    "LoRA": lora("llama"),
    "rank-stabilised": lora("llama", use_rslora=True),
    "DoRA": lora("llama", use_dora=True),
    "biases": lora("gpt2", bias="all"),
    "Conv1D": lora("gpt2", fan_in_fan_out=True),
    "embedding": lora("llama", target_modules=["embed_tokens", "q_proj"]),
    "whole output layer": lora("llama", modules_to_save=["lm_head"]),
    "fused experts": lora("mixtral", target_parameters=["experts.down_proj"]),
    "IA3": (
        "llama",
        IA3Config(target_modules=LINEAR["llama"], feedforward_modules=["down_proj"], init_ia3_weights=False),
    ),
}


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("bases")
    for kind in LINEAR:
        folder_of(place / kind, kind)
    return place


def resident_of(folder: Path) -> Resident:
    return Resident(Pretrained(str(folder), fingerprint(str(folder)), "sdpa", "float32"))


@pytest.mark.parametrize("sort", ADAPTERS)
@pytest.mark.filterwarnings("ignore:fan_in_fan_out", "ignore:Setting `save_embedding_layers`")
def test_an_adapter_says_what_peft_says(bases: Path, tmp_path: Path, sort: str) -> None:
    kind, config = ADAPTERS[sort]
    torch.manual_seed(1)
    base = AutoModelForCausalLM.from_pretrained(bases / kind)
    adapted = get_peft_model(base, config)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "modules_to_save" in name or name.endswith("bias"):
                parameter.add_(0.1)
    adapted.save_pretrained(tmp_path)
    theirs = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(bases / kind), tmp_path).eval()
    ours = resident_of(tmp_path)
    plain = AutoModelForCausalLM.from_pretrained(bases / kind).eval()
    with torch.inference_mode():
        found, expected, without = (model(IDS).logits for model in (ours.model, theirs, plain))
    assert torch.allclose(found, expected, atol=1e-4)
    assert not torch.allclose(found, without, atol=1e-3)
    assert all(parameter.requires_grad for parameter in ours.model.parameters())


def test_an_adapter_that_is_no_change_of_weights(bases: Path, tmp_path: Path) -> None:
    base = AutoModelForCausalLM.from_pretrained(bases / "llama")
    get_peft_model(base, PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2)).save_pretrained(
        tmp_path
    )
    with pytest.raises(PreflightError, match="PREFIX_TUNING, which cannot be merged"):
        fingerprint(str(tmp_path))


def test_an_adapter_of_which_a_part_is_missing(bases: Path, tmp_path: Path) -> None:
    base = AutoModelForCausalLM.from_pretrained(bases / "llama")
    get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(tmp_path)
    weights = load_file(tmp_path / "adapter_model.safetensors")
    save_file(dict(list(weights.items())[1:]), tmp_path / "adapter_model.safetensors")
    with pytest.raises(PreflightError, match="cannot be merged into its base"):
        resident_of(tmp_path)


def test_a_model_and_an_adapter_in_one_folder(bases: Path, tmp_path: Path) -> None:
    """Transformers would load the adapter's base, and not the weights that lie there."""
    folder = tmp_path / "both"
    shutil.copytree(bases / "llama", folder)
    LoraConfig(base_model_name_or_path=str(bases / "llama")).save_pretrained(folder)
    with pytest.raises(PreflightError, match="keep one of them in a folder of its own"):
        fingerprint(str(folder))


def test_weights_that_are_not_all_there(bases: Path, tmp_path: Path) -> None:
    folder = tmp_path / "headless"
    shutil.copytree(bases / "llama", folder)
    weights = load_file(folder / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(PreflightError, match=r"lack lm_head.weight \(1 tensors in all\)"):
        resident_of(folder)


def test_a_configuration_with_fewer_layers_than_the_weights(bases: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shorter"
    shutil.copytree(bases / "llama", folder)
    config = json.loads((folder / "config.json").read_text())
    assert config["num_hidden_layers"] == 2
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 1, "layer_types": None}))
    with pytest.raises(PreflightError, match=r"hold model\.layers\.1\..* has no place for"):
        resident_of(folder)


def test_tensors_of_another_part_are_no_fault(bases: Path, tmp_path: Path) -> None:
    folder = tmp_path / "with_a_tower"
    shutil.copytree(bases / "llama", folder)
    weights = load_file(folder / "model.safetensors")
    weights["vision_tower.layers.0.weight"] = weights["lm_head.weight"].clone()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert resident_of(folder)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("model.safetensors.index.json", '{"weight_map": {"a', "model.safetensors.index.json cannot be read"),
        ("model.safetensors.index.json", '{"weight_map": ["a"]}', "names no file for each tensor"),
        ("generation_config.json", '{"a":' * 100_000, "generation_config.json cannot be read"),
        ("generation_config.json", '{"eos_token_id": [2, null]}', "expected the number of a token"),
        ("generation_config.json", '{"eos_token_id": "</s>"}', "expected the number of a token"),
        ("config.json", '{"model_type": ["llama"]}', "expected the name of a type"),
    ],
)
def test_settings_of_the_wrong_kind(bases: Path, tmp_path: Path, file: str, content: str, said: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(bases / "llama", folder)
    if "index" in file:
        (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    (folder / file).write_text(content)
    with pytest.raises(PreflightError, match=said):
        resident_of(folder)


def test_a_pad_token_without_an_embedding(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("byte-level, begin")
    size = len(tokenizer)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    resident = resident_of(folder_of(tmp_path, "llama", tokenizer, vocab_size=size))
    assert resident.tokenizer.pad_token_id == size
    assert resident.pad_id < size


def test_a_tokenizer_larger_than_the_embedding(tiny, tmp_path: Path) -> None:
    folder_of(tmp_path / "model", "llama", vocab_size=100)
    plan = make_plan(read_materials(tiny(model=[str(tmp_path / "model")])), fingerprint)
    with pytest.raises(PreflightError, match=r"a text has token \d+ .* and the model knows 100"):
        check_plan(plan, local=False)


@pytest.mark.parametrize("kind", ["bloom", "lfm2", "gpt2"])
def test_a_judge_of_any_family(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.evaluation.judge_clients.REPLY_TOKENS", 4)
    judge = FolderJudge(str(folder_of(tmp_path, kind)))
    assert isinstance(judge.reply("Rate this."), str)
    if judge._resident.context < 2000:
        with pytest.raises(UnratedError, match="a judge with a longer context"):
            judge.reply("Rate this. " * 300)


def test_a_quantised_judge(tmp_path: Path) -> None:
    config = folder_of(tmp_path, "gpt2") / "config.json"
    config.write_text(
        json.dumps(json.loads(config.read_text()) | {"quantization_config": {"quant_method": "awq"}})
    )
    with pytest.raises(PreflightError, match=r"quantised \(awq\)"):
        FolderJudge(str(tmp_path))
