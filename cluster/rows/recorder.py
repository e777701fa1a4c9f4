"""Published answers → the study's rows, each exactly once.

The cells that are read off one stage and have no rows yet get them in one file, which is named after the stage and
those cells and is never written again. Which cells have rows is read from the files at the start, so that a crash
loses no row and doubles none.
"""

from pathlib import Path

import pyarrow as pa

from study.artifacts import Store
from study.evaluation.answers_file import ANSWERS_FILE, read_answers
from study.evaluation.rows import Row, cell_facts, cell_rows, probe_rows
from study.planning.plan import Plan, answers_address
from study.results.files import read_dataset, rows_file, write_table
from study.results.merged_cells import read_cells
from study.results.schema import CELLS, COORDINATES, DATASETS, PROBES, Coordinates, coordinates_of, table


class Recorder:
    """Writes the rows of one study."""

    def __init__(self, folder: Path, plan: Plan, store: Store) -> None:
        self._folder = folder
        self._plan = plan
        self._store = store
        self._covered = {
            dataset: _coordinates(read_dataset(folder, dataset, COORDINATES)) for dataset in DATASETS
        }
        self._recorded = sum(cell.coordinates in self._covered["cells"] for cell in plan.cells)

    @property
    def cells_recorded(self) -> int:
        """How many of the plan's cells have rows."""
        return self._recorded

    def record(self, stage_key: str) -> None:
        """Writes the rows of every cell that can be read off a stage now and has none."""
        ready = [cell for cell in self._plan.cells_of[stage_key] if self._store.has(answers_address(cell))]
        fresh = {
            dataset: [cell for cell in ready if cell.coordinates not in covered]
            for dataset, covered in self._covered.items()
        }
        if not any(fresh.values()):
            return
        unrecorded = {cell.coordinates: cell for cells in fresh.values() for cell in cells}
        probes: dict[Coordinates, list[Row]] = {}
        cells: dict[Coordinates, list[Row]] = {}
        for coordinates, cell in unrecorded.items():
            address = answers_address(cell)
            answers = read_answers(self._store.file(address, ANSWERS_FILE))
            rows = probe_rows(cell, answers, self._plan.spec.the_scenario.metrics())
            probes[coordinates] = rows
            cells[coordinates] = cell_rows(rows, cell_facts(self._store.record(address)["facts"]))
        for dataset, schema, rows_of in (("probes", PROBES, probes), ("cells", CELLS, cells)):
            chosen = [cell.coordinates for cell in fresh[dataset]]
            if chosen:
                built = table([row for name in chosen for row in rows_of[name]], schema)
                write_table(built, rows_file(self._folder, dataset, stage_key, chosen))
                self._covered[dataset].update(chosen)
                if dataset == "cells":
                    self._recorded += len(chosen)


def cells_recorded(folder: Path, plan: Plan) -> int:
    """How many of a plan's cells have rows, where nothing is to be written."""
    covered = _coordinates(read_cells(folder, COORDINATES))
    return sum(cell.coordinates in covered for cell in plan.cells)


def _coordinates(rows: pa.Table) -> set[Coordinates]:
    distinct = rows.group_by(list(COORDINATES)).aggregate([])
    return {coordinates_of(row) for row in distinct.to_pylist()}
