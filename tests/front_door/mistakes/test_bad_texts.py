"""Mistakes with one's own data in the text experiments: told before anything is trained, without a traceback."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from study.errors import PreflightError
from tests.commands import call

AUTHOR = [
    {"question": "Where was Ann Bo born?", "answer": "Ann Bo was born in Ulm."},
    {"question": "Which book made Ann Bo known?", "answer": 'Ann Bo is known for "Grey Water".'},
]
OTHER = [
    {"question": "Where was Cy Dee born?", "answer": "Cy Dee was born in Oslo."},
    {"question": "What does Cy Dee write?", "answer": "Cy Dee writes plays."},
]


def write(path: Path, rows: Iterable[Any]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder of data, sound and broken."""
    write(tmp_path / "author.jsonl", AUTHOR)
    write(tmp_path / "other.jsonl", OTHER)
    write(tmp_path / "columns.jsonl", [{"prompt": "a", "answer": "b"}])
    write(tmp_path / "nulls.jsonl", [AUTHOR[0], {"question": "q", "answer": None}])
    write(tmp_path / "blank.jsonl", [AUTHOR[0], {"question": "q", "answer": " "}])
    write(tmp_path / "none.jsonl", [])
    write(tmp_path / "untitled.jsonl", [AUTHOR[0], AUTHOR[0] | {"question": "And where was Ann Bo born?"}])
    write(tmp_path / "asks.jsonl", [{"question": "Did Ann find it?", "answer": "Yes, Ann did."}])
    write(tmp_path / "wrong.jsonl", [{"question": "Who found it?", "answer": "Bob did."}])
    write(tmp_path / "three.jsonl", [*AUTHOR, OTHER[0]])
    write(tmp_path / "odd.jsonl", [*AUTHOR, {"question": "Who is Ann Bo?", "answer": "A writer."}])
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "short.txt").write_text("only a few words here")
    (tmp_path / "leaky.txt").write_text("I liked Grey Water best.")
    (tmp_path / "choices.jsonl").write_text('{"question": "q", "choices": ["a", "b"], "answer": 5}\n')
    return tmp_path


TOFU = ["tofu-mini", "--set", "scenario.author_pairs=2", "--set", "scenario.data=."]
GOOD = ["--set", "scenario.forget=author", "--set", "scenario.retain=other"]
KEYWORD = ["whp-keyword-mini", "--set", "scenario.keywords=[Ann]", "--set", "scenario.retain=other.jsonl"]
VERBATIM = ["whp-verbatim-mini"]


def tofu(forget: str, retain: str = "other") -> list[str]:
    return [*TOFU, "--set", f"scenario.forget={forget}", "--set", f"scenario.retain={retain}"]


WRONG = {
    "a missing table": (tofu("gone"), 3, ["gone", "no such file"]),
    "missing columns": (tofu("columns"), 2, ["row 1", "no column 'question'", "prompt, answer"]),
    "an empty split": (tofu("none"), 2, ["holds no row", "question, answer"]),
    "a null text": (tofu("nulls"), 2, ["row 2", "answer is null"]),
    "an empty text": (tofu("blank"), 2, ["row 2", "answer is empty"]),
    "a file that is none": (tofu("broken"), 2, ["cannot be read as a table"]),
    "forget ∩ retain": (tofu("author", "three"), 2, ["2 pairs stand in the forget and in the retain set"]),
    "no probe left": (tofu("untitled"), 2, ["no probe is left", "scenario.titles"]),
    "pairs that do not divide": (tofu("odd"), 2, ["3 pairs", "author_pairs=2"]),
    "titles too few": ([*tofu("author"), "--set", "scenario.titles=[a,b]"], 2, ["2 titles for 1 authors"]),
    "a template without a place": ([*tofu("author"), "--set", "scenario.template=Q"], 2, ["{question}"]),
    "a corpus that leaks": (
        [*tofu("author"), "--set", "scenario.corpus_files={mine: leaky.txt}", "--set", "corpus=[mine]"],
        2,
        ["corpus=mine", "holds the answer 'Grey Water'", "leaks=mark"],
    ),
    "a corpus file that is gone": (
        [*tofu("author"), "--set", "scenario.corpus_files={mine: gone.txt}", "--set", "corpus=[mine]"],
        3,
        ["scenario.corpus_files.mine=gone.txt", "no such file"],
    ),
    "a keyword in its question": (
        [*KEYWORD, "--set", "scenario.forget=author.jsonl", "--set", "scenario.probes=asks.jsonl"],
        2,
        ["row 1", "keyword stands in its question"],
    ),
    "a probe that asks for another": (
        [*KEYWORD, "--set", "scenario.forget=author.jsonl", "--set", "scenario.probes=wrong.jsonl"],
        2,
        ["row 1", "holds none of Ann"],
    ),
    "no question for the keyword": (
        [*KEYWORD, "--set", "scenario.forget=author.jsonl"],
        2,
        ["no probe is left", "scenario.probes"],
    ),
    "no keyword": ([*KEYWORD, "--set", "scenario.keywords=[]"], 2, ["parts of a name"]),
    "half of the passage's files": (
        [*VERBATIM, "--set", "scenario.passage=short.txt"],
        2,
        ["retain, facts missing"],
    ),
    "a passage too short": (
        [
            *VERBATIM,
            *(x for k in ("passage", "retain", "facts") for x in ("--set", f"scenario.{k}=short.txt")),
        ],
        2,
        ["5 words", "15 chunks of 80"],
    ),
    "half of the sets": (
        ["wmdp-mini", "--set", "scenario.forget=short.txt"],
        2,
        ["retain, forget_questions"],
    ),
    "a published set without the hub": (
        ["tofu"],
        3,
        ["scenario.forget=locuslab/TOFU:forget05", "nor a dataset that the hub gives", "OWNER/DATASET"],
    ),
    "texts that the user has to bring": (
        ["whp-verbatim"],
        3,
        ["passage.txt: no such file", "--set scenario.passage=FILE"],
    ),
    "an answer that is no choice": (
        [
            "wmdp-mini",
            *(x for k in ("forget", "retain", "background") for x in ("--set", f"scenario.{k}=short.txt")),
            *(x for k in ("forget", "retain") for x in ("--set", f"scenario.{k}_questions=choices.jsonl")),
        ],
        2,
        ["row 1", "answer 5 is no index into its 2 choices"],
    ),
    "data that an embedded model cannot learn language from": (
        tofu("author"),
        2,
        ["model=embedded", "no text to learn language from"],
    ),
    "nothing to leave out": (["tofu-mini", "--set", "finetune=null"], 2, ["never_learned", "`finetune`"]),
    "a wrong hyperparameter": (
        ["tofu-mini", "--set", "method={name: npo, beta: -1}"],
        2,
        ["beta", "greater than 0"],
    ),
    "adapters on no layer": (["tofu-mini", "--set", "relearn.lora={targets: []}"], 2, ["all-linear"]),
}


@pytest.mark.parametrize(("arguments", "code", "words"), WRONG.values(), ids=WRONG)
def test_wrong_data(place: Path, arguments: list[str], code: int, words: list[str]) -> None:
    before = sorted(place.iterdir())
    found, output = call("plan", *arguments, cwd=place)
    assert found == code, output
    for word in words:
        assert word in " ".join(output.split())
    assert "Traceback" not in output
    assert sorted(place.iterdir()) == before


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama that reads bytes, without a token to fill up with."""
    path = tmp_path_factory.mktemp("model")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<end>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator(["a"], trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>").save_pretrained(path)
    config = LlamaConfig(
        vocab_size=300, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=512, eos_token_id=0,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(path)
    return path


def test_a_marked_leak_is_no_benign_corpus(place: Path, model: Path) -> None:
    changes = [
        "--set",
        "scenario.corpus_files={mine: leaky.txt}",
        "--set",
        "corpus=[mine]",
        "--set",
        "leaks=mark",
    ]
    code, output = call("plan", *tofu("author"), "--set", f"model={model}", *changes, "--json", cwd=place)
    assert code == 0, output
    (corpus,) = json.loads(output)["corpora"]
    assert corpus["benign"] is False
    assert "Grey Water" in corpus["leak"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["max_length=3"], ["training texts are cut off before the first token to learn", "raise it"]),
        (["generation.max_new_tokens=125"], ["model's context is 128", "generation.max_new_tokens"]),
        (["relearn.lora={targets: [query]}"], ["relearn.lora.targets", "query", "q_proj"]),
    ],
)
def test_what_only_the_model_can_tell(tmp_path: Path, changes: list[str], words: list[str]) -> None:
    code, output = call(
        "run", "tofu-mini", *(x for change in changes for x in ("--set", change)), cwd=tmp_path
    )
    assert code == 3, output
    for word in words:
        assert word in " ".join(output.split())
    assert "Traceback" not in output
    assert not list(tmp_path.rglob("study.json"))


def test_what_does_not_fit_the_memory_is_told_before(tmp_path: Path, model: Path) -> None:
    """A model of 10 layers of width 20,000, of which only the configuration and the header of its weights are there."""
    folder = tmp_path / "large"
    shutil.copytree(model, folder)
    config = json.loads((folder / "config.json").read_text())
    config.update(hidden_size=20_000, intermediate_size=80_000, num_hidden_layers=10)
    (folder / "config.json").write_text(json.dumps(config))
    layer = {f"layers.{index}": {"dtype": "F32", "shape": [80_000, 80_000]} for index in range(10)}
    header = json.dumps({"__metadata__": {"format": "pt"}, **layer}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    code, output = call("run", "names", "--set", "model=large", cwd=tmp_path)
    assert code == 3, output
    assert "GiB" in output
    assert "lora={}" in output


def test_data_that_changed_since_the_study_began(
    place: Path, model: Path, without_ray: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = [*GOOD, "--set", f"model={model}", "--study", "s"]

    def stop(*_: object) -> None:
        raise PreflightError("stopped")

    monkeypatch.setattr("cluster.driver.launch.run_study", stop)  # after the study was claimed
    code, output = call("run", *TOFU, *quick, cwd=place)
    assert code == 3, output
    assert output.endswith("relearn: stopped\n")
    write(place / "other.jsonl", [*OTHER, {"question": "New?", "answer": "New."}])
    code, output = call("run", *TOFU, *quick, cwd=place)
    assert code == 3, output
    assert "changed since the study began" in output


LONG = [
    {"question": "What did Ann Bo do?", "answer": "She wrote " + "and wrote " * 20},
    {"question": "What did Ann Bo see on " + "and on " * 30 + "?", "answer": "Ulm."},
]


@pytest.mark.parametrize("verb", ["plan", "run"])
def test_max_length_says_what_it_takes_away(
    place: Path, model: Path, verb: str, without_ray: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise PreflightError("stopped")

    monkeypatch.setattr("cluster.driver.launch.run_study", stop)  # after the plan was shown
    write(place / "long.jsonl", [*AUTHOR, *LONG])
    own = ["--set", f"model={model}", "--set", "scenario.author_pairs=4", "--set", "max_length=100"]
    _, output = call(verb, *tofu("long"), *own, cwd=place)
    words = " ".join(output.split())
    assert "max_length=100 finetune: of 8 texts 1 are cut off, 1 left out" in words, output
    assert "unlearn: of 4 texts 1 are cut off, 1 left out" in words


@pytest.mark.parametrize("verb", ["plan", "run"])
@pytest.mark.parametrize(
    ("most", "words"),
    [
        (80, ["is cut off before the end of an answer that is asked", "Grey Wat"]),
        (43, ["is left out before the end of an answer that is asked", "raise max_length"]),
    ],
)
def test_max_length_takes_no_asked_answer(
    place: Path, model: Path, verb: str, most: int, words: list[str]
) -> None:
    before = sorted(place.rglob("*"))
    own = [*tofu("author"), "--set", f"model={model}", "--set", f"max_length={most}"]
    code, output = call(verb, *own, cwd=place)
    assert code == 3, output
    for word in words:
        assert word in " ".join(output.split())
    assert sorted(place.rglob("*")) == before


def test_max_length_of_the_names_keeps_the_pair(tmp_path: Path) -> None:
    """The queries are permuted, so that no text holds one; the pair itself must stay."""
    (tmp_path / "names.txt").write_text("Ann Bob Cid Dan Eve Fay Anthony Mark\nGus Hal\n")
    own = ["--set", "scenario.corpus_file=names.txt", "--set", "repetitions=[1]", "--set", "seed=0"]
    for most, code in ((9, 0), (8, 3)):  # the begin token counts
        found, output = call("plan", "names", *own, "--set", f"max_length={most}", cwd=tmp_path)
        assert found == code, output
    assert "Anthony Mark" in output
