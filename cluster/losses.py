"""Why Tune lost a trial: keeps the last error of each stage, and tells the causes apart."""

from typing import Any

from ray import tune

SIGNS = {
    "storage": ("OSError", "TimeoutError"),
    "out of memory": ("OutOfMemoryError", "running low on memory", "OOM"),
    "lost node": ("node has died", "node died", "NodeDiedError", "its node", "nodes have died", "drained"),
}
"""Ray says in words why an actor died."""


class LossRecorder(tune.Callback):
    """Writes stage key → (cause, words) into the mapping it is given."""

    def __init__(self, causes: dict[str, tuple[str, str]]) -> None:
        self._causes = causes

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tune gave the trial up."""
        error = trial.get_error() if hasattr(trial, "get_error") else None
        text = str(error).strip() if error is not None else ""
        if text:
            self._causes[trial.config["stage"]] = (cause_of(text), text.splitlines()[-1][:500])


def cause_of(text: str) -> str:
    """The cause that Ray's words about a dead actor tell of."""
    for cause, signs in SIGNS.items():
        if any(sign in text for sign in signs):
            return cause
    return "lost worker"
