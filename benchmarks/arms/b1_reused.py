"""B1: the best Ray Tune without sharing: actors reused, the model resident, probes in batches, Tune kept quiet.

python -m benchmarks.arms.b1_reused TASK
"""

import logging
import os
from typing import Any

from ray import tune

from benchmarks.arms.task import Task, cell_of

QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
}


class ReusedActor(tune.Trainable):
    """Computes one cell after another on a model that stays in memory."""

    def setup(self, config: dict[str, Any], task: Task | None = None) -> None:
        """Once a process."""
        import torch

        from benchmarks.arms.pipeline import source_of
        from study.models.devices.placement import Placement
        from study.models.hardware import device_of
        from study.models.resident import Resident

        if task is None:
            raise TypeError("an actor needs the task")
        torch.set_num_threads(1)
        self.task = task
        self.spec = task.spec
        self.resident = Resident(source_of(self.spec), Placement.on(device_of(task.resources["gpu"])))
        self.cell = cell_of(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """The same actor takes the next cell."""
        self.cell = cell_of(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """One cell, whole."""
        from benchmarks.arms.pipeline import Pipeline, leave

        pipeline = Pipeline(self.spec, self.resident, self.cell)
        self.resident.reset()
        self.to_unlearned(pipeline)
        pipeline.relearn()
        answers = pipeline.evaluate()
        leave(self.task.folder, self.cell, pipeline, answers)
        return {"done": True, "target_nll": sum(answer["target_nll"] for answer in answers) / len(answers)}

    def to_unlearned(self, pipeline: Any) -> None:
        """From the pretrained model to the unlearned one."""
        pipeline.finetune()
        pipeline.unlearn()

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: a cell is whole or computed again."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing to load."""


def run(actor: type[ReusedActor], task: Task) -> None:
    """The grid over actors of a class."""
    import ray

    os.environ.update(QUIET)
    for name in ("ray.tune", "ray.air"):
        logging.getLogger(name).setLevel(logging.ERROR)
    ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(actor, task=task), task.resources),
        param_space=task.param_space,
        tune_config=tune.TuneConfig(reuse_actors=True),
        run_config=tune.RunConfig(
            name="grid",
            storage_path=str(task.folder.resolve()),
            verbose=0,
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    )
    results = tuner.fit()
    if results.errors:
        raise SystemExit(f"{len(results.errors)} trials failed: {results.errors[0]}")


if __name__ == "__main__":
    run(ReusedActor, Task.from_command_line())
