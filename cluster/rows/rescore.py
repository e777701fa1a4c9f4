"""Scoring a study's stored completions again, without a model and without a GPU.

Every file of probes is read, scored and replaced as a whole, and the rows of its cells are computed again from it. A
reader at any moment sees each row once, with or without the new score.
"""

import _thread
from collections.abc import Callable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from cluster.study_folder.event_log import EventLog
from cluster.study_folder.lease import StudyHeldError, hold
from study.errors import SpecError, did_you_mean
from study.evaluation.rows import Row, cell_rows, probe_of
from study.evaluation.scorers import SCORERS
from study.results.files import dataset_files, read_file, write_table
from study.results.merged_cells import merge_cells
from study.results.schema import CELLS, PROBES, coordinates_of, table

FACTS = ("train_tokens", "train_seconds", "evaluation_seconds", "weight_distance")
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
    return lambda row: {metric: SCORERS[metric](probe_of(row), row["completion"])}


def rescore(folder: Path, scorer: Scorer) -> int:
    """Gives every probe of a study the columns that a scorer returns.

    Returns:
        How many probes got a score that is not null.

    Raises:
        StudyHeldError: a driver runs this study.
    """
    taken_over: list[str] = []

    def lost(by: str) -> None:
        taken_over.append(by)
        _thread.interrupt_main()

    try:
        with hold(folder, lost):
            return _rescore(folder, scorer)
    except KeyboardInterrupt:
        if taken_over:
            raise StudyHeldError(
                f"{folder} was taken over by {taken_over[0]} while this process did not answer: score again when "
                "that has ended"
            ) from None
        raise


def _rescore(folder: Path, scorer: Scorer) -> int:
    scored = 0
    log = EventLog(folder / "log")
    for path in dataset_files(folder, "probes"):
        before = read_file(path, "probes").to_pylist()
        scores = [scorer(row) for row in before]
        scored += sum(any(value is not None for value in score.values()) for score in scores)
        rows = [{**row, **score} for row, score in zip(before, scores, strict=True)]
        if rows != before:
            write_table(table(rows, PROBES), path)
        _rewrite_cells(folder, path.name, rows)
    merge_cells(folder)
    log.write("scored again", probes=scored)
    return scored


def _rewrite_cells(folder: Path, name: str, probes: list[Row]) -> None:
    """The cells' file beside a probes' file, made again; both are named after the same stage and cells."""
    path = next((path for path in dataset_files(folder, "cells") if path.name == name), None)
    if path is None:
        return
    old = read_file(path, "cells").to_pylist()
    facts = {coordinates_of(row): {fact: row[fact] for fact in FACTS} for row in old}
    rows = [
        row
        for coordinates, of_cell in groupby(probes, key=coordinates_of)
        for row in cell_rows(list(of_cell), facts[coordinates])
    ]
    if rows != old:
        write_table(table(rows, CELLS), path)
