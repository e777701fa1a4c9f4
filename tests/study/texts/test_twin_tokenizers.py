"""Folders with the same weights and tokenizers that put other special tokens around a text: the same numbers."""

import json
from pathlib import Path

import pytest
import torch
from torch.nn.functional import log_softmax
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from benchmarks.architectures.tokenizer_forms import CHAT_TEMPLATES, SPECIAL, tokenizer_of
from study.evaluation.answering.generation import answer_probes
from study.evaluation.judge_clients import FolderJudge
from study.models.pretrained import fingerprint
from study.models.resident import Resident
from study.models.tokenizer import load_tokenizer
from study.planning.stages import Pretrained
from study.text.examples import Corpus, Example, Probe, ProbeSet
from study.training.encoding import encode

CORPUS = Corpus(
    (
        Example("Hina Ameen wrote it.", prompt="Question: Who wrote it?\nAnswer:", closed=True),
        Example("The quick brown fox jumps."),
    )
)
PROBES = ProbeSet(
    (
        Probe("one", "forget", "Question: Who wrote it?\nAnswer:", "Hina Ameen"),
        Probe("two", "retain", "The quick brown", "fox jumps"),
    )
)


def folder_of(path: Path, tokenizer: PreTrainedTokenizerFast, **settings: int | list[int] | None) -> Path:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=512, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256, bos_token_id=1, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    for name, value in settings.items():
        setattr(model.generation_config, name, value)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def resident_of(path: Path) -> Resident:
    return Resident(Pretrained(str(path), fingerprint(str(path)), "sdpa", "float32"))


def test_an_end_token_behind_every_text_changes_nothing(tmp_path: Path) -> None:
    residents = [
        resident_of(folder_of(tmp_path / str(index), tokenizer_of(form)))
        for index, form in enumerate(["byte-level, begin", "byte-level, begin and end"])
    ]
    encoded = [encode(CORPUS, each.tokenizer, each.context) for each in residents]
    assert encoded[0] == encoded[1]
    assert encoded[0][0].ids[-1] == SPECIAL.index("</s>")
    answers = [answer_probes(each, PROBES, 8, 4) for each in residents]
    assert [each.row() for each in answers[0]] == [each.row() for each in answers[1]]


@pytest.mark.parametrize("form", ["byte-level, begin and end", "SentencePiece, begin", "Unigram"])
def test_the_likelihood_is_that_of_a_plain_pass_over_what_is_learned(tmp_path: Path, form: str) -> None:
    resident = resident_of(folder_of(tmp_path, tokenizer_of(form)))
    learned = encode(CORPUS, resident.tokenizer, resident.context)[0]
    answer = answer_probes(resident, PROBES, 8, 4)[0]
    row = torch.tensor([learned.ids])
    with torch.no_grad():
        likely = log_softmax(resident.model(row).logits[0].float(), dim=1)
    target = range(learned.prompt, learned.prompt + answer.target_tokens)
    expected = -sum(float(likely[at - 1, learned.ids[at]]) for at in target)
    assert answer.target_nll == pytest.approx(expected, abs=1e-4)


def test_decoding_ends_where_training_ends_and_where_the_model_does(tmp_path: Path) -> None:
    path = folder_of(tmp_path / "list", tokenizer_of("byte-level"), eos_token_id=[7, 9])
    assert resident_of(path).end_ids == (2, 7, 9)
    without = tokenizer_of("byte-level")
    without.eos_token = None
    path = folder_of(tmp_path / "none", without)
    assert resident_of(path).end_ids == (2,)
    tokenizer = load_tokenizer(Pretrained(str(path), fingerprint(str(path)), "sdpa", "float32"))
    assert encode(CORPUS, tokenizer, 256)[0].ids[-1] == 2
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | {"eos_token_id": None}))
    (path / "generation_config.json").unlink()
    open_ended = load_tokenizer(Pretrained(str(path), fingerprint(str(path)), "sdpa", "float32"))
    assert encode(CORPUS, open_ended, 256)[0].ids[-1] != 2


def test_a_judge_reads_its_chat_template_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = tokenizer_of("byte-level, begin")
    tokenizer.chat_template = CHAT_TEMPLATES["Llama 2"]
    judge = FolderJudge(str(folder_of(tmp_path, tokenizer)))
    asked: list[list[int]] = []
    forward = judge._resident.model.forward

    def seen(*given: object, **arguments: object) -> object:
        ids = arguments["input_ids"]
        assert isinstance(ids, torch.Tensor)
        asked.append(ids[0].tolist())
        return forward(*given, **arguments)

    monkeypatch.setattr("study.evaluation.judge_clients.REPLY_TOKENS", 2)
    monkeypatch.setattr(judge._resident.model, "forward", seen)
    judge.reply("Rate this.")
    assert asked[0].count(SPECIAL.index("<s>")) == 1
