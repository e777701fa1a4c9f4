"""A whole study without Ray, in a child process, with a fault at its N-th storage operation.

    python -m tests.faults.operations MODE FOLDER STEP

MODE ``crash``: the process ends before the operation. ``report``: the operation takes effect and reports an
error. Both for N = 1, 1 + STEP, … until a study comes to its end without having had that many operations;
FOLDER/N is then the study, gone on with once more where it crashed. ``outage``: the operation N = STEP and all
others fail for ten seconds. ``slow``: every one takes a second longer. Prints the N done as JSON.
"""

import builtins
import errno
import io
import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

import cluster.storage.retry
from cluster.rows.recorder import Recorder
from cluster.storage.retry import with_retries
from cluster.study_folder.event_log import EventLog
from cluster.study_folder.lease import Lease, hold
from cluster.study_folder.study_folder import StudyFolder, store_of
from search_spaces.loading import validate
from study.performing.perform import perform
from study.performing.residents import Residents
from study.performing.stage_work import missing_addresses
from study.planning.materials import read_materials
from study.planning.plan import Plan
from study.planning.planner import make_plan
from tests.conftest import TINY

NAMES = (
    "open",
    "mkdir",
    "link",
    "replace",
    "rename",
    "unlink",
    "rmdir",
    "fsync",
    "scandir",
    "listdir",
    "stat",
)
OUTAGE_SECONDS = 10
CRASHED = 9
FIELDS: dict[str, Any] = {
    **TINY,
    "depth": [1],
    "execution": {"checkpoint_every_steps": 2, "checkpoint_share": None},
}


class Disturbance:
    """Counts what is done to paths under a folder, and does its own at the N-th."""

    def __init__(self, folder: Path, mode: str, at: int) -> None:
        self._folder = str(folder)
        self._mode = mode
        self._at = at
        self._until = 0.0
        self.count = 0

    def install(self) -> None:
        for name in NAMES:
            setattr(os, name, partial(self._around, getattr(os, name)))
        io.open = partial(self._around, io.open)
        builtins.open = io.open

    def _around(self, operation: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        if not any(f"{each}/".startswith(f"{self._folder}/") for each in arguments[:2]) and not (
            arguments and isinstance(arguments[0], int) and operation.__name__ == "fsync"
        ):
            return operation(*arguments, **options)
        self.count += 1
        if self._mode == "slow":
            time.sleep(1)
        if self.count == self._at:
            if self._mode == "crash":
                os._exit(CRASHED)
            if self._mode == "report":
                operation(*arguments, **options)
                raise OSError(errno.EIO, "Input/output error, or so it says", str(arguments[0]))
            if self._mode == "outage":
                self._until = time.monotonic() + OUTAGE_SECONDS
        if time.monotonic() < self._until:
            raise OSError(errno.EHOSTDOWN, os.strerror(errno.EHOSTDOWN), str(arguments[0]))
        return operation(*arguments, **options)


def study(folder: Path, location: str = "store") -> None:
    """What the driver and its workers do, one after the other.

    Args:
        location: of the store; relative to the folder, or in a bucket.
    """
    spec = validate(FIELDS, place="the test")
    plan = make_plan(read_materials(spec), lambda model: model)
    place = StudyFolder(folder)
    facts: dict[str, Any] = {"models": {}, "inputs": {}, "store": location}
    failed = lambda error, pause: None  # noqa: E731
    again = partial(with_retries, failed=failed)
    with hold(folder) as lease:
        again(lambda: place.claim(lease, spec, plan, **facts, space="tiny", overrides=[], command=["test"]))
        work(lease, plan)


def work(lease: Lease, plan: Plan) -> None:
    """The stages that are missing."""
    folder, again = lease.folder, partial(with_retries, failed=lambda error, pause: None)
    store = store_of(folder)
    again(store.prepare)
    log = again(lambda: EventLog(folder / "log"))
    recorder = again(lambda: Recorder(lease, plan, store))
    residents = Residents()
    for key, stage in plan.stages.items():
        again(partial(recorder.record, key))
        if not again(partial(missing_addresses, stage, store)):
            continue  # as the driver leaves it alone
        tell = partial(log.write, stage=key)
        tell("stage started", kind=stage.kind)
        again(partial(perform, stage, store, residents, plan.spec.execution, tell))
        again(partial(recorder.record, key))
    log.write("run ended")


def in_a_child(action: Callable[[], None]) -> int:
    """Its exit code."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            action()
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def disturbed(folder: Path, mode: str, at: int, counted: Path) -> None:
    """A study with a disturbance; leaves the number of operations behind where it comes to its end."""
    disturbance = Disturbance(folder, mode, at)
    disturbance.install()
    study(folder)
    counted.write_text(str(disturbance.count))


def main() -> None:
    mode, folder, step = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    if mode in ("crash", "report"):
        cluster.storage.retry.PAUSES = (0.0,) * len(cluster.storage.retry.PAUSES)
    done: list[int] = []
    at = step if mode == "outage" else 1
    while True:
        place, counted = folder / str(at), folder / f"{at}.count"
        code = in_a_child(partial(disturbed, place, mode, at, counted))
        if code == CRASHED:
            code = in_a_child(partial(study, place))
        if code != 0:
            sys.exit(f"operation {at}: the study ended with {code}")
        done.append(at)
        if mode in ("outage", "slow") or (counted.exists() and int(counted.read_text()) < at):
            break
        at += step
    print(json.dumps(done))


if __name__ == "__main__":
    main()
