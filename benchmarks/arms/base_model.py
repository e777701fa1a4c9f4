"""The pretrained model that every arm starts from: the embedded one, trained once and kept as an ordinary folder."""

from pathlib import Path

import torch

from benchmarks.comparison.workloads import Workload
from study.models.adapters.product import Product
from study.models.resident import Resident
from study.planning.materials import read_materials
from study.planning.planner import make_plan
from study.planning.stages import Trajectory
from study.spec import EMBEDDED
from study.training.loop import train
from study.training.training_state import Progress


def base_folder(workload: Workload, results: Path, given: Path | None) -> Path:
    """A model folder: the given one, or the workload's embedded model, made where it is not there yet."""
    if given is not None:
        return given.resolve()
    folder = (results / "base" / workload.name).resolve()
    if not (folder / "config.json").exists():
        spec = workload.spec(EMBEDDED)
        plan = make_plan(read_materials(spec), str)
        base = next(stage.node for stage in plan.stages.values() if stage.kind == "base")
        if not isinstance(base, Trajectory):
            raise TypeError("the embedded model's base is trained")
        torch.set_num_threads(spec.execution.cpus)
        resident = Resident(base.source)
        steps = spec.embedded.pretraining.steps
        train(base, resident, steps, (), _nobody, micro_batch=spec.execution.micro_batch)
        resident.model.save_pretrained(folder)
        resident.tokenizer.save_pretrained(folder)
    return folder


def _nobody(step: int, progress: Progress, product: Product | None) -> None:
    """Nobody looks on the way."""
