"""Runs what a study lacks: plan − what is published, as one Ray Tune run over the frontier.

Tune schedules, the store is the truth. ``Tuner.restore`` is never used (docs/DECISIONS.md says why): Tune's
own folder is temporary, and a study goes on by making a new frontier from the store.
"""

import os
import shutil
import signal
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from rich.console import Console

from cluster.events import EventLog
from cluster.guard import guard
from cluster.local_store import LocalStore
from cluster.progress import LiveProgress, Tally, duration
from cluster.ray_session import prepare_environment, ray_session, slots
from cluster.recorder import Recorder
from cluster.study_folder import StudyFolder
from study.cost import Meter, remaining_seconds, wanted
from study.plan import Plan


@dataclass(frozen=True)
class Outcome:
    """How a run ended. Stage counts add up to the plan's."""

    stages: int
    stages_done: int
    stages_run: int
    stages_failed: int
    stages_unreachable: int
    cells: int
    cells_recorded: int
    train_steps: int
    evaluations: int
    wall_seconds: float
    interrupted: bool

    @property
    def exit_code(self) -> int:
        """0 all cells accepted, 1 some failed, 130 interrupted."""
        if self.interrupted:
            return 130
        return 0 if self.cells_recorded == self.cells else 1


def run_study(
    folder: StudyFolder, plan: Plan, store: LocalStore, address: str | None, console: Console
) -> Outcome:
    """Computes every stage of the plan that the store lacks, and writes the rows.

    Raises:
        StudyHeldError: another driver runs this study.
        PreflightError: no cluster, or one without the resources.
    """
    with guard(folder.folder):
        began = time.monotonic()
        outcome = _Run(folder, plan, store, console).go(address)
        folder.add_provenance(_provenance(folder, outcome, time.monotonic() - began))
        return outcome


class _Run:
    def __init__(self, folder: StudyFolder, plan: Plan, store: LocalStore, console: Console) -> None:
        self._folder = folder
        self._plan = plan
        self._store = store
        self._console = console
        self._log = EventLog(folder.folder / "log")
        self._began = time.monotonic()
        self._recorder = Recorder(folder.folder, plan, store)
        published = set(store.addresses())
        self._missing = {
            key: missing
            for key, stage in plan.stages.items()
            if (missing := [address for address in wanted(stage) if address not in published])
        }
        self._done = [key for key in plan.stages if key not in self._missing]
        for key in plan.stages:  # also what a stage published before it was cut off
            self._recorder.record(key)
        self._slots = 1
        self._meter = Meter()
        self._tally = Tally(
            len(self._missing), len(plan.cells), self._seconds_left, self._recorder.cells_recorded
        )
        self._train_steps = 0
        self._evaluations = 0
        self._causes: dict[str, str] = {}
        self._interrupted = False

    def go(self, address: str | None) -> Outcome:
        prepare_environment(address)  # before the import of Ray that comes with the frontier
        from cluster.frontier import Frontier

        frontier = Frontier(self._plan, self._done, self._finished)
        self._log.write("run started", stages=self._tally.stages, cells=self._tally.cells)
        if self._tally.stages:
            # Twice: Ctrl-C already means something while Ray starts, and Ray then puts its own SIGTERM in.
            try:
                with self._signals(frontier), ray_session(address), self._signals(frontier):
                    self._slots = slots(self._plan.spec.execution)
                    with LiveProgress(self._tally, self._console):
                        self._fit(frontier)
            except KeyboardInterrupt:  # the second one, wherever it struck
                self._interrupted = True
        if frontier.broken_by is not None:
            raise frontier.broken_by
        if frontier.remaining:
            self._interrupted = True
        outcome = Outcome(
            stages=len(self._plan.stages),
            stages_done=len(frontier.done),
            stages_run=len(frontier.done) - len(self._done),
            stages_failed=len(frontier.failed),
            stages_unreachable=len(frontier.unreachable),
            cells=len(self._plan.cells),
            cells_recorded=self._recorder.cells_recorded,
            train_steps=self._train_steps,
            evaluations=self._evaluations,
            wall_seconds=time.monotonic() - self._began,
            interrupted=self._interrupted,
        )
        self._log.write("run ended", exit_code=outcome.exit_code, seconds=outcome.wall_seconds)
        return outcome

    def _fit(self, frontier: Any) -> None:
        from ray import tune

        from cluster.actor import StageActor
        from cluster.losses import LossRecorder

        execution = self._plan.spec.execution
        os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(self._slots)
        trainable = tune.with_resources(
            tune.with_parameters(
                StageActor,
                plan=self._plan,
                store_folder=str(self._store.folder.resolve()),
                log_folder=str((self._folder.folder / "log").resolve()),
            ),
            {"cpu": execution.cpus, "gpu": execution.gpus},
        )
        scratch = self._folder.folder.resolve() / ".tune" / uuid.uuid4().hex
        try:
            tune.Tuner(
                trainable,
                tune_config=tune.TuneConfig(search_alg=frontier, num_samples=-1, reuse_actors=True),
                run_config=tune.RunConfig(
                    name="run",
                    storage_path=str(scratch),
                    verbose=0,
                    callbacks=[LossRecorder(self._causes)],
                    failure_config=tune.FailureConfig(max_failures=execution.retries),
                ),
            ).fit()
        finally:
            shutil.rmtree(scratch.parent, ignore_errors=True)

    def _finished(self, key: str, result: Mapping[str, Any] | None) -> None:
        """Called in the driver's own thread for each stage that ends."""
        stage = self._plan.stages[key]
        if result is None or result["cause"]:
            lost = self._causes.get(key, "the worker was lost again and again")
            failure = {
                "cause": "lost" if result is None else result["cause"],
                "message": lost if result is None else result["message"],
            }
            self._tally.failed += 1
            facts = {"kind": stage.kind, "label": label(self._plan, key), **failure}
            self._folder.record_failure(key, facts)
            self._log.write("stage given up", stage=key, **facts)
        else:
            self._folder.forget_failure(key)
            steps, evaluations = int(result["train_steps"]), int(result["evaluations"])
            self._meter.add(
                stage.kind, result["train_seconds"], steps, result["evaluation_seconds"], evaluations
            )
            self._train_steps += steps
            self._evaluations += evaluations
        self._recorder.record(key)
        self._missing = {other: missing for other, missing in self._missing.items() if other != key}
        self._tally.stages_ended += 1
        self._tally.cells_done = self._recorder.cells_recorded

    def _seconds_left(self) -> float | None:
        measured = self._meter.throughput()
        return remaining_seconds(self._plan, self._missing, measured, self._slots)

    @contextmanager
    def _signals(self, frontier: Any) -> Iterator[None]:
        """Ctrl-C once drains, twice stops; SIGTERM stops at once. All leave a study that resumes."""

        def stop(signum: int, frame: FrameType | None) -> None:
            if signum == signal.SIGINT and not self._interrupted:
                self._interrupted = True
                frontier.drain()
                self._console.print("Finishing the stages that run; press Ctrl-C again to stop at once.")
                return
            self._interrupted = True
            raise KeyboardInterrupt

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                # Interrupted, it is ending: another Ctrl-C must not cut off its last words.
                ending = self._interrupted and number == signal.SIGINT
                signal.signal(number, signal.SIG_IGN if ending else handler)


def label(plan: Plan, key: str) -> str:
    """A stage in a person's words: its kind, and the cells that hang on it."""
    stage = plan.stages[key]
    cells = plan.cells_of[key]
    if not cells:
        return stage.kind
    cell = cells[0]
    parts = {
        "start": cell.start,
        "repetitions": cell.repetitions,
        "depth": cell.depth if stage.kind == "relearn" else None,
        "corpus": cell.corpus if stage.kind == "relearn" else None,
        "seed": cell.seed,
    }
    words = ", ".join(f"{name} {value}" for name, value in parts.items() if value is not None)
    return f"{stage.kind} ({words})"


def _provenance(folder: StudyFolder, outcome: Outcome, seconds: float) -> dict[str, Any]:
    from study.provenance import environment

    before = folder.recorded().content["provenance"]
    return {
        "runs": int(before.get("runs", 0)) + 1,
        "wall_seconds": float(before.get("wall_seconds", 0.0)) + seconds,
        "train_steps": int(before.get("train_steps", 0)) + outcome.train_steps,
        "evaluations": int(before.get("evaluations", 0)) + outcome.evaluations,
        "environment": environment(),
        "last_run": f"{outcome.stages_run} stages in {duration(seconds)}",
    }
