"""The Ray Tune trainable: an actor that performs one stage after another and keeps its model resident.

What would fail again in the same way (a diverged loss, a bug) ends the trial with its failure as the result; what
may succeed at the next attempt (storage that did not answer) is raised, and Tune tries again. Which is which stands
in ``cluster.study_folder.failures``. A process that lost its GPU's context would fail every stage that it is given:
it ends itself.
"""

import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray import get_runtime_context, tune

from cluster.storage.open_store import open_store
from cluster.storage.retry import with_retries
from cluster.study_folder.event_log import EventLog
from cluster.study_folder.failures import Failure, in_words
from cluster.study_folder.gpu_errors import GpuError, context_is_lost, gpu_error
from cluster.worker.attempts import Attempts, Interruption, StageGivenUpError
from cluster.worker.driver_desk import ThroughDesk
from cluster.worker.watchdog import end_process, watched
from study.planning.plan import Plan
from study.planning.stages import Stage
from study.settings.execution import Execution

if TYPE_CHECKING:  # torch comes with it
    from study.performing.stage_work import Tell, Work


class StageActor(tune.Trainable):
    """One trial is one stage."""

    def setup(
        self,
        config: dict[str, Any],
        plan: Plan | None = None,
        store_location: str = "",
        log_folder: str = "",
        attempts_folder: str = "",
        working_folder: str = "",
        desk: Any = None,
        command_began: float | None = None,
    ) -> None:
        """Once a process: folder, store, log."""
        if plan is None:
            raise TypeError("a stage actor needs the plan")
        if Path(working_folder).is_dir():  # where the driver stands: models and data may be named from there
            os.chdir(working_folder)
        self._plan = plan
        self._stage_key = config["stage"]
        self._store = open_store(store_location)
        self._traces = Path(log_folder) if desk is None else self._store.disk / "traces"
        self._traces.mkdir(parents=True, exist_ok=True)
        self._log = EventLog(Path(log_folder) if desk is None else ThroughDesk(desk, "log"))
        self._log.write("worker starts")
        from study.performing.residents import Residents  # after the word, as it takes seconds

        self._attempts = Attempts(Path(attempts_folder) if desk is None else ThroughDesk(desk, "attempts"))
        self._residents = Residents(None if command_began is None else max(0.0, time.time() - command_began))

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """The same actor takes the next stage."""
        self._stage_key = new_config["stage"]
        return True

    def step(self) -> dict[str, Any]:
        """Performs the stage, whole."""
        stage = self._plan.stages[self._stage_key]
        about: dict[str, Any] = {"stage": stage.key, "trial": self.trial_id}

        def tell(event: str, **facts: Any) -> None:
            self._log.write(event, **about, **facts)

        try:
            return self._attempt(stage, about, tell)
        except StageGivenUpError as error:
            return {"done": True, **error.failure.as_dict()}
        except Exception as error:
            failure = Failure.of_error(error, self._store.disk)
            if failure.tried_again:
                tell("stage interrupted", **failure.as_dict())
                node = get_runtime_context().get_node_id()
                self._attempts.interrupt(stage.key, Interruption(failure, node, platform.node()))
                if context_is_lost(error):
                    end_process()
                raise
            tell("stage failed", **failure.as_dict())
            if context_is_lost(error):
                self._attempts.give_up(stage.key, failure)
                end_process()
            return {"done": True, **failure.as_dict()}

    def _attempt(self, stage: Stage, about: dict[str, Any], tell: "Tell") -> dict[str, Any]:
        execution = self._plan.spec.execution

        def failed(error: OSError, pause: float) -> None:
            tell("storage does not answer", cause=in_words(error), pause=pause)

        about["attempt"] = with_retries(lambda: self._attempts.begin(stage.key), failed)
        tell("stage started", kind=stage.kind)
        started = time.perf_counter()
        with watched(stage.key, execution, self._attempts, self._traces / f"{stage.key}.stack"):
            work = self._performed(stage, execution, tell, failed)
        seconds = time.perf_counter() - started
        tell("stage finished", seconds=seconds, **vars(work))
        # As one text: Tune keeps statistics of every number of every trial, and twice, in the driver's memory.
        return {"done": True, "cause": None, "work": json.dumps(vars(work))}

    def _performed(
        self, stage: Stage, execution: Execution, tell: "Tell", failed: Callable[[OSError, float], None]
    ) -> "Work":
        """The stage's work; where the GPU's memory was full, by one more attempt with half the batches."""
        from study.performing.perform import perform

        def attempt(execution: Execution) -> "Work":
            return with_retries(lambda: perform(stage, self._store, self._residents, execution, tell), failed)

        less = execution.with_half_batches()
        try:
            return attempt(execution)
        except Exception as error:
            if gpu_error(error) is not GpuError.MEMORY or less is None:
                raise
            tell("stage out of memory", message=in_words(error))
        # Only now, as the error held on to all tensors of the attempt.
        self._residents.release()
        tell("stage tried with half the batches", **less.batches())
        return attempt(less)

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: stages publish to the store."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing to load."""
