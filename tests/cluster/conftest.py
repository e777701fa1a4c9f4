"""Real studies through the real command, on a real local Ray."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest

from cluster.local_store import LocalStore
from cluster.recorder import Recorder
from study.results import COORDINATES, read_dataset

COMMAND = str(Path(sys.executable).parent / "relearn")
TIMES = ("train_seconds", "evaluation_seconds")


class Call:
    """One call of ``relearn`` in a process group of its own."""

    def __init__(self, *arguments: str, cwd: Path) -> None:
        self.process = subprocess.Popen(
            [COMMAND, *arguments],
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def finish(self, timeout: float = 240) -> tuple[int, str]:
        """Exit code and everything it printed."""
        try:
            output, _ = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise
        return self.process.returncode, output

    def descendants(self) -> list[psutil.Process]:
        """Every process that it started, however deep."""
        return psutil.Process(self.process.pid).children(recursive=True)


@pytest.fixture
def relearn(tmp_path: Path) -> Iterator[Callable[..., Call]]:
    """``relearn("run", …)`` in the test's own folder; whatever still runs at the end is killed."""
    started: list[Call] = []

    def start(*arguments: object) -> Call:
        started.append(Call(*map(str, arguments), cwd=tmp_path))
        return started[-1]

    yield start
    for command in started:
        if command.process.poll() is None:
            os.killpg(command.process.pid, signal.SIGKILL)
            command.process.wait()


@pytest.fixture
def space(tmp_path: Path, tiny) -> Callable[..., Path]:
    """Writes the tiny study, with changes, as a space file."""

    def write(**changes: Any) -> Path:
        path = tmp_path / "space.json"
        path.write_text(json.dumps(tiny(**changes).model_dump(mode="json")))
        return path

    return write


@pytest.fixture
def undisturbed(planned, work_through, tmp_path: Path) -> Callable[..., dict[str, pa.Table]]:
    """The rows of a study computed in this process, without Ray, without a fault."""

    def compute(**changes: Any) -> dict[str, pa.Table]:
        plan = planned(**changes)
        store = LocalStore(tmp_path / "undisturbed" / "store")
        work_through(plan, store)
        recorder = Recorder(tmp_path / "undisturbed", plan, store)
        for key in plan.stages:
            recorder.record(key)
        return rows_of(tmp_path / "undisturbed")

    return compute


def rows_of(folder: Path) -> dict[str, pa.Table]:
    """All rows of a study in one order, without the columns that say how long it took."""
    tables = {}
    for dataset in ("cells", "probes"):
        table = read_dataset(folder, dataset)
        table = table.drop_columns([name for name in TIMES if name in table.column_names])
        names = [*COORDINATES, "split", "metric" if dataset == "cells" else "probe"]
        tables[dataset] = table.sort_by([(name, "ascending") for name in names])
    return tables


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Until a condition holds; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
