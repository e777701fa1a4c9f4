"""Adapters upon adapters, and adapters with a tokenizer of their own: used as peft uses them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from benchmarks.architectures.tokenizer_forms import tokenizer_of
from study.errors import PreflightError
from study.models.pretrained import fingerprint
from study.models.resident import Resident
from study.models.tokenizer import load_tokenizer
from study.performing.self_test.request import Request
from study.performing.self_test.trial import self_test
from study.planning.stages import Pretrained
from tests.study.models import folder_of

pytestmark = pytest.mark.filterwarnings(
    "ignore:Could not find a config file", "ignore:Setting `save_embedding_layers`"
)
IDS = torch.tensor([[5, 9, 30, 7]])


def source_of(folder: Path) -> Pretrained:
    return Pretrained(str(folder), fingerprint(str(folder)), "sdpa", "float32")


def adapter_of(base: Path, model: Any, folder: Path, **settings: Any) -> Any:
    """Saves a random adapter on a model that was loaded from ``base``; returns the model with it merged."""
    config = LoraConfig(**{"r": 2, "target_modules": ["q_proj"], "init_lora_weights": False, **settings})
    adapted = get_peft_model(model, config)
    adapted.peft_config["default"].base_model_name_or_path = str(base)
    adapted.save_pretrained(folder)
    return adapted.merge_and_unload()


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``base``, and with ``inner``, ``middle`` and ``outer``, each an adapter of the one before."""
    place = tmp_path_factory.mktemp("chain")
    torch.manual_seed(2)
    folder_of(place / "base", "llama")
    model: Any = AutoModelForCausalLM.from_pretrained(place / "base")
    below = place / "base"
    for name in ("inner", "middle", "outer"):
        model = adapter_of(below, model, place / name, target_modules=["q_proj", "down_proj"])
        below = place / name
    return place


def test_every_adapter_of_a_chain_is_merged_as_peft_merges_it(chain: Path) -> None:
    theirs: Any = AutoModelForCausalLM.from_pretrained(chain / "base")
    ours = []
    for name in ("inner", "middle", "outer"):
        theirs = PeftModel.from_pretrained(theirs, chain / name).merge_and_unload().eval()
        resident = Resident(source_of(chain / name))
        with torch.no_grad():
            ours.append(resident.model(IDS).logits)
            assert torch.allclose(ours[-1], theirs(IDS).logits, atol=1e-4)
    assert not torch.allclose(ours[0], ours[1], atol=1e-3)
    assert not torch.allclose(ours[1], ours[2], atol=1e-3)


def test_the_self_test_sees_an_adapter_that_is_left_out(chain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = Request(source_of(chain / "outer"), {}, full=False)
    self_test(request)
    monkeypatch.setattr("study.models.build.adapters_of", lambda location: (Path(location),))
    with pytest.raises(PreflightError, match="from what peft makes of it"):
        self_test(request)


@pytest.mark.parametrize("name", ["base", "inner", "middle", "outer"])
def test_the_fingerprint_covers_every_folder_of_a_chain(chain: Path, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "chain"
    shutil.copytree(chain, copy)
    for adapter in ("inner", "middle", "outer"):
        file = copy / adapter / "adapter_config.json"
        file.write_text(file.read_text().replace(str(chain), str(copy)))
    before = fingerprint(str(copy / "outer"))
    (copy / name / "notes.txt").write_text("another")
    assert fingerprint(str(copy / "outer")) != before


def test_an_adapter_whose_base_leads_back_to_it(chain: Path, tmp_path: Path) -> None:
    for name, base in (("one", "two"), ("two", "one")):
        shutil.copytree(chain / "outer", tmp_path / name)
        file = tmp_path / name / "adapter_config.json"
        said = json.loads(file.read_text()) | {"base_model_name_or_path": str(tmp_path / base)}
        file.write_text(json.dumps(said))
    with pytest.raises(PreflightError, match="leads back to itself"):
        fingerprint(str(tmp_path / "one"))


def test_the_outermost_tokenizer_is_used(chain: Path, tmp_path: Path) -> None:
    """As chat models are trained: the adapter's tokenizer has another end token and a template."""
    for name, base in (("with", chain / "base"), ("upon", tmp_path / "with")):
        adapter_of(base, AutoModelForCausalLM.from_pretrained(chain / "base"), tmp_path / name)
    plain = fingerprint(str(tmp_path / "upon"))
    tokenizer = tokenizer_of("byte-level, begin")
    tokenizer.eos_token, tokenizer.chat_template = "<unk>", "X{{ messages[0].content }}"
    tokenizer.save_pretrained(tmp_path / "with")
    assert fingerprint(str(tmp_path / "upon")) != plain
    for name in ("with", "upon"):
        found = Resident(source_of(tmp_path / name))
        assert (found.tokenizer.eos_token, found.tokenizer.chat_template) == (
            "<unk>",
            tokenizer.chat_template,
        )
        assert found.end_ids == (tokenizer.eos_token_id, 2)  # of the base's config.json too
    (tmp_path / "upon" / "chat_template.jinja").write_text("Y{{ messages[0].content }}")
    assert load_tokenizer(source_of(tmp_path / "upon")).chat_template.startswith("Y")
    assert load_tokenizer(source_of(tmp_path / "with")).chat_template.startswith("X")


def test_an_adapter_that_brings_new_tokens_along(chain: Path, tmp_path: Path) -> None:
    tokenizer = tokenizer_of("byte-level, begin")
    tokenizer.add_tokens(["<|user|>", "<|assistant|>"])
    model: Any = AutoModelForCausalLM.from_pretrained(chain / "base")
    model.resize_token_embeddings(len(tokenizer))
    adapter_of(chain / "base", model, tmp_path, modules_to_save=["embed_tokens", "lm_head"])
    tokenizer.save_pretrained(tmp_path)
    source = source_of(tmp_path)
    resident = Resident(source)
    expected: Any = AutoModelForCausalLM.from_pretrained(chain / "base")
    expected.resize_token_embeddings(len(tokenizer))
    expected = PeftModel.from_pretrained(expected, tmp_path).eval()
    new = torch.tensor([[5, len(tokenizer) - 1, len(tokenizer) - 2]])
    with torch.inference_mode():
        assert torch.allclose(resident.model(new).logits, expected(new).logits, atol=1e-4)
    self_test(Request(source, {}, full=True))


@pytest.mark.parametrize("name", ["generation_config.json", "tokenizer_config.json"])
def test_settings_that_are_no_json(chain: Path, tmp_path: Path, name: str) -> None:
    for folder in ("base", "outer"):
        shutil.copytree(chain / folder, tmp_path / folder)
        (tmp_path / folder / name).write_text("{")
        with pytest.raises(PreflightError, match=f"{name} cannot be read"):
            fingerprint(str(tmp_path / folder))


def test_an_end_that_only_a_class_of_transformers_names(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("byte-level")
    tokenizer.eos_token = None
    folder_of(tmp_path, "llama", tokenizer)
    for name in ("config.json", "generation_config.json"):
        said = json.loads((tmp_path / name).read_text())
        del said["eos_token_id"]
        (tmp_path / name).write_text(json.dumps(said))
    resident = Resident(source_of(tmp_path))
    assert resident.model.config.eos_token_id == 2
    assert resident.end_ids == ()
    assert resident.tokenizer.eos_token_id is None
