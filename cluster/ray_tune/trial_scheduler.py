"""Which waiting trial gets a worker that has just become free.

Tune's FIFO gives it to the oldest that waits, and where a worker was being started for that one, ends that worker.
A start takes seconds (torch and transformers are imported): where stages are shorter, every start was ended before
it was over, and a study that began with one chain of stages ran on one slot to its end while the others did nothing
but import.
"""

from typing import TYPE_CHECKING

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

if TYPE_CHECKING:
    from ray.tune.execution.tune_controller import TuneController


class Placing(FIFOScheduler):
    """FIFO, but for trials whose workers are being started: they wait for those.

    Workers are started in the order of the trials that wait, so those are the first of them, as many as there are
    slots on which nothing runs.
    """

    def __init__(self, slots: int) -> None:
        """Args: how many stages the cluster runs at once."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._slots = slots
        self._trials: dict[Trial, None] = {}

    def has_room(self, slots: int) -> None:
        """Takes note that nodes came or went."""
        self._slots = slots

    def on_trial_add(self, tune_controller: "TuneController", trial: Trial) -> None:
        """A new trial, or one that is tried again: the last to wait."""
        self._trials.pop(trial, None)
        self._trials[trial] = None

    def on_trial_error(self, tune_controller: "TuneController", trial: Trial) -> None:
        """It is not waited for any more, until it is added again."""
        self._trials.pop(trial, None)

    def on_trial_complete(
        self, tune_controller: "TuneController", trial: Trial, result: dict[str, object]
    ) -> None:
        """It has ended."""
        self._trials.pop(trial, None)

    def on_trial_remove(self, tune_controller: "TuneController", trial: Trial) -> None:
        """It was ended while it waited."""
        self._trials.pop(trial, None)

    def choose_trial_to_run(self, tune_controller: "TuneController") -> Trial | None:
        """The first that waits for more than the start of a worker; the last where there is none such."""
        waiting = [trial for trial in self._trials if trial.status == Trial.PENDING]
        if not waiting:
            return None
        running = sum(trial.status == Trial.RUNNING for trial in self._trials)
        starting = max(self._slots - running - 1, 0)  # one slot is that of the worker that has become free
        return waiting[min(starting, len(waiting) - 1)]
