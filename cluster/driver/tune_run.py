"""One Tune run over the ready stages of a plan, and what came of it."""

import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from cluster.driver.interruption import Interruption
from cluster.driver.progress import LiveProgress, Tally
from cluster.ray_tune.cluster_monitor import lifeline
from cluster.ray_tune.session import prepare_environment, requested, slots
from cluster.rows.recorder import Recorder
from cluster.storage.disk_full import StorageFullError
from cluster.storage.retry import persistently
from cluster.storage.store import Store
from cluster.study_folder.event_log import EventLog
from cluster.study_folder.failures import Cause, Failure, FailureRecords
from cluster.study_folder.lease import release
from cluster.study_folder.study_folder import StudyFolder
from cluster.worker.attempts import Attempts
from study.errors import ClusterLostError
from study.planning.cost import remaining_seconds
from study.planning.plan import Plan
from study.planning.stages import Stage
from study.planning.step_times import Prices
from study.provenance import describe_node
from study.settings.execution import Resources


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

    def after(self, before: "Outcome | None") -> "Outcome":
        """With what the rounds before it took."""
        if before is None:
            return self
        return replace(
            self,
            stages_run=self.stages_run + before.stages_run,
            train_steps=self.train_steps + before.train_steps,
            evaluations=self.evaluations + before.evaluations,
            wall_seconds=self.wall_seconds + before.wall_seconds,
        )


class TuneRun:
    """The stages of one plan that are not published yet, as one Tune run."""

    def __init__(
        self,
        folder: StudyFolder,
        plan: Plan,
        store: Store,
        console: Console,
        interruption: Interruption,
    ) -> None:
        self._folder = folder
        self._plan = plan
        self._store = store
        self._console = console
        self._interruption = interruption
        self._scratch = folder.folder.resolve() / ".tune" / uuid.uuid4().hex
        self._attempts = Attempts(self._scratch / "attempts")
        self._failures = FailureRecords(folder.folder)
        self._log = EventLog(folder.folder / "log")
        self._began = time.monotonic()
        self._recorder = Recorder(folder.folder, plan, store)
        published = set(store.addresses())
        self._missing = {
            key: missing
            for key, stage in plan.stages.items()
            if (missing := [address for address in stage.publishes if address not in published])
        }
        self._done = [key for key in plan.stages if key not in self._missing]
        for key in plan.stages:  # also what a stage published before it was cut off
            self._recorder.record(key)
        self._slots = 1
        self._prices = Prices()
        self._tally = Tally(
            len(self._missing), len(plan.cells), self._seconds_left, self._recorder.cells_recorded
        )
        self._train_steps = 0
        self._evaluations = 0
        self._frontier: Any = None

    def go(self, connect: Callable[[], None], address: str | None) -> None:
        """Runs what is missing; Ray is imported and ``connect`` called only where something is."""
        self._log.write("run started", stages=self._tally.stages, cells=self._tally.cells)
        self._interruption.abandon = self._abandon
        if not self._tally.stages:
            return
        prepare_environment(address)  # before the import of Ray
        connect()
        execution = self._plan.spec.execution
        kinds = {self._plan.stages[key].kind for key in self._missing}
        asked = [execution.resources(kind) for kind in sorted(kinds)]
        self._slots = slots(asked)
        from cluster.ray_tune.ready_stages import Frontier

        frontier = self._frontier = Frontier(self._plan, self._done, self._finished)
        self._interruption.drain = frontier.drain
        if self._interruption.asked:  # before there was anything to drain
            frontier.drain()
        self._fit(frontier, asked, address)
        if frontier.broken_by is not None:
            raise frontier.broken_by

    def outcome(self) -> Outcome:
        """How it ended, also where it was stopped."""
        done = set(self._done) if self._frontier is None else self._frontier.done
        remaining = self._tally.stages if self._frontier is None else len(self._frontier.remaining)
        return Outcome(
            stages=len(self._plan.stages),
            stages_done=len(done),
            stages_run=len(done) - len(self._done),
            stages_failed=len(self._frontier.failed) if self._frontier else 0,
            stages_unreachable=len(self._frontier.unreachable) if self._frontier else 0,
            cells=len(self._plan.cells),
            cells_recorded=self._recorder.cells_recorded,
            train_steps=self._train_steps,
            evaluations=self._evaluations,
            wall_seconds=time.monotonic() - self._began,
            interrupted=self._interruption.asked or bool(remaining),
        )

    def _abandon(self) -> None:
        """What is put away where the process has to end from another thread."""
        self._log.write("run ended", exit_code=ClusterLostError.exit_code)
        shutil.rmtree(self._scratch.parent, ignore_errors=True)
        release(self._folder.folder)

    def _fit(self, frontier: Any, asked: list[Resources], address: str | None) -> None:
        from ray import tune

        from cluster.ray_tune.lost_trials import LostTrials
        from cluster.ray_tune.node_checks import check_nodes
        from cluster.ray_tune.trial_scheduler import Placing
        from cluster.worker.stage_actor import StageActor

        execution = self._plan.spec.execution
        if address is not None:
            shared = [self._folder.folder.resolve()]
            if "://" not in self._store.location:
                shared.append(Path(self._store.location))
            check_nodes(shared)
        os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(self._slots)
        placing = Placing(self._slots)
        trainable = tune.with_resources(
            tune.with_parameters(
                StageActor,
                plan=self._plan,
                store_location=self._store.location,
                log_folder=str((self._folder.folder / "log").resolve()),
                attempts_folder=str(self._scratch / "attempts"),
                working_folder=str(Path.cwd()),
                command_began=psutil.Process().create_time(),
            ),
            partial(requested, execution),
        )
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=frontier, scheduler=placing, num_samples=-1, reuse_actors=True
            ),
            run_config=tune.RunConfig(
                name="run",
                storage_path=str(self._scratch),
                verbose=0,
                callbacks=[LostTrials(self._lost)],
                # Stages publish to the store. A checkpoint of Tune's own would be one more thing to lose: without
                # its marker file in the scratch folder, every stage that had published was tried again.
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                failure_config=tune.FailureConfig(max_failures=execution.retries),
            ),
        )
        with (
            lifeline(asked, execution.patience, placing.has_room, self._interruption.cluster_lost),
            LiveProgress(self._tally, self._console),
        ):
            tuner.fit()

    def _finished(self, key: str, result: Mapping[str, Any] | None) -> None:
        """Called in the driver's own thread for each stage that ends."""
        stage = self._plan.stages[key]
        if result is None or result["cause"]:
            failure = Failure.of(result) if result is not None else self._attempts.failure(key)
            if failure is not None and failure.cause is Cause.DISK:
                raise StorageFullError(failure.message)  # no fault of the stage: it is left missing
            self._tally.failed += 1
            if failure is not None:
                self._give_up(key, failure)
        else:
            persistently(lambda: self._failures.forget(key), self._log.storage_failed)
            work = json.loads(str(result["work"]))
            steps, evaluations = int(work["train_steps"]), int(work["evaluations"])
            self._measured(stage, steps, evaluations, work)
            self._train_steps += steps
            self._evaluations += evaluations
        persistently(lambda: self._recorder.record(key), self._log.storage_failed)
        self._missing = {other: missing for other, missing in self._missing.items() if other != key}
        self._tally.stages_ended += 1
        self._tally.cells_done = self._recorder.cells_recorded

    def _measured(self, stage: Stage, steps: int, evaluations: int, work: Mapping[str, Any]) -> None:
        self._prices.trained(stage.key, describe_node(stage.node), steps, float(work["train_seconds"]))
        if evaluations:
            probes = len(stage.evaluate[0][1].probes.probes)
            self._prices.asked(stage.kind, probes, float(work["evaluation_seconds"]) / evaluations)

    def _seconds_left(self) -> float | None:
        return remaining_seconds(self._plan, dict(self._missing), self._prices, self._slots)

    def _lost(self, key: str, failure: Failure, last: bool) -> None:
        """An attempt was lost with its worker; of the last one, ``_finished`` was called before."""
        event = "attempt lost, it was the last" if last else "attempt lost, another follows"
        self._log.write(event, stage=key, **failure.as_dict())
        if last and self._attempts.failure(key) is None:
            self._give_up(key, failure)

    def _give_up(self, key: str, failure: Failure) -> None:
        facts = persistently(lambda: self._failures.write(self._plan, key, failure), self._log.storage_failed)
        self._log.write("stage given up", **{name: facts[name] for name in facts if name != "time"})
