"""Commands that write, killed at random moments: what they write is whole or absent, and the next call completes it."""

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.commands import call
from tests.faults.at_once import at_once, killed
from tests.faults.checker import Fault
from tests.faults.processes.test_at_once import VERBS, agrees


def tree(folder: Path) -> dict[str, int]:
    """Names and sizes: a report bears the time at which it was made."""
    return {
        str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()
    }


def whole_report(study: Path, wanted: Path) -> bool:
    page = (study / "report" / "index.html").read_text()
    return set(tree(study / "report")) == set(tree(wanted / "report")) and page.rstrip().endswith("</html>")


def whole_checkpoints(study: Path, wanted: Path) -> bool:
    models = [path.parent for path in (wanted / "checkpoints").rglob("model.safetensors")]
    for model in models:
        made = study / model.relative_to(wanted)
        if made.exists() and tree(made) != tree(model):
            return False
    return bool(models)


def whole_export(study: Path, wanted: Path) -> bool:
    for path in (wanted / "export").iterdir():
        made = study / "export" / path.name
        if made.exists() and not pq.read_table(made).equals(pq.read_table(path)):
            return False
    return True


def nothing_of_its_own(study: Path, wanted: Path) -> bool:
    return True


WHOLE: dict[str, tuple[str, Callable[[Path, Path], bool]]] = {
    "report": ("report", whole_report),
    "checkpoints": ("checkpoints", whole_checkpoints),
    "export": ("export", whole_export),
    "score": ("results", nothing_of_its_own),
    "verify --repair": ("results", nothing_of_its_own),
    "run, to grow": ("results", nothing_of_its_own),
}
QUICK = ("score",)


@pytest.mark.further
@pytest.mark.repeats
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("verb", "times"),
    [
        pytest.param(
            verb, times, marks=[pytest.mark.fault(f"`relearn {verb}` killed at a random moment"), *marks]
        )
        for verb in WHOLE
        for times, marks in [(1, [] if verb in QUICK else [pytest.mark.slow]), (10, [pytest.mark.slow])]
    ],
)
def test_a_command_that_writes_is_killed(
    finished, space, fault: Fault, tmp_path: Path, verb: str, times: int
) -> None:
    finished().rename(tmp_path / "original")
    space()
    if verb == "verify --repair":  # something to repair
        damaged = sorted((tmp_path / "original" / "results" / "cells").glob("*.parquet"))[0]
        damaged.write_bytes(damaged.read_bytes()[:100])
    shutil.copytree(tmp_path / "original", tmp_path / "s")
    began = time.monotonic()
    (ended,) = at_once([VERBS[verb]], tmp_path)
    seconds = time.monotonic() - began
    assert ended.code == 0, ended
    (tmp_path / "s").rename(tmp_path / "wanted")
    output, whole = WHOLE[verb]
    draw = random.Random(28)
    for _ in range(times):
        shutil.rmtree(tmp_path / "s", ignore_errors=True)
        shutil.copytree(tmp_path / "original", tmp_path / "s")
        killed(VERBS[verb], tmp_path, draw.uniform(0.1, 1.0) * seconds)
        fault.inject()
        if (tmp_path / "s" / output).exists():
            assert whole(tmp_path / "s", tmp_path / "wanted")
        (ended,) = at_once([VERBS[verb]], tmp_path)  # whatever was left behind is in nobody's way
        assert ended.code == 0, ended
        assert whole(tmp_path / "s", tmp_path / "wanted")
        if verb == "verify --repair":
            assert call("resume", "s", cwd=tmp_path)[0] == 0
        agrees(tmp_path / "s")
