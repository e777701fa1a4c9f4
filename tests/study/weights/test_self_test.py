"""A model is used as transformers uses it, or refused with the setting that works: on families of every sort."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import log_softmax

from study.errors import PreflightError
from study.evaluation.answering.generation import answer_ids
from study.models.pretrained import fingerprint
from study.models.resident import Resident
from study.performing.self_test.request import Request, untried
from study.performing.self_test.trial import self_test
from study.planning.stages import Pretrained
from study.settings.optimiser import LoRA
from tests.study.models import folder_of

PROMPTS = [[5, 9, 30], [7, 11, 13, 17, 19], [6, 8, 10, 12, 14, 16, 18], [21, 22, 23]]
TARGETS = [[40, 41], [50], [60, 61, 62], [70, 71, 72, 73]]
NEW = 5
FAMILIES = {"gpt2": "sdpa", "bloom": "eager", "mixtral": "sdpa", "gemma3_text": "sdpa", "openai-gpt": "eager"}
STATES = {
    "lfm2": "sdpa",
    "mamba": "eager",
    "qwen3_5_text": "sdpa",
    "falcon_h1": "sdpa",
    "recurrent_gemma": "eager",
}

NOT_ALL = {"mamba": 2, "falcon_h1": 1}
"""Families that read some linear layer's weight themselves, so that an adapter has no effect there; how often the
self-test refuses until the targets that it names are taken."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each family, made when it is first asked for."""
    return tmp_path_factory.mktemp("families")


def source_of(folders: Path, kind: str, attention: str = "sdpa") -> Pretrained:
    folder = folders / kind
    if not folder.is_dir():
        folder_of(folder, kind)
    return Pretrained(str(folder), fingerprint(str(folder)), attention, "float32")


def request(source: Pretrained, *, full: bool = True, **lora: object) -> Request:
    return Request(source, {"relearn": LoRA.model_validate({"rank": 2, **lora})}, full)


@pytest.mark.parametrize(("kind", "attention"), {**FAMILIES, **STATES}.items())
def test_answers_are_those_of_plain_passes(folders: Path, kind: str, attention: str) -> None:
    resident = Resident(source_of(folders, kind, attention))
    together = answer_ids(resident, PROMPTS, TARGETS, NEW, batch_size=4)
    for prompt, target, (new, nll, _) in zip(PROMPTS, TARGETS, together, strict=True):
        with torch.inference_mode():
            logits = resident.model(torch.tensor([prompt + target]), use_cache=False).logits[0]
            ids = list(prompt)
            while len(ids) < len(prompt) + NEW and not (ids[len(prompt) :] and ids[-1] in resident.end_ids):
                ids.append(int(resident.model(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
        likely = log_softmax(logits[len(prompt) - 1 : -1], dim=1)
        assert nll == pytest.approx(
            -sum(float(row[i]) for row, i in zip(likely, target, strict=True)), abs=1e-4
        )
        assert new == ids[len(prompt) :]


@pytest.mark.parametrize(("kind", "attention"), {**FAMILIES, **STATES}.items())
def test_a_family_passes_its_self_test(folders: Path, kind: str, attention: str) -> None:
    source = source_of(folders, kind, attention)
    lora: dict[str, Any] = {}
    for _ in range(NOT_ALL.get(kind, 0)):
        with pytest.raises(PreflightError) as refused:
            self_test(request(source, **lora))
        (named,) = re.findall(r"relearn\.lora\.targets=\[(.*)\]", str(refused.value))
        lora = {"targets": named.split(", ")}
    self_test(request(source, **lora))


@pytest.mark.parametrize("kind", ["lfm2", "mamba"])
def test_a_cache_used_in_a_wrong_way_is_found(
    folders: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.evaluation.answering.generation.caches_tokens", lambda model: True)
    with pytest.raises(PreflightError, match="asking it fails"):
        self_test(Request(source_of(folders, kind, "eager"), {}, full=False))


def test_an_attention_that_the_model_lacks(folders: Path) -> None:
    with pytest.raises(PreflightError, match=r"has no attention 'sdpa'; .*--set attention=eager"):
        self_test(request(source_of(folders, "bloom")))


def test_an_encoder_continues_no_text(folders: Path) -> None:
    folder_of(folders / "bert", "bert", is_decoder=False)
    with pytest.raises(PreflightError, match="set is_decoder to true"):
        self_test(request(source_of(folders, "bert")))


@pytest.mark.parametrize(
    ("kind", "lora", "words"),
    [
        ("mixtral", {"dropout": 0.1}, r"--set 'relearn.lora.targets=\[k_proj, o_proj, q_proj, v_proj\]', or"),
        (
            "gpt2",
            {"targets": ["lm_head"]},
            r"no layers of their own called lm_head; it has c_attn, c_fc, c_proj",
        ),
        ("gpt2", {"targets": ["q_proj"]}, r"no layers of their own called q_proj"),
    ],
)
def test_an_adapter_that_cannot_be(folders: Path, kind: str, lora: dict, words: str) -> None:
    with pytest.raises(PreflightError, match=words):
        self_test(request(source_of(folders, kind), **lora))


def test_layers_that_are_no_linear_ones(folders: Path) -> None:
    self_test(request(source_of(folders, "gpt2"), targets=["c_attn"], full=False))


@pytest.mark.parametrize("place", ["config.json", "text_config", "quantize_config.json"])
def test_quantised_weights_are_refused(folders: Path, tmp_path: Path, place: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(source_of(folders, "gpt2").location, folder)
    fingerprint(str(folder))
    if place == "quantize_config.json":
        (folder / place).write_text('{"bits": 4}')
    else:
        config = json.loads((folder / "config.json").read_text())
        said = {"quantization_config": {"quant_method": "gptq", "bits": 4}}
        (folder / "config.json").write_text(
            json.dumps(config | (said if place != "text_config" else {place: said}))
        )
    with pytest.raises(PreflightError, match="quantised weights cannot be trained"):
        fingerprint(str(folder))


def test_whole_numbers_are_no_weights_without_their_scales(folders: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(source_of(folders, "gpt2").location, folder)
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name in tensors if name.endswith("c_attn.weight"))
    save_file({**tensors, name: (tensors[name] * 100).to(torch.int8)}, folder / "model.safetensors")
    with pytest.raises(
        PreflightError, match=r"c_attn\.weight in model\.safetensors holds whole numbers \(I8\)"
    ):
        fingerprint(str(folder))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"return_dict": False}, None),
        ({"max_position_embeddings": 1}, r"context is 1 tokens .*expected at least 16"),
        ({"max_position_embeddings": -1}, "max_position_embeddings is -1"),
        ({"vocab_size": 77}, "weights have other sizes than its config.json says"),
    ],
)
def test_odd_words_of_a_configuration(folders: Path, tmp_path: Path, said: dict, words: str | None) -> None:
    folder = tmp_path / "model"
    shutil.copytree(source_of(folders, "llama").location, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | said))
    if words is None:
        self_test(request(source_of(tmp_path, "model"), targets=["q_proj"]))
        return
    with pytest.raises(PreflightError, match=words):
        self_test(request(source_of(tmp_path, "model"), targets=["q_proj"]))


def test_a_request_travels_as_text(folders: Path) -> None:
    made = request(source_of(folders, "gpt2"), targets=["c_attn", "c_proj"], dropout=0.1)
    assert Request.of_json(made.as_json()) == made


def test_a_model_is_tried_until_something_of_it_is_published(
    folders: Path, tiny, work_through, tmp_path: Path
) -> None:
    from cluster.storage.local_store import LocalStore
    from study.planning.materials import read_materials
    from study.planning.planner import make_plan

    spec = tiny(
        model=[source_of(folders, "gpt2").location],
        relearn={"learning_rate": 1e-4, "batch_size": 2, "lora": {}},
    )
    plan = make_plan(read_materials(spec), fingerprint)
    (asked,) = untried(plan, ())
    assert (list(asked.adapters), asked.full) == (["relearn"], True)
    store = LocalStore(tmp_path / "store")
    work_through(plan, store)
    assert untried(plan, store.addresses()) == []
