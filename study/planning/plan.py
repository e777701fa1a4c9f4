"""The plan: a spec turned into the tree of unique stages, and which cell is read off where. Pure data.

    Base ─ Finetune(D, seed) ─ Unlearn(method) ──●──●──●   depths: evaluated, that is relearn_steps 0
                                                 └ Relearn(D′) ──○──○──○   each evaluated in place

Stages are equal when their keys are, so what cells share appears once without any rule about sharing:
cells name checkpoints, checkpoints name trajectories, and the trajectories are merged by key, each as far
as its furthest cell wants it. Weights are kept only at steps where some other trajectory starts.

Nothing here starts Ray, loads torch or touches a store.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from study.artifacts.address import Address
from study.planning.proposer import Point
from study.planning.stages import (
    Checkpoint,
    Evaluation,
    Stage,
)
from study.scenarios.leak_audit import Audit
from study.spec import StudySpec

NO_CORPUS = "none"


@dataclass(frozen=True)
class Cell:
    """One point of the grid, and the checkpoint its rows are read off.

    ``corpus`` is ``none`` for the two reference cells of each pipeline, the base model and the finetuned
    one, which are evaluated but never relearned; elsewhere it is the label of the attack, and ``point`` the
    trajectory that it belongs to.
    """

    scenario: str
    model: str
    method: str
    start: str
    repetitions: int
    depth: int
    corpus: str
    relearn_steps: int
    seed: int
    benign: bool
    checkpoint: Checkpoint
    evaluation: Evaluation
    point: Point | None = None

    @property
    def coordinates(self) -> tuple[str | int, ...]:
        """In the order of ``results.COORDINATES``."""
        return (
            self.scenario,
            self.model,
            self.method,
            self.start,
            self.repetitions,
            self.depth,
            self.corpus,
            self.relearn_steps,
            self.seed,
        )


@dataclass(frozen=True)
class Plan:
    """All cells of a study, and the stages that compute them, every parent before its children.

    ``audits`` says for each repetition count what was found in each relearn corpus.
    """

    spec: StudySpec
    cells: tuple[Cell, ...]
    stages: dict[str, Stage]
    audits: Mapping[int, tuple[Audit, ...]]

    @cached_property
    def children(self) -> dict[str, list[str]]:
        """Stage key → the stages that start from one of its checkpoints."""
        found: dict[str, list[str]] = {key: [] for key in self.stages}
        for key, stage in self.stages.items():
            for parent in stage.parents:
                found[parent.of.key].append(key)
        return found

    @cached_property
    def cells_of(self) -> dict[str, list[Cell]]:
        """Stage key → the cells that are read off its checkpoints."""
        found: dict[str, list[Cell]] = {key: [] for key in self.stages}
        for cell in self.cells:
            found[cell.checkpoint.of.key].append(cell)
        return found

    @cached_property
    def work_behind(self) -> dict[str, int]:
        """Stage key → optimiser steps on the longest path from its start to a leaf: the critical path."""
        found: dict[str, int] = {}
        for key in reversed(self.stages):
            after = max((found[child] for child in self.children[key]), default=0)
            found[key] = self.stages[key].last_step + after
        return found

    def descendants(self, key: str) -> set[str]:
        """Every stage below one, not itself."""
        found = set(self.children[key])
        for child in self.children[key]:
            found |= self.descendants(child)
        return found


def answers_address(cell: Cell) -> Address:
    """Where the answers lie that a cell is read off."""
    checkpoint = cell.checkpoint
    return Address.of_answers(checkpoint.of.key, checkpoint.step, cell.evaluation.key)
