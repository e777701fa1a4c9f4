"""Which waiting trial gets a worker that has just become free.

Tune's FIFO gives it to the trial that has waited longest; where a worker is being started for that trial, Tune ends
the worker that starts. A start takes seconds (torch and transformers are imported). Where stages are shorter than
that, no start came to its end: a study that began with one chain of stages ran on one slot to its end.
"""

from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler


class TrialScheduler(FIFOScheduler):
    """FIFO over the trials for which no worker is being started.

    Tune starts workers in the order of the trials that wait. So the first trials that wait have a worker that starts,
    as many as there are slots on which nothing runs.
    """

    def __init__(self, slots: int) -> None:
        """Args: how many stages the cluster runs at once."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._slots = slots
        self._trials: dict[Trial, None] = {}

    def set_slots(self, slots: int) -> None:
        """Nodes came or went."""
        self._slots = slots

    def on_trial_add(self, tune_controller: TuneController, trial: Trial) -> None:
        """A new trial, or one that is tried again: the last to wait."""
        self._trials.pop(trial, None)
        self._trials[trial] = None

    def on_trial_error(self, tune_controller: TuneController, trial: Trial) -> None:
        """It waits no more, unless it is added again."""
        self._trials.pop(trial, None)

    def on_trial_complete(
        self, tune_controller: TuneController, trial: Trial, result: dict[str, object]
    ) -> None:
        """It has ended."""
        self._trials.pop(trial, None)

    def on_trial_remove(self, tune_controller: TuneController, trial: Trial) -> None:
        """It was ended while it waited."""
        self._trials.pop(trial, None)

    def choose_trial_to_run(self, tune_controller: TuneController) -> Trial | None:
        """The first trial for which no worker is being started; where there is none, the last that waits."""
        waiting = [trial for trial in self._trials if trial.status == Trial.PENDING]
        if not waiting:
            return None
        running = sum(trial.status == Trial.RUNNING for trial in self._trials)
        starting = max(self._slots - running - 1, 0)  # one slot is that of the worker that has become free
        return waiting[min(starting, len(waiting) - 1)]
