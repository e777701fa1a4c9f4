"""The stages of one plan that are not published yet, as one Tune run."""

import os
import shutil
import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from cluster.driver.accounts import Accounts
from cluster.driver.interruption import Interruption
from cluster.driver.outcome import Outcome
from cluster.driver.preflight.service_cost import check_service_cost
from cluster.driver.progress import live_progress
from cluster.driver.sick_nodes import SickNodes
from cluster.ray_tune.cluster_monitor import watched_cluster
from cluster.ray_tune.environment import prepare_environment
from cluster.ray_tune.room import Demand
from cluster.ray_tune.session import LEFT_OUT, delete_files, slots_of
from cluster.storage.open_store import is_remote
from cluster.storage.store import Store
from cluster.study_folder.event_log import EventLog
from cluster.study_folder.failures import Failure
from cluster.study_folder.lease import Lease
from cluster.worker.attempts import Attempts
from study.errors import ClusterLostError
from study.performing.self_test.request import untried
from study.planning.plan import Plan
from study.settings.execution import Resources


class TuneRun:
    """One Tune run, or none where nothing is missing. What Tune writes lies in a scratch folder that goes away."""

    def __init__(
        self,
        lease: Lease,
        plan: Plan,
        store: Store,
        console: Console,
        interruption: Interruption,
    ) -> None:
        self._lease = lease
        self._folder = lease.folder
        self._plan = plan
        self._store = store
        self._console = console
        self._interruption = interruption
        self._scratch = self._folder.resolve() / ".tune" / uuid.uuid4().hex
        self._log = EventLog(self._folder / "log")
        self._began = time.monotonic()
        self._attempts = Attempts(self._scratch / "attempts")
        self._accounts = Accounts(lease, plan, store, self._attempts)
        self._sick = SickNodes()
        self._searcher: Any = None
        self._joined = False

    def go(
        self, connect: Callable[[], None], where: tuple[str | None, float], demands: Sequence[Demand] = ()
    ) -> None:
        """Runs what is missing; Ray is imported and ``connect`` called only where something is.

        Args:
            where: the address of a running cluster, or None; and for how long one that is not there is waited for.
            demands: the memory that stages need, asked on each node of a cluster.
        """
        tally = self._accounts.tally
        self._log.write("run started", stages=tally.stages, cells=tally.cells)
        self._interruption.abandon = self._abandon
        if not tally.stages:
            return
        check_service_cost(self._plan)  # of a search's later rounds, too
        self._accounts.jobs_taken.check()
        address, wait = where
        self._joined = address is not None
        # before the import of Ray
        prepare_environment(address, wait, gpus=self._plan.spec.execution.asks_for_gpus)
        connect()
        kinds = {self._plan.stages[key].kind for key in self._accounts.missing}
        needs = [self._plan.spec.execution.resources(kind) for kind in sorted(kinds)]
        self._accounts.slots = slots_of(needs, wait)
        from cluster.ray_tune.ready_stages import ReadyStages

        searcher = self._searcher = ReadyStages(
            self._plan, self._accounts.published, self._accounts.stage_ended
        )
        self._interruption.drain = searcher.drain
        if self._interruption.requested:  # before there was anything to drain
            searcher.drain()
        self._check_nodes(needs, address, demands)
        self._fit(searcher, needs)
        if searcher.broken_by is not None:
            raise searcher.broken_by

    def outcome(self) -> Outcome:
        """How it ended, also where it was stopped."""
        accounts, searcher = self._accounts, self._searcher
        before = len(accounts.published)
        done = before if searcher is None else len(searcher.done)
        remaining = accounts.tally.stages if searcher is None else len(searcher.remaining)
        written = accounts.cells_recorded == len(self._plan.cells)
        failed = len(searcher.failed) if searcher else 0
        return Outcome(
            stages=len(self._plan.stages),
            stages_done=done,
            stages_run=done - before,
            stages_failed=failed,
            stages_unreachable=len(searcher.unreachable) if searcher else 0,
            cells=len(self._plan.cells),
            cells_recorded=accounts.cells_recorded,
            train_steps=accounts.train_steps,
            evaluations=accounts.evaluations,
            wall_seconds=time.monotonic() - self._began,
            # What is left counts, not that an end was asked for: that may come when everything is done.
            interrupted=bool(remaining) or (self._interruption.requested and not (failed or written)),
        )

    def _abandon(self) -> None:
        """What is put away where the process has to end from another thread."""
        self._log.write("run ended", exit_code=ClusterLostError.exit_code)
        shutil.rmtree(self._scratch.parent, ignore_errors=True)
        self._lease.release()
        delete_files()  # Ray's processes end after this one

    def _attempt_lost(self, key: str, failure: Failure, last: bool) -> None:
        self._accounts.attempt_lost(key, failure, last)
        left = self._attempts.interruption(key)
        if left is not None and (words := self._sick.left_out_after(left)) is not None:
            LEFT_OUT[left.node] = words
            self._log.write("node left out", name=left.node_name, because=words)
            self._console.print(f"No stage with a GPU is started any more on {words}")

    def _check_nodes(self, needs: list[Resources], address: str | None, demands: Sequence[Demand]) -> None:
        """Of a local cluster only the GPU, which this process does not touch: the rest was checked before."""
        from cluster.ray_tune.model_checks import check_models
        from cluster.ray_tune.node_checks import check_nodes

        remote = is_remote(self._store.location)
        shared = [] if address is None or remote else [self._folder.resolve(), Path(self._store.location)]
        bucket = self._store.location if address is not None and remote else None
        if shared or bucket or any(each.gpus for each in needs):
            for line in check_nodes(shared, needs, demands, bucket):
                self._console.print(line)
        if address is not None:
            most = max(needs, key=lambda each: (each.gpus, each.cpus))
            check_models(untried(self._plan, self._store.addresses()), most, str(Path.cwd()))

    def _fit(self, searcher: Any, needs: list[Resources]) -> None:
        from ray import tune

        from cluster.ray_tune.lost_trials import LostTrials
        from cluster.ray_tune.placement import placement
        from cluster.ray_tune.trial_scheduler import TrialScheduler
        from cluster.worker.driver_desk import open_desk
        from cluster.worker.stage_actor import StageActor

        execution = self._plan.spec.execution
        desk = None
        if self._joined and is_remote(self._store.location):
            desk = open_desk((self._folder / "log").resolve(), self._scratch / "attempts")
        os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(self._accounts.slots)
        scheduler = TrialScheduler(self._accounts.slots)
        trainable = tune.with_resources(
            tune.with_parameters(
                StageActor,
                plan=self._plan,
                store_location=self._store.location,
                log_folder=str((self._folder / "log").resolve()),
                attempts_folder=str(self._scratch / "attempts"),
                working_folder=str(Path.cwd()),
                desk=desk,
                command_began=psutil.Process().create_time(),
            ),
            partial(placement, execution),
        )
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=searcher, scheduler=scheduler, num_samples=-1, reuse_actors=True
            ),
            run_config=tune.RunConfig(
                name="run",
                storage_path=str(self._scratch),
                verbose=0,
                callbacks=[LostTrials(self._attempt_lost)],
                # Stages publish to the store. A checkpoint of Tune's own would be one more thing to lose: without
                # its marker file in the scratch folder, every stage that had published was tried again.
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                failure_config=tune.FailureConfig(max_failures=execution.retries),
            ),
        )
        with (
            watched_cluster(
                needs, execution.patience_seconds, scheduler.set_slots, self._interruption.cluster_lost
            ),
            live_progress(self._accounts.tally, self._console),
        ):
            tuner.fit()
