"""The real command, called as a user calls it, and what a study's folder says afterwards."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Self
from unittest import mock

import psutil
import pyarrow as pa

import relearn
from cluster.study_folder.event_log import read_events
from study.results.files import read_dataset
from study.results.schema import COORDINATES

ROOT = Path(__file__).parents[1]
COMMAND = [str(Path(sys.executable).parent / "relearn")]
WITHOUT_RAY = [sys.executable, "-m", "tests.without_ray"]
LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
TIMES = ("train_seconds", "evaluation_seconds")


def call(*arguments: object, cwd: Path) -> tuple[int, str]:
    """Exit code and output of ``relearn`` in this process: for verbs that start no Ray, where no process is tested.

    An exception that leaves the command prints its traceback and exits with 1, as the interpreter would.
    """
    output = io.StringIO()
    words = ["relearn", *map(str, arguments)]
    with chdir(cwd), mock.patch.object(sys, "argv", words), redirect_stdout(output), redirect_stderr(output):
        try:
            relearn.main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        except Exception:
            traceback.print_exc()
            code = 1
    return code, output.getvalue()


class Call:
    """One call of ``relearn`` in a process group of its own.

    ``with_ray=False``: it computes its stages itself, for tests of the driver's process.
    """

    def __init__(
        self,
        *arguments: str,
        cwd: Path,
        environment: dict[str, str] | None = None,
        with_ray: bool = True,
    ) -> None:
        environment = environment or {}
        paths = [environment["PYTHONPATH"]] if "PYTHONPATH" in environment else []
        self.process = subprocess.Popen(
            [*(COMMAND if with_ray else WITHOUT_RAY), *arguments],
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # This checkout also where another is installed, in front of it what the test brings.
            env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join([*paths, str(ROOT)])},
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


class OneByOne:
    """A process that computes without Ray and is given one command after the other.

    For what a library reads when it is imported, and for another checkout: the imports take longer than the commands.
    """

    def __init__(self, cwd: Path, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            WITHOUT_RAY,
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __call__(self, *words: str) -> tuple[int, str]:
        """Exit code and output of ``relearn`` with these words."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        code, output = json.loads(self._process.stdout.readline())
        return code, output

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # at the end of its input it ends


def listening(call: Call) -> set[str]:
    """The addresses on which a run and all that it started listen: head, raylet, agents, workers."""
    sockets = []
    for process in (psutil.Process(call.process.pid), *call.descendants()):
        with suppress(psutil.NoSuchProcess):
            sockets += process.net_connections("inet")
    addresses = [
        each.laddr.ip
        for each in sockets
        if each.status == psutil.CONN_LISTEN or each.type == socket.SOCK_DGRAM
    ]
    assert len(addresses) >= 6, sockets
    return set(addresses)


def rows_of(folder: Path) -> dict[str, pa.Table]:
    """All rows of a study in one order, without the columns that say how long it took."""
    tables = {}
    for dataset in ("cells", "probes"):
        table = read_dataset(folder, dataset)
        table = table.drop_columns([name for name in TIMES if name in table.column_names])
        names = [*COORDINATES, "split", "metric" if dataset == "cells" else "probe"]
        tables[dataset] = table.sort_by([(name, "ascending") for name in names])
    return tables


def published(folder: Path) -> list[tuple[str, int, str]]:
    """Every artifact that any worker ever published, from the workers' own log and not the store."""
    events = read_events(folder / "log")
    return [(e["stage"], e["step"], e["what"]) for e in events if e["event"] == "published"]


def started(folder: Path, kind: str | None = None) -> list[dict[str, object]]:
    """The events of stages that began, of one kind or of all."""
    events = read_events(folder / "log")
    return [e for e in events if e["event"] == "stage started" and kind in (None, e["kind"])]


def wait_for(condition: Callable[[], object], seconds: float = 300) -> None:
    """Until a condition holds; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def wait_until_published(study: Path, count: int, seconds: float = 300) -> None:
    """Until a study's workers have published so many artifacts."""
    wait_for(lambda: len(published(study)) >= count, seconds)


def wait_until_gone(processes: Iterable[psutil.Process], seconds: float = 60) -> None:
    """Until none of these runs, Ray's own agents apart: they look for their raylet once a minute."""
    ours = [process for process in processes if "Agent" not in name_of(process)]
    wait_for(lambda: not any(alive(process) for process in ours), seconds)


@contextmanager
def ray_head(log: Path, **environment: str) -> Iterator[str]:
    """The address of a head node of our own, as ``ray start --head`` makes it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).parent / "ray"), "start", "--head", "--block", f"--port={port}"]
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--num-cpus=2", "--include-dashboard=false"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0", **environment},
        )

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_for(listens, 60)
        yield f"127.0.0.1:{port}"
        assert process.poll() is None, "the study took the cluster down"
    finally:
        process.terminate()
        process.wait(60)


def alive(process: psutil.Process) -> bool:
    """Whether a process still runs."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def name_of(process: psutil.Process) -> str:
    """Of a process; empty where it has ended."""
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""
