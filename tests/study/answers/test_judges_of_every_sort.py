"""Folders of judges as people have them: greedy whatever their settings say, or refused before they are asked."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.architectures.tokenizer_forms import tokenizer_of
from study.errors import PreflightError
from study.evaluation.judge_clients import FolderJudge
from tests.study.models import folder_of

MESSAGE = "Rate this."
LIST_TEMPLATE = (
    "{% for m in messages %}{% for c in m.content %}{{ c['text'] }}{% endfor %}{% endfor %}{{ '\\n' }}"
)


@pytest.fixture(autouse=True)
def short_replies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.evaluation.judge_clients.REPLY_TOKENS", 12)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(tmp_path_factory.mktemp("judge"), "llama")


def with_settings(plain: Path, folder: Path, file: str, **settings: Any) -> Path:
    """A copy of a judge's folder with other settings in one of its JSON files."""
    folder.mkdir()
    for path in plain.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    said = json.loads((folder / file).read_text()) if (folder / file).is_file() else {}
    (folder / file).write_text(json.dumps(said | settings))
    return folder


def greedy(judge: FolderJudge, message: str) -> str:
    """The reply by plain passes alone."""
    resident = judge._resident
    query = resident.tokenizer(f"{message}\n")["input_ids"]
    ids = list(query)
    with torch.inference_mode():
        while len(ids) < len(query) + 12 and ids[-1] not in resident.end_ids:
            ids.append(int(resident.model(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
    return str(resident.tokenizer.decode(ids[len(query) :], skip_special_tokens=True))


@pytest.mark.parametrize(
    "settings",
    [
        {"cache_implementation": "quantized"},
        {"cache_implementation": "static"},
        {"num_beams": 4, "num_return_sequences": 2},
        {"guidance_scale": 1.5},
        {"do_sample": True, "temperature": 0.7, "top_p": 0.9},
        {"repetition_penalty": 2.0, "no_repeat_ngram_size": 2},
        {"suppress_tokens": list(range(100, 400))},
        {"max_length": 3, "min_new_tokens": 12},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_a_judge_is_greedy_whatever_its_settings_say(plain: Path, tmp_path: Path, settings: dict) -> None:
    judge = FolderJudge(str(with_settings(plain, tmp_path / "judge", "generation_config.json", **settings)))
    assert judge.reply(MESSAGE) == greedy(judge, MESSAGE) != ""


def test_a_reply_ends_with_a_stop_string(plain: Path, tmp_path: Path) -> None:
    whole = FolderJudge(str(plain)).reply(MESSAGE)
    stop = whole[3:5]
    folder = with_settings(plain, tmp_path / "judge", "generation_config.json", stop_strings=[stop])
    assert FolderJudge(str(folder)).reply(MESSAGE) == whole[: whole.index(stop) + len(stop)]


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ([{"name": "tool_use", "template": "T{{ messages[0].content }}"}], "ValueError"),
        ("{{ raise_exception('a system message first') }}", "TemplateError: a system message first"),
        ("{% if %}", "TemplateSyntaxError"),
        ("Hello.", "lacks words of the message"),
        ("{{ messages[1].content }}", "UndefinedError"),
    ],
)
def test_a_template_that_cannot_put_a_message(
    plain: Path, tmp_path: Path, template: object, words: str
) -> None:
    folder = with_settings(plain, tmp_path / "judge", "tokenizer_config.json", chat_template=template)
    with pytest.raises(PreflightError, match=f"chat template cannot put one message .*{words}"):
        FolderJudge(str(folder))


@pytest.mark.parametrize(
    "template",
    [
        LIST_TEMPLATE,
        [{"name": "default", "template": "{{ messages[0].content + '\\n' }}"}, {"name": "x", "template": ""}],
    ],
    ids=["list content", "several with a default"],
)
def test_a_template_that_wants_parts_and_one_of_several(
    plain: Path, tmp_path: Path, template: object
) -> None:
    folder = with_settings(plain, tmp_path / "judge", "tokenizer_config.json", chat_template=template)
    judge = FolderJudge(str(folder))
    tokenizer = judge._resident.tokenizer
    assert judge._query(MESSAGE) == tokenizer(f"{MESSAGE}\n", add_special_tokens=False)["input_ids"]
    assert isinstance(judge.reply(MESSAGE), str)


def test_a_judge_with_fewer_embeddings_than_tokens(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match=r"and the model knows 60 tokens"):
        FolderJudge(str(folder_of(tmp_path, "llama", vocab_size=60)))


@pytest.mark.parametrize("kind", ["bert", "electra"])
def test_an_encoder_is_no_judge(tmp_path: Path, kind: str) -> None:
    with pytest.raises(PreflightError, match="an encoder"):
        FolderJudge(str(folder_of(tmp_path, kind, is_decoder=False)))


def test_a_judge_of_few_places(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="a judge with a longer context"):
        FolderJudge(str(folder_of(tmp_path, "llama", max_position_embeddings=8)))


def test_a_judge_whose_numbers_are_not_finite(plain: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = with_settings(plain, tmp_path / "judge", "config.json")
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"].fill_(float("nan"))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(PreflightError, match="not finite"):
        FolderJudge(str(folder))


def test_a_judge_whose_shapes_are_not_those_of_its_weights(plain: Path, tmp_path: Path) -> None:
    folder = with_settings(plain, tmp_path / "judge", "config.json", hidden_size=36)
    with pytest.raises(PreflightError, match="the judge"):
        FolderJudge(str(folder))


def test_a_judge_with_a_longer_vocabulary_than_tokenizer(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("byte-level, begin")
    judge = FolderJudge(str(folder_of(tmp_path, "llama", tokenizer, vocab_size=len(tokenizer) + 40)))
    assert judge.reply(MESSAGE) == greedy(judge, MESSAGE)
