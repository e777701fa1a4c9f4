"""What Ray Tune holds by itself for each trial: as many trials as stages, which do nothing, without this project.

    python benchmarks/plain_tune.py TRIALS

Prints kilobytes for each trial between a tenth of them and the last, in the driver's own process. Actors are reused
and nothing is saved or shown, as in a study.
"""

import logging
import os
import sys
import tempfile
from typing import Any

import psutil
import ray
from ray import tune


class Nothing(tune.Trainable):
    """A trial that has ended when it begins."""

    def setup(self, config: dict[str, Any]) -> None:
        """Nothing to set up."""

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """The same actor takes the next trial."""
        return True

    def step(self) -> dict[str, Any]:
        """What a stage reports is about as much."""
        return {"done": True, "cause": "", "train_steps": 0, "evaluations": 0}


class Held(tune.Callback):
    """What the driver holds after each trial, in bytes."""

    def __init__(self) -> None:
        self.bytes: list[int] = []

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """One more."""
        self.bytes.append(psutil.Process().memory_info().rss)


def main() -> None:
    """See the module's text."""
    trials = int(sys.argv[1])
    os.environ |= {"RAY_AIR_NEW_OUTPUT": "0", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1"}
    # Tune has words for each trial without result files.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    ray.init(include_dashboard=False, configure_logging=False)
    held = Held()
    with tempfile.TemporaryDirectory() as scratch:
        tune.Tuner(
            Nothing,
            param_space={"stage": tune.grid_search([f"stage {index}" for index in range(trials)])},
            tune_config=tune.TuneConfig(reuse_actors=True),
            run_config=tune.RunConfig(
                storage_path=scratch,
                verbose=0,
                callbacks=[held],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        ).fit()
    early, late = held.bytes[trials // 10], held.bytes[-1]
    a_trial = (late - early) / (trials - trials // 10)
    print(
        f"plain Ray Tune, {len(held.bytes):,} trials that do nothing: the driver held {early / 1e6:.0f} MB after a "
        f"tenth of them and {late / 1e6:.0f} MB at the end, {a_trial / 1e3:.0f} kB a trial"
    )


if __name__ == "__main__":
    main()
