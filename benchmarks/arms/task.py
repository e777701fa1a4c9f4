"""What an arm is told, as one file: the study, the cells, where to leave the results."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune

from benchmarks.comparison.workloads import AXES, Cell, grid
from study.spec import StudySpec


@dataclass(frozen=True)
class Task:
    """``per_device`` is how many trials share a GPU; without one each trial has a core."""

    fields: dict[str, Any]
    cells: list[Cell]
    folder: Path
    gpus: int
    per_device: int

    @classmethod
    def from_command_line(cls) -> "Task":
        """Reads the file that the first argument names."""
        content = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
        return cls(**{**content, "folder": Path(content["folder"])})

    @property
    def spec(self) -> StudySpec:
        return StudySpec.model_validate(self.fields)

    @property
    def resources(self) -> dict[str, float]:
        """Of one trial."""
        return {"cpu": 1, "gpu": 1 / self.per_device if self.gpus else 0}

    @property
    def param_space(self) -> dict[str, Any]:
        """The whole grid as Tune's own, or a sample of it as one axis of cells."""
        if len(self.cells) == len(grid(self.fields)):
            return {axis: tune.grid_search(self.fields[axis]) for axis in reversed(AXES)}
        return {"cell": tune.grid_search(self.cells)}


def cell_of(config: dict[str, Any]) -> Cell:
    """A trial's configuration as a cell."""
    cell: Cell = config.get("cell", config)
    return {axis: cell[axis] for axis in AXES}
