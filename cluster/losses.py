"""Why Tune lost a trial: keeps the last error of each stage, for the reason in its failure."""

from typing import Any

from ray import tune


class LossRecorder(tune.Callback):
    """Writes stage key → words into the mapping it is given."""

    def __init__(self, causes: dict[str, str]) -> None:
        self._causes = causes

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tune gave the trial up."""
        error = trial.get_error() if hasattr(trial, "get_error") else None
        words = str(error).strip().splitlines() if error is not None else []
        if words:
            self._causes[trial.config["stage"]] = words[-1][:500]
