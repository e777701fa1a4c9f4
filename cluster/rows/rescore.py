"""Scoring a study's stored completions again, without a model and without a GPU.

Every file of probes is read, scored and replaced as a whole, and the rows of its cells are computed again from it. A
reader at any moment sees each row once, with or without the new score.
"""

import _thread
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from cluster.study_folder.event_log import EventLog
from cluster.study_folder.lease import Lease, hold
from study.errors import RelearnError, SpecError, did_you_mean
from study.evaluation.rows import Row, cell_rows, probe_of
from study.evaluation.scorers import SCORERS
from study.results.files import dataset_files, read_file, write_table
from study.results.merged_cells import merge_cells
from study.results.schema import CELLS, PROBES, SCORES_VERSION, coordinates_of, table

FACTS = ("train_tokens", "train_seconds", "evaluation_seconds", "weight_distance", "device")
Scorer = Callable[[Row], Mapping[str, Any]]


def text_scorer(metric: str) -> Scorer:
    """A scorer of ``study.evaluation.scorers`` over rows.

    Raises:
        SpecError: there is none of that name.
    """
    if metric not in SCORERS:
        raise SpecError(
            f"--metric {metric}: no such score; there are {', '.join(SCORERS)}{did_you_mean(metric, SCORERS)}"
        )

    def scores(row: Row) -> Mapping[str, Any]:
        # A row has one version: where it is an older one, all of its scores are made again.
        old = row["scores_version"] != SCORES_VERSION
        wanted = [metric, *(name for name in SCORERS if old and name != metric and row[name] is not None)]
        probe = probe_of(row)
        made = {name: SCORERS[name](probe, row["completion"]) for name in wanted}
        return {**made, "scores_version": SCORES_VERSION}

    return scores


@contextmanager
def held_for_scoring(folder: Path) -> Iterator[Lease]:
    """Holds a study for work in the main thread, which is interrupted where another process takes the study over.

    Raises:
        StudyHeldError: another process holds the study, or took it over.
    """
    errors: list[RelearnError] = []

    def lost(error: RelearnError) -> None:
        errors.append(error)
        _thread.interrupt_main()

    try:
        with hold(folder, lost) as lease:
            yield lease
    except KeyboardInterrupt:
        if errors:
            raise errors[0] from None
        raise


def rescore(lease: Lease, scorer: Scorer) -> int:
    """Gives every probe of a study the columns that a scorer returns, the score that was asked for first.

    Returns:
        How many probes got a score that is not null.

    Raises:
        StudyHeldError: another process took the study over.
    """
    scored = 0
    folder, log = lease.folder, EventLog(lease.folder / "log")
    for path in dataset_files(folder, "probes"):
        before = read_file(path, "probes").to_pylist()
        scores = [scorer(row) for row in before]
        scored += sum(next(iter(score.values())) is not None for score in scores)
        rows = [{**row, **score} for row, score in zip(before, scores, strict=True)]
        if rows != before:
            lease.check()
            write_table(table(rows, PROBES), path)
        _rewrite_cells(lease, path.name, rows)
    lease.check()
    merge_cells(folder)
    log.write("scored again", probes=scored)
    return scored


def _rewrite_cells(lease: Lease, name: str, probes: list[Row]) -> None:
    """The rows of cells that stand beside a file of probes, made again; both files have one name."""
    path = next((path for path in dataset_files(lease.folder, "cells") if path.name == name), None)
    if path is None:
        return
    old = read_file(path, "cells").to_pylist()
    facts = {coordinates_of(row): {fact: row[fact] for fact in FACTS} for row in old}
    rows = [
        row
        for coordinates, of_cell in groupby(probes, key=coordinates_of)
        if coordinates
        in facts  # a crash between the two files leaves cells without rows, which the next run writes
        for row in cell_rows(list(of_cell), facts[coordinates])
    ]
    if rows != old:
        lease.check()
        write_table(table(rows, CELLS), path)
