"""Does a file of rows follow from the artifacts? Its rows are made again and compared."""

from itertools import groupby
from pathlib import Path

from study.artifacts.address import Store
from study.errors import IntegrityError
from study.evaluation.answers_file import ANSWERS_FILE, read_answers
from study.evaluation.rows import Row, cell_facts, cell_rows, probe_rows
from study.evaluation.scorers import SCORERS
from study.planning.plan import Cell, Plan, answers_address
from study.results.files import has_name_of_rows, read_file
from study.results.schema import CELLS, PROBES, Coordinates, coordinates_of, table

JUDGED = ("judge_rating", "judge_reply", "judge_unrated")
"""Columns that come from elsewhere than the artifacts."""

TIMES = ("train_seconds", "evaluation_seconds")
"""Which differ where an artifact was computed again after its rows had been written."""


class RebuiltRows:
    """The rows of one study as they have to be."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self._cells = {cell.coordinates: cell for cell in plan.cells}
        self._metrics = plan.spec.the_scenario.metrics()
        self._store = store

    def problem(self, path: Path, dataset: str) -> tuple[str | None, list[Coordinates], int]:
        """What is wrong with a file in words, or None; the cells in it; how many rows it has.

        A cell whose answers the store does not have, or has spoilt, is not compared: that is another problem.
        """
        rows = read_file(path, dataset).to_pylist()
        by_cell = {name: list(of) for name, of in groupby(rows, key=coordinates_of)}
        cells = list(by_cell)
        if sum(len(of) for of in by_cell.values()) != len(rows):
            return "a cell's rows do not stand together", cells, len(rows)
        if not has_name_of_rows(path, (row["stage"] for row in rows), cells):
            return "its name is that of other rows", cells, len(rows)
        for name, found in by_cell.items():
            cell = self._cells.get(name)
            if cell is None:
                return f"a cell that the study does not have: {name}", cells, len(rows)
            expected = self._expected(cell, dataset, _scored(found, dataset))
            if expected is not None and _written_before(found):
                expected = [{**row, "device": None} for row in expected]
            if expected is not None and _comparable(found, dataset) != _comparable(expected, dataset):
                return (
                    f"rows that do not follow from the answers of {cell.checkpoint.of.key}",
                    cells,
                    len(rows),
                )
        return None, cells, len(rows)

    def _expected(self, cell: Cell, dataset: str, scored: set[str]) -> list[Row] | None:
        address = answers_address(cell)
        try:
            answers = read_answers(self._store.file(address, ANSWERS_FILE))
        except (KeyError, IntegrityError):
            return None
        probes = probe_rows(cell, answers, scored.union(self._metrics))
        if dataset == "probes":
            return list(table(probes, PROBES).to_pylist())
        rows = cell_rows(probes, cell_facts(self._store.record(address)))
        return list(table(rows, CELLS).to_pylist())


def _written_before(rows: list[Row]) -> bool:
    """Whether the file is older than the column ``device``, which no row of this version leaves open."""
    return any("device" in row and row["device"] is None for row in rows)


def _scored(rows: list[Row], dataset: str) -> set[str]:
    """The scores of texts that the rows have, also those that were asked for later (`relearn score`)."""
    if dataset == "cells":
        return {row["metric"] for row in rows}.intersection(SCORERS)
    return {name for name in SCORERS if any(row[name] is not None for row in rows)}


def _comparable(rows: list[Row], dataset: str) -> list[Row]:
    """In one order, without a judge's ratings and without times."""
    if dataset == "cells":
        rows = sorted(
            (row for row in rows if not row["metric"].startswith("judge")),
            key=lambda row: (str(row["split"]), str(row["metric"])),
        )
    left_out = ("scores_version", *JUDGED, *TIMES)
    return [{name: value for name, value in row.items() if name not in left_out} for row in rows]
