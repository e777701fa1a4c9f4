"""Every verb on paths that are missing, no folder, loops, too long or oddly spelled: words and an exit code."""

import itertools
import os
import shlex
from pathlib import Path

import pytest

from tests.commands import call

FOLDERS = [
    "missing",
    "file",
    "file/below",
    "empty",
    "loop",
    "dangling",
    "pipe",
    "x" * 300,
    "/dev/null",
    'it\'s "x"',
]
ON_A_STUDY = [
    ["resume"],
    ["status"],
    ["stop"],
    ["cancel"],
    ["verify"],
    ["verify", "--repair"],
    ["logs"],
    ["score", "--metric", "rouge_l"],
    ["report"],
    ["compare", "missing"],
    ["export"],
    ["export", "--format", "netcdf"],
    ["checkpoints"],
]
WRONG = [*itertools.product(ON_A_STUDY, FOLDERS), *itertools.product([["plan"], ["run"]], FOLDERS)]


@pytest.fixture
def odd_paths(tmp_path: Path) -> Path:
    """A folder with one of each kind."""
    (tmp_path / "file").write_text("a thesis")
    (tmp_path / "empty").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


@pytest.mark.parametrize(("verb", "path"), WRONG, ids=lambda value: str(value)[:30])
def test_a_path_that_is_no_study(odd_paths: Path, verb: list[str], path: str) -> None:
    before = sorted(odd_paths.rglob("*"))
    code, output = call(*verb, path, cwd=odd_paths)
    assert code in (2, 3), output
    assert "Traceback" not in output
    assert "relearn: " in output
    assert sorted(odd_paths.rglob("*")) == before


def test_a_hint_can_be_pasted(tmp_path: Path) -> None:
    code, output = call("status", 'it\'s "x"', cwd=tmp_path)
    assert code == 2
    assert shlex.split(output.split("`")[1]) == ["relearn", "run", "names", "--study", 'it\'s "x"']


def test_a_study_may_be_called_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "studies" / "mine").mkdir(parents=True)
    (tmp_path / "studies" / "mine" / "study.json").write_text("{")
    code, output = call("status", "mine", cwd=tmp_path)
    assert code == 2
    assert "studies/mine/study.json cannot be read" in output


def test_the_version(tmp_path: Path) -> None:
    code, output = call("--version", cwd=tmp_path)
    assert code == 0
    assert output.startswith("relearn 0.")
