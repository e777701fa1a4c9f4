"""Commands started at the same moment, each in a process of its own, without Ray and without its start-up time.

The processes are forked from a server that has imported what commands import, so that twenty pairs take seconds. Where
gcc is, it has the library preloaded that refuses system calls (``refusing.py``).
"""

import multiprocessing
import os
import time
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.commands import call
from tests.faults.refusing import library
from tests.without_ray import take_ray_out

IMPORTED = (
    "tests.faults.at_once",
    "analysis.report",
    "analysis.export.files",
    "cluster.driver.launch",
    "cluster.driver.run",
    "cluster.driver.preflight.checks",
    "cluster.ray_tune.ready_stages",
    "cluster.rows.rescore",
    "cluster.verification.verify",
    "study.performing.perform",
    "study.models.model_folders",
    "study.training.loop",
    "transformers.models.llama.modeling_llama",
    "rouge_score.rouge_scorer",
    "matplotlib.backends.backend_svg",
)
CONTEXT: ForkServerContext = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(list(IMPORTED))


class Ended(NamedTuple):
    """How a command ended."""

    words: tuple[str, ...]
    code: int
    output: str


def at_once(
    commands: Sequence[Sequence[object]],
    cwd: Path,
    delays: Sequence[float] | None = None,
    environment: Mapping[str, str] | None = None,
) -> list[Ended]:
    """Starts all commands at one moment, or so many seconds after it, and waits for all.

    Args:
        environment: added to theirs, for what is read while a command runs.
    """
    _start_server()
    barrier = CONTEXT.Barrier(len(commands))
    started = []
    for words, delay in zip(commands, delays or [0.0] * len(commands), strict=True):
        ours, theirs = CONTEXT.Pipe(duplex=False)
        process = CONTEXT.Process(
            target=_command, args=([*map(str, words)], cwd, delay, barrier, theirs, environment)
        )
        process.start()
        theirs.close()
        started.append((process, ours))
    ended = []
    for words, (process, ours) in zip(commands, started, strict=True):
        assert ours.poll(300), f"{words} does not end"
        ended.append(Ended(tuple(map(str, words)), *ours.recv()))
        ours.close()
        process.join()
        process.close()
    return ended


def killed(words: Sequence[object], cwd: Path, after: float) -> int:
    """Starts a command and kills it so many seconds later; its exit code, where it came to its end before."""
    _start_server()
    barrier = CONTEXT.Barrier(2)
    ours, theirs = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_command, args=([*map(str, words)], cwd, 0.0, barrier, theirs, None))
    process.start()
    theirs.close()
    barrier.wait()
    process.join(after)
    process.kill()
    process.join()
    code = process.exitcode
    process.close()
    ours.close()
    return code or 0


@cache
def _start_server() -> None:
    """By a first process that does nothing: the server keeps the environment of that moment.

    Python has one such server a process, and another test may have started it without the library: that one is ended.
    """
    forkserver._forkserver._stop()  # type: ignore[attr-defined]  # Python's own tests end it so
    with pytest.MonkeyPatch.context() as patch:
        if (built := library()) is not None:
            patch.setenv("LD_PRELOAD", str(built))
        first = CONTEXT.Process(target=int)
        first.start()
        first.join()


def _command(
    words: list[str],
    cwd: Path,
    delay: float,
    barrier: Barrier,
    answer: Connection,
    environment: Mapping[str, str] | None,
) -> None:
    import torch

    os.environ.update(environment or {})
    torch.set_num_threads(1)
    take_ray_out(pytest.MonkeyPatch())
    barrier.wait()
    time.sleep(delay)
    answer.send(call(*words, cwd=cwd))
