"""What is read from a model's JSON without torch is what transformers makes of it."""

import errno
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import processors
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    Gemma3Config,
    GPT2Config,
    LlamaConfig,
    PreTrainedTokenizerFast,
)

from cluster.storage.retry import is_outage
from study.errors import PreflightError
from study.models.config_json import number_of
from study.models.pretrained import fingerprint
from study.models.tokenizer import context_of, load_tokenizer
from study.planning.stages import Pretrained
from study.text.examples import Corpus, Example
from study.training.encoding import encode
from tests.study.models import folder_of
from tests.study.test_pretrained import make_folder

TEXTS = ["", "Anthony Mark", " two  blanks ", "Wörter\nand lines", "<end> inside"]
NAMES = ("max_position_embeddings", "num_hidden_layers", "hidden_size", "vocab_size")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose tokenizer begins every text with a token of its own."""
    made = make_folder(tmp_path_factory.mktemp("model"))
    tokenizer = PreTrainedTokenizerFast.from_pretrained(made)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<end> $A", special_tokens=[("<end>", tokenizer.eos_token_id)]
    )
    tokenizer.save_pretrained(made)
    return made


def source(folder: Path) -> Pretrained:
    return Pretrained(str(folder), fingerprint(str(folder)), "sdpa", "float32")


@pytest.mark.parametrize("older", [False, True])
def test_a_tokenizer_is_transformers_own(folder: Path, tmp_path: Path, older: bool) -> None:
    """Also of a folder that an older transformers saved, which has another class name and does not say how."""
    place = Path(shutil.copytree(folder, tmp_path / "model"))
    if older:
        file = place / "tokenizer_config.json"
        said = json.loads(file.read_text())
        said["tokenizer_class"] = "PreTrainedTokenizerFast"
        del said["backend"]
        file.write_text(json.dumps(said))
    ours, theirs = load_tokenizer(source(place)), AutoTokenizer.from_pretrained(place)
    assert type(ours) is type(theirs)
    assert ours.special_tokens_map == theirs.special_tokens_map
    assert ours("Anthony")["input_ids"][0] == ours.eos_token_id
    for text in TEXTS:
        assert ours(text)["input_ids"] == theirs(text)["input_ids"]
        assert ours.decode(ours(text)["input_ids"]) == theirs.decode(theirs(text)["input_ids"])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tokenizer.json", r"its tokenizer cannot be read \(JSONDecodeError"),
        ("tokenizer_config.json", r"tokenizer_config\.json cannot be read \("),
    ],
)
def test_a_torn_tokenizer_is_refused_in_words(folder: Path, tmp_path: Path, name: str, said: str) -> None:
    place = Path(shutil.copytree(folder, tmp_path / "model"))
    (place / name).write_text((place / name).read_text()[:40])
    with pytest.raises(PreflightError, match=said):
        load_tokenizer(source(place))


def test_storage_that_does_not_answer_is_no_fault_of_the_tokenizer(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker tries again after it, and would give a stage up after a refusal."""

    def does_not_answer(*arguments: object, **named: object) -> None:
        raise OSError(errno.EIO, "does not answer")

    there = source(folder)
    monkeypatch.setattr(PreTrainedTokenizerFast, "from_pretrained", does_not_answer)
    with pytest.raises(OSError, match="does not answer") as raised:
        load_tokenizer(there)
    assert is_outage(raised.value)


def test_numbers_are_those_of_the_configuration(tmp_path: Path) -> None:
    """GPT-2 calls them n_positions, n_layer and n_embd; Gemma 3 has them in its part for texts."""
    gpt2 = GPT2Config(n_positions=40, n_layer=3, n_embd=24, vocab_size=70, bos_token_id=0, eos_token_id=0)
    llama = LlamaConfig(
        max_position_embeddings=50, num_hidden_layers=2, hidden_size=16, vocab_size=60, num_attention_heads=2
    )
    gemma = Gemma3Config(text_config=dict(zip(NAMES, (30, 4, 32, 80), strict=True)))
    for name, config in (("gpt2", gpt2), ("llama", llama), ("gemma", gemma)):
        config.save_pretrained(tmp_path / name)
        loaded = AutoConfig.from_pretrained(tmp_path / name).get_text_config()
        assert [number_of(tmp_path / name, each) for each in NAMES] == [getattr(loaded, n) for n in NAMES]


@pytest.mark.parametrize(
    ("kind", "places"),
    [
        ("mpt", {"max_seq_len": 24}),
        ("gpt2", {"n_positions": 24}),
        ("opt", {"max_position_embeddings": 24}),
        ("roberta", {"max_position_embeddings": 26, "is_decoder": True, "pad_token_id": 1}),
        ("xlm-roberta", {"max_position_embeddings": 28, "is_decoder": True, "pad_token_id": 3}),
    ],
)
def test_a_text_of_all_places_is_read_and_one_more_token_is_refused(
    kind: str, places: dict[str, Any], tmp_path: Path
) -> None:
    place = source(folder_of(tmp_path, kind, **places))
    assert context_of(place) == 24
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    with torch.inference_mode():
        assert model(torch.full((1, 24), 5)).logits.shape[1] == 24
        with pytest.raises((IndexError, RuntimeError, ValueError)):
            model(torch.full((1, 25), 5))
    tokenizer = load_tokenizer(place)
    texts = {len(tokenizer(text)["input_ids"]): text for text in ("z" * length for length in range(1, 99))}
    encode(Corpus((Example(texts[24]),)), tokenizer, context_of(place))
    with pytest.raises(PreflightError, match="has 25 tokens, the model's context is 24"):
        encode(Corpus((Example(texts[25]),)), tokenizer, context_of(place))


@pytest.mark.parametrize("kind", ["bloom", "mamba"])
def test_a_model_whose_places_never_run_out(kind: str, tmp_path: Path) -> None:
    assert context_of(source(folder_of(tmp_path, kind))) == sys.maxsize
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    with torch.inference_mode():
        assert torch.isfinite(model(torch.full((1, 2100), 5)).logits).all()
    with pytest.raises(PreflightError, match="has no max_position_embeddings"):
        number_of(tmp_path, "max_position_embeddings")


def test_a_number_that_is_written_down_as_null_has_its_default(tmp_path: Path) -> None:
    from transformers import MixtralConfig

    MixtralConfig(head_dim=None).save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["head_dim"] is None
    assert number_of(tmp_path, "head_dim", default=8) == 8
    with pytest.raises(PreflightError, match="no head_dim"):
        number_of(tmp_path, "head_dim")
