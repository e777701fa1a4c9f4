"""One cell by hand: finetune, unlearn, relearn, evaluate, with the project's own mathematics and none of its sharing.

So every arm computes the same numbers, and the arms differ in nothing but what they do how often.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from benchmarks.comparison.workloads import Cell, name_of
from study.evaluation.answering.generation import answer_probes
from study.models.adapters.product import Product
from study.models.pretrained import fingerprint
from study.models.resident import Resident
from study.planning.stages import Checkpoint, Pretrained, Trajectory
from study.spec import StudySpec
from study.text.examples import Corpus, Material
from study.training.loop import train
from study.training.training_state import Progress


def source_of(spec: StudySpec) -> Pretrained:
    """The pretrained model; its folder is hashed, as reading it asks whether it is still the same."""
    return Pretrained(spec.model[0], fingerprint(spec.model[0]), spec.attention, spec.precision)


class Pipeline:
    """The steps of one cell on a resident model, and the account of them."""

    def __init__(self, spec: StudySpec, resident: Resident, cell: Cell) -> None:
        self._spec = spec
        self._resident = resident
        self._cell = cell
        self._material = material(spec, cell["repetitions"])
        self.account: dict[str, Any] = {"train": {}, "evaluations": 0, "evaluation_seconds": 0.0}

    def finetune(self) -> None:
        """Learns D."""
        if self._spec.finetune is None:
            raise ValueError("the benchmark's workloads finetune")
        self._take(
            "finetune", self._material.learned, self._spec.finetune.optimiser, self._spec.finetune.steps
        )

    def unlearn(self) -> None:
        """Unlearns D_u, as deep as the cell says."""
        self._take("unlearn", self._material.forget, self._spec.unlearn, self._cell["depth"])

    def relearn(self) -> None:
        """Relearns D′, as long as the cell says."""
        corpus = self._material.relearn[self._cell["corpus"]].corpus
        self._take("relearn", corpus, self._spec.relearn, self._cell["relearn_steps"])

    def evaluate(self) -> list[dict[str, Any]]:
        """Asks all probes."""
        began = time.perf_counter()
        execution = self._spec.execution
        answers = answer_probes(
            self._resident,
            self._material.probes,
            self._spec.generation.max_new_tokens,
            execution.evaluation_batch,
        )
        self.account["evaluations"] += 1
        self.account["evaluation_seconds"] += time.perf_counter() - began
        return [answer.row() for answer in answers]

    def _take(self, kind: str, data: Corpus, optimiser: Any, steps: int) -> None:
        if not steps:
            return
        began = time.perf_counter()
        self.account.setdefault("first_step", time.time())
        trajectory = Trajectory(
            kind=kind,
            parent=Checkpoint(self._resident.source, 0),
            method=next(iter(self._spec.the_methods.values())) if kind == "unlearn" else None,
            data=data,
            retain=None,
            optimiser=optimiser,
            seed=self._cell["seed"],
            max_length=self._spec.max_length,
        )
        progress = train(
            trajectory, self._resident, steps, (), _nobody, micro_batch=self._spec.execution.micro_batch
        )
        self.account["train"][kind] = {
            "steps": steps,
            "tokens": progress.loss_tokens,
            "seconds": time.perf_counter() - began,
        }


def leave(folder: Path, cell: Cell, pipeline: Pipeline, answers: list[dict[str, Any]]) -> None:
    """Writes a cell's answers and account."""
    content = {"cell": cell, "answers": answers, "account": pipeline.account, "pid": os.getpid()}
    (folder / "cells").mkdir(exist_ok=True)
    (folder / "cells" / f"{name_of(cell)}.json").write_text(json.dumps(content))


_MADE: dict[tuple[str, int], Material] = {}


def material(spec: StudySpec, repetitions: int) -> Material:
    """The scenario's texts, made once a process."""
    if (spec.name, repetitions) not in _MADE:
        _MADE[spec.name, repetitions] = spec.the_scenario.material(repetitions)
    return _MADE[spec.name, repetitions]


def _nobody(step: int, progress: Progress, product: Product | None) -> None:
    """Nobody looks on the way."""
