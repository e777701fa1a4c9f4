"""Ends the worker's process when a stage takes longer, or more memory, than the spec allows.

A stage that hangs does not react to a request, and one that takes all memory of the node ends others with it. The
process is ended from within: its children first, then itself, with the failure left in ``Attempts``.
"""

import contextlib
import faulthandler
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import psutil

from cluster.background_thread import background
from cluster.study_folder.failures import Cause, Failure
from cluster.worker.attempts import Attempts
from study.settings.execution import Execution

LOOK_EVERY_SECONDS = 0.2
GRACE_SECONDS = 10.0
"""After the limit, for the thread to act; then the interpreter's own timer ends a process that never lets
another thread run."""


@contextlib.contextmanager
def watched(stage: str, execution: Execution, attempts: Attempts, traces: Path) -> Iterator[None]:
    """Watches the process while the block runs.

    Args:
        traces: a file for the stack of a process that the interpreter's own timer had to end.
    """
    if execution.time_limit_seconds is None and execution.memory_limit_gb is None:
        yield
        return
    with contextlib.ExitStack() as stack:
        if execution.time_limit_seconds is not None:
            handle = stack.enter_context(traces.open("a", encoding="utf-8"))
            faulthandler.dump_traceback_later(
                execution.time_limit_seconds + GRACE_SECONDS, exit=True, file=handle
            )
            stack.callback(faulthandler.cancel_dump_traceback_later)
        stack.enter_context(background(lambda over: _look(stage, execution, attempts, over)))
        yield


def _look(stage: str, execution: Execution, attempts: Attempts, over: threading.Event) -> None:
    began = time.monotonic()
    process = psutil.Process()
    while not over.wait(LOOK_EVERY_SECONDS):
        seconds = time.monotonic() - began
        if execution.time_limit_seconds is not None and seconds > execution.time_limit_seconds:
            limit = f"execution.time_limit_seconds={execution.time_limit_seconds:g}"
            _end(stage, attempts, Failure(Cause.TIME, f"took longer than {limit}"))
        resident = _resident_bytes(process)
        if execution.memory_limit_gb is not None and resident > execution.memory_limit_gb * 1e9:
            limit = f"execution.memory_limit_gb={execution.memory_limit_gb:g}"
            _end(stage, attempts, Failure(Cause.MEMORY, f"took {resident / 1e9:.2f} GB, more than {limit}"))


def _resident_bytes(process: psutil.Process) -> int:
    """Of it and of those that train together with it."""
    total = 0
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += int(each.memory_info().rss)
    return total


def _end(stage: str, attempts: Attempts, failure: Failure) -> None:
    attempts.give_up(stage, failure)
    end_process()


def end_process() -> NoReturn:
    """Ends the worker: its children first, and without a word to anybody."""
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    os._exit(1)
