"""Why Tune lost a trial: keeps the last error of each stage, and tells the causes apart."""

from collections.abc import Callable
from typing import Any

from ray import tune

from cluster.study_folder.failures import cause_of

Lost = Callable[[str, str, str, bool], None]
"""Hears of a stage's key, the cause, Ray's words, and whether it was the last attempt."""


class LossRecorder(tune.Callback):
    """Passes on why an attempt was lost; Tune tells its searcher only that one was, and that before this."""

    def __init__(self, lost: Lost) -> None:
        self._lost = lost

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its callbacks into its own folder, from which nobody reads: nothing to keep."""
        return {}

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """An attempt was lost, and Tune makes another."""
        self._tell(trial, last=False)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """The last attempt was lost."""
        self._tell(trial, last=True)

    def _tell(self, trial: Any, last: bool) -> None:
        error = trial.get_error()
        text = str(error).strip() if error is not None else ""
        words = text.splitlines()[-1][:500] if text else "the worker is gone"
        self._lost(trial.config["stage"], cause_of(text), words, last)
