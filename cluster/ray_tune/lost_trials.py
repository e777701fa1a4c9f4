"""Why Tune lost a trial: reads the cause out of Ray's last words, and reports it for each attempt.

Tune tells its searcher only that a trial was lost for good; the error comes to its callbacks, right after that.
"""

from collections.abc import Callable
from typing import Any

from ray import tune

from cluster.study_folder.failures import Cause, Failure

SIGNS = {
    Cause.STORAGE: ("OSError", "TimeoutError"),
    Cause.NODE_MEMORY: ("OutOfMemoryError", "running low on memory", "OOM"),
    Cause.LOST_NODE: (
        "node has died",
        "node died",
        "NodeDiedError",
        "its node",
        "nodes have died",
        "drained",
    ),
}
"""What Ray writes where an actor died; anything else is a lost worker."""

Lost = Callable[[str, Failure, bool], None]
"""Is called with a stage's key, its failure, and whether that was the last attempt."""


class LostTrials(tune.Callback):
    """Reports why each attempt was lost."""

    def __init__(self, lost: Lost) -> None:
        self._lost = lost

    def __getstate__(self) -> dict[str, Any]:
        """Empty: Tune pickles its callbacks into its own folder, from which nobody reads."""
        return {}

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """An attempt was lost, and Tune makes another."""
        self._lost(trial.config["stage"], _failure(trial), False)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """The last attempt was lost."""
        self._lost(trial.config["stage"], _failure(trial), True)


def _failure(trial: Any) -> Failure:
    error = trial.get_error()
    text = str(error).strip() if error is not None else ""
    causes = (cause for cause, signs in SIGNS.items() if any(sign in text for sign in signs))
    message = text.splitlines()[-1][:500] if text else "the worker's process ended without a word"
    return Failure(next(causes, Cause.LOST_WORKER), message)
