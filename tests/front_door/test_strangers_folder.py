"""A study's folder from a stranger: no verb runs its code, follows its links, prints its escapes, writes formulas."""

import csv
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from study.artifacts.atomic_write import write_json
from study.results.files import dataset_files, read_file, write_table
from study.results.schema import PROBES
from tests.commands import Call, call

VERBS = [
    ["status", "s"],
    ["status", "s", "--json"],
    ["logs", "s"],
    ["logs", "s", "--json"],
    ["plan", "space.json", "--study", "s"],
    ["export", "s", "--format", "csv"],
    ["export", "s", "--format", "parquet"],
    ["export", "s", "--format", "netcdf"],
    ["report", "s"],
    ["compare", "s", "copy"],
    ["compare", "s", "copy", "--json"],
    ["checkpoints", "s"],
    ["stop", "s"],
    ["cancel", "s"],
    ["score", "s", "--metric", "exact"],
    ["score", "s", "--metric", "judge"],
    ["verify", "s"],
    ["verify", "s", "--json"],
    ["verify", "s", "--repair"],
    ["resume", "s"],
]
ESCAPE = "\x1b]0;taken\x07\x1b[2J\x9b31m\u202e"
CODE = "open({sign!r}, 'w').close()"


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def is_clean(output: str) -> bool:
    return all(character in "\n\t" or character.isprintable() or character == " " for character in output)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """What a link of the stranger's leads to."""
    folder = tmp_path / "outside"
    home = folder / ("ab" * 16) / "1" / "state"
    home.mkdir(parents=True)
    (home / "record.json").write_text("{}")
    (folder / "thesis.tex").write_text("precious")
    return folder


@pytest.fixture
def stranger(finished: Callable[..., Path], space: Callable[..., Path], tmp_path: Path) -> Path:
    """A whole study with everything in it that a text or a name can do."""
    folder, sign = finished(), str(tmp_path / "executed")
    space()
    content = json.loads((folder / "study.json").read_text())
    content["space"] = "os:getcwd"
    content["overrides"] = [f"{ESCAPE}x=!!python/object/apply:os.system ['touch {sign}']"]
    content["spec"]["question"] = f"=HYPERLINK('x') {ESCAPE}"
    content["provenance"]["command"] = ESCAPE
    write_json(folder / "study.json", content, checksum=True)
    for name in ("sitecustomize.py", "study.py", "os.py", "relearn.py", "usercustomize.py"):
        (folder / name).write_text(CODE.format(sign=sign))
    (folder / "failures").mkdir()
    facts = {"stage": ESCAPE, "label": ESCAPE, "cause": ESCAPE, "message": ESCAPE, "remedy": ESCAPE}
    (folder / "failures" / "x.json").write_text(json.dumps(facts))
    (folder / "log").mkdir(exist_ok=True)
    event = {"time": "2026", "event": ESCAPE, "node": ESCAPE, "stage": ESCAPE, ESCAPE: ESCAPE}
    (folder / "log" / "x.jsonl").write_text(json.dumps(event, ensure_ascii=False) + "\n")
    (folder / "results" / "cells" / f"{ESCAPE}.txt").write_text("x")
    for path in dataset_files(folder, "probes"):
        rows = read_file(path, "probes").to_pylist()
        rows = [{**row, "completion": "=cmd|' /C calc'!A0", "prompt": f"@{ESCAPE}"} for row in rows]
        write_table(pa.Table.from_pylist(rows, PROBES), path)
    shutil.copytree(folder, tmp_path / "copy")
    return folder


def test_no_verb_runs_prints_or_writes_what_a_stranger_wants(
    stranger: Path, outside: Path, tmp_path: Path, without_ray: None
) -> None:
    before = contents(outside)
    for verb in VERBS:
        code, output = call(*verb, cwd=tmp_path)
        assert code in (0, 2, 5), (verb, output)
        assert is_clean(output), (verb, output)
        assert "Traceback" not in output, (verb, output)
        if verb[:4] == ["export", "s", "--format", "csv"]:
            with (stranger / "export" / "probes.csv").open(newline="") as handle:
                fields = [field for row in csv.reader(handle) for field in row]
            assert "'=cmd|' /C calc'!A0" in fields
            assert not any(field.startswith(("=", "@", "+")) for field in fields)
        assert not (tmp_path / "executed").exists(), verb
    assert contents(outside) == before
    code, output = Call("status", ".", cwd=stranger).finish()  # from within the folder, where its modules lie
    assert "Traceback" not in output
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "place",
    [
        "results/cells/x.parquet",
        "results",
        "log",
        "failures/x.json",
        "export",
        "checkpoints",
        "quarantine",
        ".driver",
    ],
)
def test_a_link_that_leads_out_of_a_study_is_refused(
    stranger: Path, outside: Path, tmp_path: Path, place: str, without_ray: None
) -> None:
    link = stranger / place
    if link.is_dir():
        shutil.rmtree(link)
    link.unlink(missing_ok=True)
    link.symlink_to(outside)
    before = contents(outside)
    for verb in VERBS:
        code, output = call(*verb, cwd=tmp_path)
        assert (code, "leads out of the study" in output) == (2, True), (verb, output)
    assert contents(outside) == before
    assert link.is_symlink()


@pytest.mark.parametrize("place", ["results/cells/x.parquet", "log/x.jsonl", "study.json"])
def test_a_pipe_in_a_study_is_refused(
    finished: Callable[..., Path], space: Callable[..., Path], tmp_path: Path, place: str, without_ray: None
) -> None:
    """Nobody writes into it: who reads it would wait for ever."""
    folder = finished()
    space()
    shutil.copytree(folder, tmp_path / "copy")
    (folder / place).unlink(missing_ok=True)
    (folder / place).parent.mkdir(exist_ok=True)
    os.mkfifo(folder / place)
    for verb in VERBS:
        code, output = call(*verb, cwd=tmp_path)
        assert (code, "neither a file nor a folder" in output) == (2, True), (verb, output)


@pytest.mark.parametrize(
    "depth", [0, 4, *(pytest.param(depth, marks=pytest.mark.slow) for depth in (1, 2, 3))]
)
def test_what_a_link_in_a_store_leads_to_is_left_alone(
    finished: Callable[..., Path], outside: Path, tmp_path: Path, depth: int, without_ray: None
) -> None:
    """The folder of artifacts, the beginning of a key, a key, a step, an artifact: each as a link."""
    folder = finished()
    link = sorted((folder / "store").glob("/".join(["artifacts", *["*"] * depth])))[0]
    aside = outside / "taken"
    link.rename(aside)
    link.symlink_to(aside)
    before = contents(outside)
    code, output = call("verify", "s", cwd=tmp_path)
    assert (code, link.name in output) == (5, True), output
    code, output = call("verify", "s", "--repair", cwd=tmp_path)
    assert code == 0, output
    assert not link.is_symlink()
    code, output = call("resume", "s", cwd=tmp_path)
    assert code == 0, output
    assert contents(outside) == before
    code, output = call("verify", "s", cwd=tmp_path)
    assert code == 0, output
