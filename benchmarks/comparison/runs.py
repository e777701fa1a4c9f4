"""One run of one arm: its program started cold in a process of its own, measured, and its cells read back.

A finished run is one JSON file and is not repeated, so a benchmark that was cut off goes on.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.comparison.read_run import of_cells, of_study
from benchmarks.comparison.utilisation import peak_of, weights_of
from benchmarks.comparison.workloads import PLAIN, RUNGS, Workload
from benchmarks.machine import accelerator, gpus
from benchmarks.measure import bytes_under, run
from study.spec import StudySpec

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {"B0": "b0_grid", "B1": "b1_reused", "B2": "b2_prefixes"}


@dataclass(frozen=True)
class Run:
    """Which run of which arm on which workload; ``file`` is where its facts end up."""

    workload: Workload
    arm: str
    repeat: int

    def file(self, results: Path) -> Path:
        size = self.workload.sampled.get(self.arm)
        arm = self.arm.replace(" ", "-") + (f"-{size}-cells" if size else "")
        return results / "runs" / self.workload.name / f"{arm}.{self.repeat}.json"


class RunFailedError(Exception):
    """An arm's program ended with an error; says where its output is."""


def take(one: Run, results: Path, model: Path, per_device: int) -> dict[str, Any]:
    """The facts of a run: taken now, or read where it was taken before."""
    file = one.file(results)
    if file.exists():
        facts: dict[str, Any] = json.loads(file.read_text())
        return facts
    work = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        facts = _take(one, work, model, per_device)
    except RunFailedError:
        raise
    else:
        shutil.rmtree(work)
    file.parent.mkdir(parents=True, exist_ok=True)
    pending = file.with_suffix(".pending")
    pending.write_text(json.dumps(facts, indent=1))
    pending.replace(file)
    return facts


def _take(one: Run, work: Path, model: Path, per_device: int) -> dict[str, Any]:
    spec = one.workload.spec(str(model), RUNGS.get(one.arm))
    place = work / "arm"
    place.mkdir()
    task = work / "task.json"
    if one.arm in PLAIN:
        content = {
            "fields": spec.model_dump(mode="json"),
            "cells": one.workload.cells(one.arm),
            "folder": str(place),
            "gpus": gpus(),
            "per_device": per_device,
        }
        command = [sys.executable, "-m", f"benchmarks.arms.{PROGRAMS[one.arm]}", str(task)]
    else:
        content = spec.model_dump(mode="json")
        command = [sys.executable, "-m", "relearn", "run", str(task), "--study", str(place)]
        if gpus():
            command += ["--set", f"execution.gpus={1 / per_device}"]
    task.write_text(json.dumps(content))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "HF_HUB_OFFLINE": "1",
        # Ray lets its workers give way to everything else on a machine. Here they are what is measured.
        "RAY_worker_niceness": "0",
        # Each arm starts a cluster of its own: Ray would join any that runs here, or wait for one that is gone.
        "RAY_ADDRESS": "local",
    }
    load = os.getloadavg()[0]
    usage = run(command, work / "output.txt", ROOT, environment)
    if usage.exit_code:
        raise RunFailedError(
            f"{one.workload.name} {one.arm} ended with {usage.exit_code}; {work / 'output.txt'} ends with: "
            + (work / "output.txt").read_text()[-800:]
        )
    account = of_cells(place) if one.arm in PLAIN else of_study(place)
    return {
        "workload": one.workload.name,
        "arm": one.arm,
        "repeat": one.repeat,
        "load_before": load,
        "disk_bytes": bytes_under(place),
        **asdict(usage),
        **account,
        "seconds_to_first_step": account["first_step"] - usage.began,
        "weights": weights_of(model),
        "adapters": sorted(_adapters(spec)),
        "peak": gpus() * (peak_of(accelerator(), spec.precision) or 0.0),
    }


def _adapters(spec: StudySpec) -> Iterator[str]:
    optimisers = {"unlearn": spec.unlearn, "relearn": spec.relearn}
    if spec.finetune is not None:
        optimisers["finetune"] = spec.finetune.optimiser
    return (kind for kind, optimiser in optimisers.items() if optimiser.lora is not None)
