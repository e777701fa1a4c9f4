"""Every mistake a user can make: its exit code, a message that names the place and the remedy, no traceback.

Nothing may have been started: no study folder is left behind by a refused command.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.commands import call

WRONG = [
    (["--set", "dpeth=[8]"], 2, ["dpeth", "did you mean 'depth'"]),
    (["--set", "relearn.lerning_rate=1"], 2, ["relearn.lerning_rate", "did you mean 'learning_rate'"]),
    (["--set", "scenario.frist=Bob"], 2, ["scenario.frist", "no such key"]),
    (["--set", "relarn.batch_size=2"], 2, ["relarn", "did you mean 'relearn'"]),
    (["--set", "depth=[]"], 2, ["depth", "at least one value"]),
    (["--set", "relearn_steps=[0,-5]"], 2, ["relearn_steps.1", "greater than or equal to 0"]),
    (["--set", "relearn_steps=[0,5,5]"], 2, ["relearn_steps", "5 stands more than once"]),
    (["--set", "depth=[0,8]"], 2, ["depth.0", "greater than 0"]),
    (["--set", "depth=[eight]"], 2, ["depth.0", "'eight'"]),
    (["--set", "start=[unlearnt]"], 2, ["start.0", "unlearned"]),
    (["--set", "method=gradient_accent"], 2, ["method", "did you mean 'gradient_ascent'"]),
    (["--set", "scenario=nmaes"], 2, ["scenario", "did you mean 'names'"]),
    (["--set", "corpus=[prefx]"], 2, ["corpus=prefx", "did you mean 'prefix'"]),
    (["--set", "repetitions=[7,17]"], 2, ["repetitions=17", "choose from 0 to 16"]),
    (["--set", "scenario.corpus_file=gone.txt"], 3, ["gone.txt", "no such file"]),
    (["--set", "scenario.corpus_file=empty.txt"], 2, ["empty.txt", "is empty"]),
    (["--set", "scenario.corpus_file=latin.txt"], 2, ["latin.txt", "not UTF-8"]),
    (["--set", "model=gone/"], 3, ["gone/", "neither a folder"]),
    (["--set", "model=./gone"], 3, ["./gone", "no such folder"]),
    (["--set", "model=bare"], 3, ["bare", "no weights"]),
    (["--set", "model=pickled"], 3, ["pickled", "only as pickles", "convert"]),
    (["--set", "model=mute"], 3, ["mute", "no tokenizer"]),
    (["--set", "model=sees"], 3, ["sees", "'vit' does not continue texts"]),
    (["--set", "embedded.architecture.context=16"], 3, ["context is 16", "embedded.architecture.context"]),
    (["--set", "method={name: rmu, layer: 5}"], 3, ["method rmu", "layer 5", "has 4"]),
    (["--set", "execution.time_limit=9"], 2, ["time_limit is now called time_limit_seconds", "give", "=9"]),
    (["--search", "fronteir"], 2, ["search.question", "'frontier' or 'cheapest'"]),
    (
        ["--search", "frontier", "--budget", "trajectories=0"],
        2,
        ["search.budget.trajectories", "greater than 0"],
    ),
    (["--search", "frontier", "--budget", "hours=-1"], 2, ["search.budget.hours", "greater than 0"]),
    (["--search", "frontier", "--budget", "euros=3"], 2, ["search.budget.euros", "no such key"]),
    (["--search", "frontier", "--budget", "40"], 2, ["--budget 40", "trajectories=40"]),
    (["--search", "frontier", "--tolerance", "0"], 2, ["search.tolerance", "greater than 0"]),
    (["--budget", "trajectories=9"], 2, ["--budget", "add --search"]),
    (
        ["--search", "cheapest", "--set", "search.metric=rouge_l"],
        2,
        ["search.metric=rouge_l", "keyword_hit, keyword_anywhere"],
    ),
    (["--search", "frontier", "--set", "depth=[8]"], 2, ["at least two in `depth`"]),
    (["--search", "frontier", "--set", "start=[original]"], 2, ["put unlearned into `start`"]),
    (
        ["--set", "vary.learning_rate={low: 1e-5, high: 1e-3}"],
        2,
        ["vary.learning_rate", "a grid cannot hold"],
    ),
    (
        ["--search", "frontier", "--set", "vary.rank={low: 2, high: 8}"],
        2,
        ["vary.rank is a range", "list the values"],
    ),
    (["--search", "cheapest", "--set", "vary.rank={low: 8, high: 2}"], 2, ["vary.rank", "low below high"]),
    (["--search", "cheapest", "--set", "vary.fraction=[0.5, 2]"], 2, ["vary.fraction", "at most 1"]),
    (["--set", "seed=99999999999999999999"], 2, ["seed.0", "less than"]),
    (["--set", "depth=3000000000"], 2, ["depth.0", "less than"]),
    (["--set", "seed=0x_"], 2, ["seed.0", "valid integer"]),
    (["--set", "relearn_steps=[0,1:30]"], 2, ["relearn_steps.1", "valid integer"]),
    (["--set", f"seed={'9' * 5000}"], 2, ["--set seed=9", "no YAML"]),
    (["--set", f"seed={'[' * 3000}1{']' * 3000}"], 2, ["--set seed=[[", "nested too deeply"]),
    (["--set", "unlearn.learning_rate=!!timestamp foo"], 2, ["unlearn.learning_rate", "'foo'"]),
    (["--set", "seed=!!bool foo"], 2, ["--set seed=!!bool foo", "its tag"]),
    (
        ["--set", "scenario.template={{question}}"],
        2,
        ["scenario.template", "a key is a list or a mapping", "quotes"],
    ),
    (["--set", "execution.of_kind.relearn.gpu=1"], 2, ["of_kind.relearn.gpu", "no such key", "gpus"]),
    (["--set", "execution.of_kind.relern.gpus=1"], 2, ["execution.of_kind.relern", "relearn"]),
    (
        ["--set", "scenario={name: tofu, corpus_files: {direct: a.txt}}"],
        2,
        ["'direct' is the name of another corpus"],
    ),
    (["--set", "scenario={name: whp-keyword, keywords: [Ann, 🎈]}"], 2, ["'🎈', which holds no word"]),
    (["--set", "scenario={name: whp-keyword, anchors: {'': x}}"], 2, ["terms to replace", "holds no word"]),
    (["--set", "scenario={name: tofu, titles: ['…']}"], 2, ["'…', which holds no word"]),
    (["--set", "nonsense"], 2, ["--set nonsense", "key=value"]),
    (["--store", "s4://bucket/x"], 2, ["s4://bucket/x", "expected a folder, s3://"]),
    (["--store", "s3://"], 2, ["s3://", "not empty"]),
    (["--store", "s3://bucket/../x"], 2, ["s3://bucket/../x", "not empty"]),
    (["--store", "s3://bucket/a*"], 2, ["s3://bucket/a*", "none of"]),
    (["--store", "gs:///x"], 2, ["gs:///x", "not empty"]),
    (["--store", "http://host/x"], 2, ["http://host/x", "az://CONTAINER/FOLDER"]),
    (["--study", "s3://bucket/x"], 2, ["s3://bucket/x is no folder", "--store s3://bucket/x"]),
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "latin.txt").write_bytes("Zoë Anthony Mark".encode("latin-1"))
    for name in ("bare", "pickled", "mute"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    (tmp_path / "mute" / "model.safetensors").write_bytes(b"")
    (tmp_path / "sees").mkdir()
    (tmp_path / "sees" / "config.json").write_text('{"model_type": "vit"}')
    (tmp_path / "sees" / "model.safetensors").write_bytes(b"")
    (tmp_path / "sees" / "tokenizer.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize(("arguments", "code", "words"), WRONG, ids=lambda value: str(value)[:50])
def test_wrong_specs(place: Path, arguments: list[str], code: int, words: list[str]) -> None:
    before = sorted(place.iterdir())
    found, output = call("run", "names", *arguments, cwd=place)
    assert found == code, output
    for word in words:
        assert word in output
    assert "Traceback" not in output
    assert sorted(place.iterdir()) == before


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ("nmaes", ["'nmaes'", "did you mean 'names'"]),
        ("gone.yaml", ["gone.yaml", "no such file"]),
        ("broken.yaml", ["broken.yaml", "cannot be read"]),
        ("list.json", ["list.json", "expected a mapping"]),
        ("short.json", ["scenario", "missing"]),
        ("nowhere:names", ["nowhere:names", "importable"]),
        (":names", [":names", "importable"]),
        (".:names", [".:names", "importable"]),
        ("deep.yaml", ["deep.yaml", "nested too deeply"]),
        ("deep.json", ["deep.json", "nested too deeply"]),
        ("twice.json", ["twice.json", "stands twice"]),
        ("json:loads", ["TypeError", "without arguments"]),
        ("broken_space:names", ["broken_space:names", "ZeroDivisionError"]),
    ],
)
def test_wrong_spaces(tmp_path: Path, space: str, words: list[str]) -> None:
    (tmp_path / "broken.yaml").write_text("a: [")
    (tmp_path / "list.json").write_text("[1]")
    for name in ("deep.yaml", "deep.json"):
        (tmp_path / name).write_text("[" * 100_000 + "]" * 100_000)
    (tmp_path / "twice.json").write_text('{"checkpoints": {"at": {"1": "a", "01": "b"}}}')
    (tmp_path / "broken_space.py").write_text("1 / 0\n")
    (tmp_path / "short.json").write_text('{"name": "x"}')
    code, output = call("plan", space, cwd=tmp_path)
    assert code == 2, output
    for word in words:
        assert word in output
    assert "Traceback" not in output


def test_a_function_is_a_space(tmp_path: Path) -> None:
    code, output = call("plan", "search_spaces.experiments.names:names", "--json", cwd=tmp_path)
    assert code == 0, output
    assert json.loads(output)["cells"] > 300


@pytest.mark.parametrize("verb", ["status", "resume", "report", "export"])
@pytest.mark.parametrize("what", ["gone", "other", "file"])
def test_a_folder_that_is_no_study(tmp_path: Path, verb: str, what: str) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("precious")
    (tmp_path / "file").write_text("precious")
    code, output = call(verb, what, cwd=tmp_path)
    assert code == 2, output
    assert "is no study" in output
    assert "Traceback" not in output


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("precious")
    code, output = call("run", "names", "--study", "other", cwd=tmp_path)
    assert code == 2, output
    assert "not empty (thesis.tex)" in output
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["thesis.tex"]


def test_a_study_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    code, output = call("run", "names", "--study", "file/s", cwd=tmp_path)
    assert code == 3, output
    assert "cannot be written" in output
    assert "--study" in output
    assert "Traceback" not in output


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can mount a disk")
def test_a_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", disk], check=False).returncode:
        pytest.skip("cannot mount a small disk here")
    try:
        code, output = call("run", "names", "--study", disk / "s", cwd=tmp_path)
        assert code == 3, output
        assert "no space left" in output.lower()
        assert "Traceback" not in output
        assert not list(disk.rglob("record.json"))
    finally:
        subprocess.run(["umount", disk], check=True)


def test_an_export_format_that_is_none(tmp_path: Path) -> None:
    code, output = call("export", "gone", "--format", "xlsx", cwd=tmp_path)
    assert code == 2
    assert "expected one of csv, parquet" in output
