"""The Ray Tune trainable: an actor that performs one stage after another and keeps its model resident.

Errors are told apart here. What would fail again in the same way (a diverged loss, a text that is too long,
a bug) ends the trial with its reason as a result; what may not (a lost worker, a disk that did not answer)
is raised, and Tune tries again.
"""

import time
import traceback
from pathlib import Path
from typing import Any

from ray import tune

from cluster.events import EventLog
from cluster.local_store import LocalStore
from study.artifacts import Address
from study.errors import DivergedError, IntegrityError, RelearnError
from study.plan import Plan


class StageActor(tune.Trainable):
    """One trial is one stage. Its result is flat, as Tune would flatten it anyway."""

    def setup(
        self,
        config: dict[str, Any],
        plan: Plan | None = None,
        store_folder: str = "",
        log_folder: str = "",
    ) -> None:
        """Once a process: threads, store, log."""
        import torch

        from study.perform import Residents

        if plan is None:
            raise TypeError("a stage actor needs the plan")
        self._plan = plan
        self._stage_key = config["stage"]
        self._store = LocalStore(Path(store_folder))
        self._log = EventLog(Path(log_folder))
        self._residents = Residents()
        # Sums in another order differ in the last bit, so the number of threads is fixed by the spec.
        torch.set_num_threads(plan.spec.execution.cpus)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """The same actor takes the next stage."""
        self._stage_key = new_config["stage"]
        return True

    def step(self) -> dict[str, Any]:
        """Performs the stage, whole."""
        from study.perform import perform

        stage = self._plan.stages[self._stage_key]
        self._log.write("stage started", stage=stage.key, kind=stage.kind, trial=self.trial_id)
        started = time.perf_counter()
        try:
            work = perform(stage, self._store, self._residents, self._plan.spec.execution, self._published)
        except OSError as error:
            self._log.write("stage interrupted", stage=stage.key, cause=_words(error))
            raise
        except Exception as error:
            facts = _failure(error)
            self._log.write("stage failed", stage=stage.key, **facts)
            return {"done": True, **facts}
        seconds = time.perf_counter() - started
        self._log.write("stage finished", stage=stage.key, seconds=seconds, **vars(work))
        return {"done": True, "cause": None, "seconds": seconds, **vars(work)}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: stages publish to the store."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing to load."""

    def _published(self, address: Address) -> None:
        self._log.write("published", stage=address.key, step=address.step, what=address.what)


def _failure(error: Exception) -> dict[str, str]:
    causes = {DivergedError: "diverged", IntegrityError: "integrity", MemoryError: "out of memory"}
    cause = causes.get(type(error))
    if cause is None:
        cause = "user" if isinstance(error, RelearnError) else "error"
    if type(error).__name__ == "OutOfMemoryError":  # torch's own, on an accelerator
        cause = "out of memory"
    words = _words(error)
    if cause == "error":
        where = traceback.extract_tb(error.__traceback__)[-1]
        words = f"{words} (at {Path(where.filename).name}:{where.lineno})"
    return {"cause": cause, "message": words}


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, RelearnError) else f"{type(error).__name__}: {error}"
