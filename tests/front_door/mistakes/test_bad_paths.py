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


@pytest.mark.parametrize(
    "line",
    [
        "report studies/mine --to studies/mine/results",
        "export studies/mine --to studies/mine/results/cells",
        "export studies/mine --to studies/store",
        "checkpoints studies/mine --to studies/store/artifacts/x",
        "checkpoints studies/mine --to linked",
        "serve studies/mine --state studies/mine/log",
        "run names --study studies/mine/results/new",
    ],
)
def test_nothing_is_put_among_rows_or_artifacts(tmp_path: Path, line: str) -> None:
    """`relearn verify` would call it a damage, or it would be lost with them."""
    (tmp_path / "studies" / "mine" / "results" / "cells").mkdir(parents=True)
    (tmp_path / "studies" / "mine" / "study.json").write_text("{}")
    (tmp_path / "studies" / "store" / "artifacts" / "0a").mkdir(parents=True)
    (tmp_path / "linked").symlink_to("studies/store")
    before = sorted(tmp_path.rglob("*"))
    words = shlex.split(line)
    code, output = call(*words, cwd=tmp_path)
    assert code == 2, output
    assert f"{words[-1]} is for the files of the st" in output
    assert f"alone: name another folder with {words[-2]}" in output
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("verb", ["status", "report", "resume"])
def test_a_folder_within_a_study(tmp_path: Path, verb: str) -> None:
    (tmp_path / "mine" / "results").mkdir(parents=True)
    (tmp_path / "mine" / "study.json").write_text("{}")
    code, output = call(verb, "mine/results", cwd=tmp_path)
    assert code == 2, output
    assert "it lies within one: name mine" in output


def test_the_version(tmp_path: Path) -> None:
    code, output = call("--version", cwd=tmp_path)
    assert code == 0
    assert output.startswith("relearn 0.")
