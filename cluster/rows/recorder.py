"""Published answers → the study's rows, each exactly once.

All cells that are read off one stage have their rows in one file, which is named after the stage: two writers cannot
double a row. Cells that come later are added by writing the file again, whole. Which cells have rows is read from the
files at the start, so that a crash loses no row.
"""

from collections.abc import Container
from pathlib import Path

import pyarrow as pa

from cluster.study_folder.lease import Lease
from study.artifacts.address import Address, Store
from study.errors import IntegrityError
from study.evaluation.answers_file import ANSWERS_FILE, read_answers
from study.evaluation.rows import Row, cell_facts, cell_rows, probe_rows
from study.planning.plan import Plan, answers_address
from study.results.files import read_dataset, read_file, rows_file, write_table
from study.results.merged_cells import read_cells
from study.results.schema import CELLS, COORDINATES, DATASETS, PROBES, Coordinates, coordinates_of, table


class Recorder:
    """Writes the rows of one study, while its lease is held."""

    def __init__(self, lease: Lease, plan: Plan, store: Store) -> None:
        self._lease = lease
        self._plan = plan
        self._store = store
        self._covered = {dataset: self._rows_of(plan, dataset) for dataset in DATASETS}
        self._recorded = sum(cell.coordinates in self._covered["cells"] for cell in plan.cells)

    @property
    def cells_recorded(self) -> int:
        """How many of the plan's cells have rows."""
        return self._recorded

    def record(self, stage_key: str, published: Container[Address] | None = None) -> None:
        """Writes the rows of every cell that can be read off a stage now and has none.

        Args:
            published: what the store has, where that is known; otherwise it is asked.
        """
        ready = [
            cell for cell in self._plan.cells_of[stage_key] if self._has(answers_address(cell), published)
        ]
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
            cells[coordinates] = cell_rows(rows, cell_facts(self._store.record(address)))
        for dataset, schema, rows_of in (("probes", PROBES, probes), ("cells", CELLS, cells)):
            chosen = [cell.coordinates for cell in fresh[dataset]]
            if chosen:
                built = table([row for name in chosen for row in rows_of[name]], schema)
                self._add(built, dataset, rows_file(self._lease.folder, dataset, stage_key))
                self._covered[dataset].update(chosen)
                if dataset == "cells":
                    self._recorded += len(chosen)

    def _rows_of(self, plan: Plan, dataset: str) -> set[Coordinates]:
        """The cells that have rows.

        Raises:
            IntegrityError: rows of another study stand under the coordinates of a cell of this one.
        """
        rows = read_dataset(self._lease.folder, dataset, (*COORDINATES, "stage"))
        stages = {cell.coordinates: cell.checkpoint.of.key for cell in plan.cells}
        found = set()
        for row in rows.group_by([*COORDINATES, "stage"]).aggregate([]).to_pylist():
            coordinates = coordinates_of(row)
            if stages.get(coordinates, row["stage"]) != row["stage"]:
                raise IntegrityError(
                    f"{self._lease.folder} has rows of another study under the coordinates of its own ({dataset}, "
                    f"stage {row['stage']}): move them aside with `relearn verify {self._lease.folder} --repair`"
                )
            found.add(coordinates)
        return found

    def _add(self, built: pa.Table, dataset: str, path: Path) -> None:
        if path.exists():
            before = read_file(path, dataset)
            known = _coordinates(before.select(COORDINATES))
            others = [coordinates_of(row) not in known for row in built.select(COORDINATES).to_pylist()]
            built = pa.concat_tables([before.cast(built.schema), built.filter(pa.array(others, pa.bool_()))])
        self._lease.check()
        write_table(built, path)

    def _has(self, address: Address, published: Container[Address] | None) -> bool:
        return self._store.has(address) if published is None else address in published


def cells_recorded(folder: Path, plan: Plan) -> int:
    """How many of a plan's cells have rows, where nothing is to be written."""
    covered = _coordinates(read_cells(folder, COORDINATES))
    return sum(cell.coordinates in covered for cell in plan.cells)


def _coordinates(rows: pa.Table) -> set[Coordinates]:
    distinct = rows.group_by(list(COORDINATES)).aggregate([])
    return {coordinates_of(row) for row in distinct.to_pylist()}
