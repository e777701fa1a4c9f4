"""The workloads: which cells are computed, fixed before anything runs, and by which arms.

Every workload but (c) starts from one pretrained folder that is made once before any clock starts; else making
it would be most of what a plain grid does, and the comparison too easy. A study of the same spec also asks
its reference models, which no plain arm does: that counts against this project.
"""

import itertools
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from search_spaces.experiments.names import names
from search_spaces.experiments.tofu import tofu_mini
from search_spaces.loading import validate
from study.spec import StudySpec

Cell = dict[str, Any]
AXES = ("relearn_steps", "corpus", "depth", "seed", "repetitions")
"""In the order of a plain grid, the last fastest: neighbours then share little, so that nobody waits for another
who makes what both need. It makes no difference to arms that share nothing."""

PLAIN = ("B0", "B1", "B2")
SHARE_NOTHING = ("B0", "B1")
"""Arms whose cells know nothing of each other, so that a sample says what all of them take."""

RUNGS: Mapping[str, Mapping[str, Any]] = {
    "B3": {},
    "B3 asks one by one": {"execution.evaluation_batch": 1},
    "B3 one stage at a time": {"execution.cpus": 2},
    "B3 leaves no states": {"execution.checkpoint_every_steps": None},
}
"""This project, and with each rung that can be switched off switched off."""


@dataclass(frozen=True)
class Workload:
    """One set of cells.

    Attributes:
        fields: of the StudySpec, but for ``model``.
        arms: which arms compute it.
        sampled: arm → how many cells it computes of all, where that is not all; stratified, see ``sample``.
        targets: arm → what its wall time over B3's must be at least.
        repeats: arm → how often it runs, where that is not as often as asked.
    """

    name: str
    title: str
    fields: Mapping[str, Any]
    arms: tuple[str, ...] = (*PLAIN, "B3")
    sampled: Mapping[str, int] = field(default_factory=dict)
    targets: Mapping[str, float] = field(default_factory=dict)
    repeats: Mapping[str, int] = field(default_factory=dict)

    def spec(self, model: str, changes: Mapping[str, Any] | None = None) -> StudySpec:
        """The study, on a model's folder; ``changes`` are paths into it, as of a rung."""
        fields = {**self.fields, "name": f"bench-{self.name}", "model": [model]}
        for path, value in (changes or {}).items():
            group, _, key = path.partition(".")
            fields[group] = {**fields[group], key: value}
        return validate(fields, place=f"workload {self.name}")

    def cells(self, arm: str) -> list[Cell]:
        """What an arm computes."""
        every = grid(self.fields)
        return sample(every, self.sampled[arm]) if arm in self.sampled else every


def grid(fields: Mapping[str, Any]) -> list[Cell]:
    """All cells of the axes."""
    return [
        dict(zip(AXES, values, strict=True)) for values in itertools.product(*(fields[axis] for axis in AXES))
    ]


def sample(cells: list[Cell], size: int) -> list[Cell]:
    """A sample stratified by depth and step count, the same in every run: those two set what a cell costs.

    The strata come in an order in which as many of them as there are step counts hold each step count once, with
    the depths in turn; so a small sample has the grid's mean too, if its size is a multiple of that.
    """
    draw = random.Random(0)
    depths, counts = (sorted({cell[axis] for cell in cells}) for axis in ("depth", "relearn_steps"))
    strata: dict[tuple[int, int], list[Cell]] = {}
    for cell in cells:
        i, j = counts.index(cell["relearn_steps"]), depths.index(cell["depth"])
        strata.setdefault(((i + j) % len(depths), i), []).append(cell)
    chosen: list[Cell] = []
    while len(chosen) < size:
        for _, stratum in sorted(strata.items()):
            if stratum and len(chosen) < size:
                chosen.append(stratum.pop(draw.randrange(len(stratum))))
    return chosen


def name_of(cell: Mapping[str, Any]) -> str:
    """A cell as a word that a file can be called."""
    return "-".join(f"{axis}={cell[axis]}" for axis in AXES)


def fields_of(spec: StudySpec, **changes: Any) -> dict[str, Any]:
    """A study's fields, with some of them changed, as those of a workload."""
    return {**spec.model_dump(mode="json"), "question": "", "start": ["unlearned"], **changes}


def _names(**changes: Any) -> dict[str, Any]:
    """The default names study with its own settings, on a grid of 3 × 4 × 1 × 6 cells."""
    axes = {
        "repetitions": [7, 3, 1],
        "depth": [6, 8, 10, 12],
        "corpus": ["prefix"],
        "relearn_steps": [0, 12, 24, 36, 48, 60],
        "seed": [0],
    }
    return fields_of(names(), **{**axes, **changes})


CORPORA = ["prefix", "retain", "unrelated", "gibberish"]
TINY: dict[str, Any] = {
    "scenario": {"name": "names", "queries": 6},
    "embedded": {
        "architecture": {"layers": 1, "width": 16, "heads": 2},
        "pretraining": {"steps": 2, "optimiser": {"learning_rate": 1e-3, "batch_size": 4}},
    },
    "finetune": {"steps": 3, "optimiser": {"learning_rate": 1e-3, "batch_size": 5}},
    "generation": {"max_new_tokens": 4},
}

SMALLEST = Workload(
    "smallest",
    "the smallest: a test of the benchmark",
    _names(**TINY, repetitions=[7, 1], depth=[1], relearn_steps=[0, 2]),
)
A = Workload(
    "a",
    "(a) names, 72 cells: 3 repetition counts × 4 depths × 1 corpus × 6 step counts",
    _names(),
    targets={"B0": 12, "B1": 6, "B2": 1.5},
)
RUNG = Workload("rungs", "(a) with one rung switched off", _names(), arms=tuple(RUNGS)[1:])
B = Workload(
    "b",
    "(b) names, 288 cells: (a) × 4 corpora",
    _names(corpus=CORPORA),
    sampled={"B0": 24, "B1": 24},
    targets={"B0": 25},
)
C = Workload(
    "c",
    "(c) TOFU miniature, SmolLM2-135M, relearned with LoRA",
    fields_of(
        tofu_mini(),
        depth=[2, 4],
        corpus=["same_author"],
        relearn_steps=[0, 15, 30, 48, 60],
        finetune={"steps": 12, "optimiser": {"learning_rate": 1e-4, "batch_size": 8}},
        unlearn={"learning_rate": 1e-4, "batch_size": 8},
        relearn={"learning_rate": 2e-4, "batch_size": 8, "lora": {"rank": 16, "alpha": 32}},
    ),
)
D = Workload(
    "d",
    "(d) a study that shares nothing: one cell a seed",
    _names(repetitions=[7], depth=[8], relearn_steps=[24], seed=list(range(16))),
    arms=("B1", "B3"),
    targets={"B1": 0.95},
)
WORKLOADS = {workload.name: workload for workload in (A, B, C, D, RUNG)}
