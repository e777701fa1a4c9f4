"""Stage → artifacts: runs one trajectory to its furthest missing step, publishing on the way.

Whatever is published already is not made again. A checkpoint whose weights are there and whose answers are
not is evaluated without training. Otherwise the trajectory runs from its parent's checkpoint; since it is
deterministic, running it further later adds steps and changes none.
"""

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from study.answers_file import ANSWERS_FILE, answers_table
from study.artifacts import Address, Store
from study.evaluation.answers import ask
from study.models import Resident, Source
from study.provenance import describe_node, environment
from study.results import write_table
from study.spec import Execution
from study.stages import Checkpoint, Evaluation, Stage, Trajectory
from study.training import Progress, train

WEIGHTS_FILE = "weights.safetensors"


@dataclass
class Work:
    """What a stage really did, for the log and the tests that count work."""

    train_steps: int = 0
    evaluations: int = 0
    weights_published: int = 0
    train_seconds: float = 0.0
    evaluation_seconds: float = 0.0


class Residents:
    """The model that a process keeps in memory between stages: the last one used."""

    def __init__(self) -> None:
        self._resident: Resident | None = None
        self.loads = 0

    def get(self, source: Source) -> Resident:
        """The model of a source; built only when another one is resident."""
        if self._resident is None or self._resident.source.key != source.key:
            self._resident = None  # frees the old one first: two may not fit
            self._resident = Resident(source)
            self.loads += 1
        return self._resident


def missing_addresses(stage: Stage, store: Store) -> list[Address]:
    """What a stage has still to publish."""
    wanted = [Address.of_weights(stage.key, step) for step in stage.keep]
    wanted += [Address.of_answers(stage.key, step, evaluation.key) for step, evaluation in stage.evaluate]
    return [address for address in wanted if not store.has(address)]


def perform(
    stage: Stage,
    store: Store,
    residents: Residents,
    execution: Execution,
    published: Callable[[Address], None] = lambda address: None,
) -> Work:
    """Publishes what is missing of a stage.

    Args:
        stage: its parent's checkpoint must be published.
        published: called after each artifact that this call made and the store accepted.

    Raises:
        DivergedError: the training left the finite numbers.
        IntegrityError: the parent's stored bytes are not what its record says.
    """
    return _Performance(stage, store, residents, execution, published).run()


class _Performance:
    def __init__(
        self,
        stage: Stage,
        store: Store,
        residents: Residents,
        execution: Execution,
        published: Callable[[Address], None],
    ) -> None:
        self._stage = stage
        self._store = store
        self._execution = execution
        self._published = published
        node = stage.node
        self._resident = residents.get(node.source if isinstance(node, Trajectory) else node)
        self._work = Work()
        self._started = time.perf_counter()

    def run(self) -> Work:
        missing = missing_addresses(self._stage, self._store)
        node = self._stage.node
        steps = {address.step for address in missing}
        if not isinstance(node, Trajectory):
            self._resident.reset()
            self._reached(0, Progress())
            return self._work
        for step in sorted(steps):
            weights = Address.of_weights(node.key, step)
            if self._store.has(weights):
                self._resident.load(self._store.file(weights, WEIGHTS_FILE))
                known = self._store.record(weights)["facts"]
                self._reached(step, Progress(step, int(known["train_tokens"])))
                steps.discard(step)
        if steps:
            self._load(node.parent)
            self._started = time.perf_counter()
            train(
                node,
                self._resident,
                last_step=max(steps),
                stops=steps,
                reached=self._reached,
                micro_batch=self._execution.micro_batch,
                helper=None if node.helper is None else self._weights(node.helper),
                activation_checkpointing=self._execution.activation_checkpointing,
            )
            self._work.train_steps = max(steps)
            self._work.train_seconds = self._train_seconds()
        return self._work

    def _load(self, checkpoint: Checkpoint) -> None:
        if isinstance(checkpoint.of, Trajectory):
            self._resident.load(self._weights(checkpoint))
        else:
            self._resident.reset()

    def _weights(self, checkpoint: Checkpoint) -> Path:
        return self._store.file(Address.of_weights(checkpoint.of.key, checkpoint.step), WEIGHTS_FILE)

    def _distance(self) -> float | None:
        """From the model before unlearning and relearning; None for a model above that."""
        node = self._stage.node
        origin = node.origin if isinstance(node, Trajectory) else None
        if origin is None:
            return None
        return self._resident.distance(self._weights(origin) if isinstance(origin.of, Trajectory) else None)

    def _train_seconds(self) -> float:
        """Wall time since the trajectory began, without what evaluating and publishing took."""
        return time.perf_counter() - self._started

    def _reached(self, step: int, progress: Progress) -> None:
        train_seconds = self._train_seconds()
        paused = time.perf_counter()
        facts = {
            "train_steps": progress.steps,
            "train_tokens": progress.loss_tokens,
            "train_seconds": train_seconds,
        }
        # Evaluated first: a model that turns out to have diverged is not handed on.
        for at, evaluation in self._stage.evaluate:
            address = Address.of_answers(self._stage.key, step, evaluation.key)
            if at == step and not self._store.has(address):
                self._evaluate(address, evaluation, facts)
        weights = Address.of_weights(self._stage.key, step)
        if step in self._stage.keep and not self._store.has(weights):
            self._publish(weights, self._resident.save, WEIGHTS_FILE, facts)
            self._work.weights_published += 1
        self._started += time.perf_counter() - paused

    def _evaluate(self, address: Address, evaluation: Evaluation, facts: Mapping[str, Any]) -> None:
        began = time.perf_counter()
        answers = ask(
            self._resident,
            evaluation.probes,
            evaluation.generation.max_new_tokens,
            self._execution.evaluation_batch,
        )
        seconds = time.perf_counter() - began
        self._work.evaluations += 1
        self._work.evaluation_seconds += seconds
        self._publish(
            address,
            lambda path: write_table(answers_table([answer.row() for answer in answers]), path),
            ANSWERS_FILE,
            {
                **facts,
                "evaluation_seconds": seconds,
                "probes": len(answers),
                "weight_distance": self._distance(),
            },
        )

    def _publish(
        self,
        address: Address,
        write: Callable[[Path], None],
        name: str,
        facts: Mapping[str, Any],
    ) -> None:
        with self._store.staging() as folder:
            write(folder / name)
            accepted = self._store.publish(
                address,
                folder,
                {
                    "stage": describe_node(self._stage.node),
                    "facts": dict(facts),
                    "environment": environment(),
                    "device": str(self._resident.device),
                    "threads": torch.get_num_threads(),
                    "node": platform.node(),
                },
            )
        if accepted:
            self._published(address)
