"""B0: an idiomatic Ray Tune grid, as its documentation would have one write it: a trial is a cell, from the start.

python -m benchmarks.arms.b0_grid TASK
"""

from typing import Any

from ray import tune

from benchmarks.arms.task import Task, cell_of


def run_cell(config: dict[str, Any], task: Task) -> None:
    """Load, finetune, unlearn, relearn, evaluate, report."""
    import torch

    from benchmarks.arms.pipeline import Pipeline, leave, source_of
    from study.models.devices.placement import Placement
    from study.models.hardware import device_of
    from study.models.resident import Resident

    torch.set_num_threads(1)
    cell = cell_of(config)
    spec = task.spec
    pipeline = Pipeline(spec, Resident(source_of(spec), Placement.on(device_of(task.resources["gpu"]))), cell)
    pipeline.finetune()
    pipeline.unlearn()
    pipeline.relearn()
    answers = pipeline.evaluate()
    leave(task.folder, cell, pipeline, answers)
    tune.report({"target_nll": sum(answer["target_nll"] for answer in answers) / len(answers)})


def main() -> None:
    """See the module's text."""
    task = Task.from_command_line()
    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(run_cell, task=task), task.resources),
        param_space=task.param_space,
        run_config=tune.RunConfig(name="grid", storage_path=str(task.folder.resolve())),
    )
    results = tuner.fit()
    if results.errors:
        raise SystemExit(f"{len(results.errors)} trials failed: {results.errors[0]}")


if __name__ == "__main__":
    main()
