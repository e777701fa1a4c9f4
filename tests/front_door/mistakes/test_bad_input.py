"""Every mistake a user can make: its exit code, a message that names the place and the remedy, no traceback.

Nothing may have been started: no study folder is left behind by a refused command.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from study.errors import PreflightError
from tests.commands import call
from tests.front_door.mistakes.wrong_inputs import WRONG


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "latin.txt").write_bytes("Zoë Anthony Mark".encode("latin-1"))
    (tmp_path / "folder.yaml").mkdir()
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


@pytest.mark.parametrize(("line", "code", "words"), WRONG, ids=[" ".join(line)[:60] for line, _, _ in WRONG])
def test_wrong_inputs(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    line: list[str],
    code: int,
    words: list[str],
) -> None:
    """What is not refused computes nothing, and fails here."""

    def stop(*_: object) -> None:
        raise PreflightError("not refused")

    monkeypatch.setattr("cluster.driver.launch.run_study", stop)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    before = sorted(place.iterdir())
    found, output = call(*line, cwd=place)
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


@pytest.mark.parametrize("verb", ["status", "report"])
@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("frist", "did you mean 'studies/first'?"),
        ("studies/frist", "did you mean 'studies/first'?"),
        ("studies", "name one, as studies/first (2 in all)"),
        ("studies/first/study.json", "name its folder: studies/first"),
    ],
)
def test_the_study_that_was_meant_is_named(tmp_path: Path, verb: str, given: str, meant: str) -> None:
    for name in ("first", "other"):
        (tmp_path / "studies" / name).mkdir(parents=True)
        (tmp_path / "studies" / name / "study.json").write_text("{}")
    code, output = call(verb, given, cwd=tmp_path)
    assert code == 2, output
    assert meant in output


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
    assert code == 2, output
    assert "file is a file" in output
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
