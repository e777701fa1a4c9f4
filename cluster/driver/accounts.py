"""The driver's accounts of one plan: which stages are missing, and what is written down when one ends.

A stage that succeeded gets its rows, one that failed its record in DIR/failures; the progress and the time that is
left follow. Ray is not known here.
"""

import json
from collections.abc import Mapping
from typing import Any

from cluster.driver.preflight.service_cost import JobsTaken
from cluster.driver.progress import Tally
from cluster.rows.recorder import Recorder
from cluster.storage.disk_full import StorageFullError
from cluster.storage.retry import StorageRefusedError, with_retries
from cluster.storage.store import Store
from cluster.study_folder.event_log import EventLog
from cluster.study_folder.failures import Cause, Failure, FailureRecords
from cluster.study_folder.lease import Lease
from cluster.worker.attempts import Attempts
from study.performing.provenance import describe_node
from study.planning.cost import remaining_seconds
from study.planning.plan import Plan
from study.planning.stages import Stage
from study.planning.step_times import StepTimes

ENDS_THE_STUDY = {Cause.DISK: StorageFullError, Cause.DENIED: StorageRefusedError}
"""What every other stage would meet too: the run ends, and none counts as failed."""


class Accounts:
    """The accounts of one plan.

    Attributes:
        published: keys of the stages that the store had in full at the beginning.
        tally: what the progress shows.
        slots: how many stages run at once; set by who knows.
        train_steps, evaluations: done since the beginning.
        tokens: of the jobs at a service.
    """

    def __init__(self, lease: Lease, plan: Plan, store: Store, attempts: Attempts) -> None:
        self.slots = 1
        self.train_steps = 0
        self.evaluations = 0
        self._plan = plan
        self._attempts = attempts
        self._lease = lease
        self._log = EventLog(lease.folder / "log")
        self._failures = FailureRecords(lease.folder)
        self._recorder = Recorder(lease, plan, store)
        self._step_times = StepTimes()
        there = set(store.addresses())
        self._missing = {
            key: missing
            for key, stage in plan.stages.items()
            if (missing := [address for address in stage.publishes if address not in there])
        }
        self.published = [key for key in plan.stages if key not in self._missing]
        self.jobs_taken = JobsTaken(plan, store)
        for key in self.published:
            self.jobs_taken.ended(key, published=True)
        for key in plan.stages:  # also what a stage published before it was cut off
            self._recorder.record(key, there)
        self.tally = Tally(
            len(self._missing), len(plan.cells), self._seconds_left, self._recorder.cells_recorded
        )

    @property
    def missing(self) -> list[str]:
        """Keys of the stages that are neither published nor ended."""
        return list(self._missing)

    @property
    def cells_recorded(self) -> int:
        """Cells of the plan that have rows."""
        return self._recorder.cells_recorded

    def stage_ended(self, key: str, result: Mapping[str, Any] | None) -> None:
        """A stage ended; ``result`` is its worker's, None where the worker was lost for good.

        Raises:
            StorageFullError, StorageRefusedError: the disk is full, or storage refuses; the stage is left missing.
            PreflightError: a service counted so many tokens that the next job would be above the cap.
        """
        if result is None:
            failure = self._attempts.failure(key)  # left by a watchdog that ended the worker
        else:
            failure = Failure.of(result) if result["cause"] else None
        if failure is not None and failure.cause in ENDS_THE_STUDY:
            raise ENDS_THE_STUDY[failure.cause](failure.message)
        if failure is not None:
            self._give_up(key, failure)
        elif result is not None:
            self._succeeded(self._plan.stages[key], json.loads(str(result["work"])))
        # Otherwise ``attempt_lost`` is called next, with the cause.
        self.tally.failed += failure is not None or result is None
        with_retries(lambda: self._recorder.record(key), self._log.storage_failed)
        self._missing = {other: missing for other, missing in self._missing.items() if other != key}
        self.tally.stages_ended += 1
        self.tally.cells_done = self._recorder.cells_recorded
        self.jobs_taken.ended(key, published=failure is None and result is not None)
        self.jobs_taken.check()

    def attempt_lost(self, key: str, failure: Failure, last: bool) -> None:
        """An attempt was lost with its worker; of the last one, ``stage_ended`` was called before.

        What the worker itself left says more than Ray's words about its end.
        """
        left = self._attempts.interruption(key)
        failure = left.failure if left is not None else failure
        event = "attempt lost, it was the last" if last else "attempt lost, another follows"
        self._log.write(event, stage=key, **failure.as_dict())
        if last and self._attempts.failure(key) is None:
            self._give_up(key, failure)

    def _succeeded(self, stage: Stage, work: Mapping[str, Any]) -> None:
        with_retries(lambda: self._failures.forget(self._lease, stage.key), self._log.storage_failed)
        steps, evaluations = int(work["train_steps"]), int(work["evaluations"])
        self._step_times.trained(stage.key, describe_node(stage.node), steps, float(work["train_seconds"]))
        if evaluations:
            probes = len(stage.evaluate[0][1].probes.probes)
            self._step_times.asked(stage.kind, probes, float(work["evaluation_seconds"]) / evaluations)
        self.train_steps += steps
        self.evaluations += evaluations

    def _give_up(self, key: str, failure: Failure) -> None:
        facts = with_retries(
            lambda: self._failures.write(self._lease, self._plan, key, failure), self._log.storage_failed
        )
        self._log.write("stage given up", **{name: facts[name] for name in facts if name != "time"})

    def _seconds_left(self) -> float | None:
        slots = int(min(self.slots, self._plan.spec.most_at_once))
        return remaining_seconds(self._plan, dict(self._missing), self._step_times, slots)
