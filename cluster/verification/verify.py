"""Checks a study and its store, file by file, and moves aside what is wrong."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

from cluster.rows.judge_replies import JudgeReplies
from cluster.storage.open_store import is_remote
from cluster.storage.quarantine import move_aside
from cluster.storage.store import Store
from cluster.study_folder.failures import FailureRecords
from cluster.study_folder.lease import hold
from cluster.study_folder.search_record import SEARCH_FOLDER
from cluster.study_folder.study_folder import DESCRIPTION, STUDY_FILE, StudyFolder
from cluster.verification.rebuilt_rows import RebuiltRows
from cluster.verification.report import STUDY_REMEDY, IntegrityReport, Problem
from study.artifacts.atomic_write import checksum_file, matches_checksum
from study.errors import IntegrityError, SpecError
from study.planning.plan import Plan
from study.results.files import dataset_files, dataset_folder
from study.results.merged_cells import MERGED_FILE, merge_cells
from study.results.schema import DATASETS

NOT_AS_WRITTEN = "not what was written: its checksum is not the one beside it"


def verify_study(folder: Path, store: Store, plan_of: Callable[[], Plan], *, repair: bool) -> IntegrityReport:
    """Checks a study, also while it runs and grows; repairs it only while nobody else holds it.

    Args:
        plan_of: the plan that the folder records now.

    Raises:
        StudyHeldError: repair was asked for, and another process holds the study.
    """
    study = StudyFolder(folder)
    if not repair:
        while True:
            question = study.recorded().spec
            report = _checked(folder, store, plan_of())
            if not report.problems or study.recorded().spec == question:
                return report  # otherwise the study has grown meanwhile
    study.replannable()  # what is refused leaves a folder as it was
    with hold(folder) as lease:
        plan = plan_of()
        report = _checked(folder, store, plan)
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        # What follows from the question waits until the question is put back: rows that seem wrong may be right.
        in_doubt = any(problem.remove is None for problem in report.problems)
        for index, problem in enumerate(report.problems):
            if problem.remove is None or (in_doubt and not problem.in_store):
                continue
            lease.check()
            moved = (
                store.put_aside(problem.remove, stamp)
                if problem.in_store
                else move_aside(Path(problem.remove), folder.resolve(), stamp)
            )
            report.problems[index] = replace(problem, moved=moved or problem.path)
            if problem.path.name in DESCRIPTION:  # follow from the spec alone
                study.describe(lease, plan)
        if any(problem.path == folder / MERGED_FILE for problem in report.problems):
            lease.check()
            merge_cells(folder)
        for path in report.debris:
            lease.check()
            move_aside(Path(path), folder.resolve(), stamp)
        for path in report.store_debris:
            lease.check()
            store.put_aside(path, stamp)
        return report


def _checked(folder: Path, store: Store, plan: Plan) -> IntegrityReport:
    report = IntegrityReport()
    _check_store(store, report)
    _check_study_files(folder, report)
    for dataset in DATASETS:
        _check_rows(folder, dataset, RebuiltRows(plan, store), report)
    return report


def _check_store(store: Store, report: IntegrityReport) -> None:
    found = store.check()
    report.artifacts, report.files, report.bytes = found.artifacts, found.files, found.bytes
    report.store_debris += found.leftovers
    for damage in found.damages:
        report.wrong(damage.path, damage.what, damage.whole, in_store=True)
    for name, problem in JudgeReplies(store).check():
        report.replies += 1
        if problem is not None:
            path = PurePath(name) if is_remote(store.location) else Path(store.location) / name
            report.wrong(path, problem, in_store=True)


def _check_study_files(folder: Path, report: IntegrityReport) -> None:
    if not matches_checksum(folder / STUDY_FILE):
        report.problems.append(Problem(folder / STUDY_FILE, f"{NOT_AS_WRITTEN}; {STUDY_REMEDY}", None))
    described = [folder / name for name in (*DESCRIPTION, MERGED_FILE) if (folder / name).exists()]
    for path in (*described, *sorted((folder / SEARCH_FOLDER).glob("[!.]*"))):
        if not matches_checksum(path):
            report.wrong(path, NOT_AS_WRITTEN)
    for path in FailureRecords(folder).files():
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            report.wrong(path, "cannot be read as JSON")


def _check_rows(folder: Path, dataset: str, rebuilt: RebuiltRows, report: IntegrityReport) -> None:
    file_of: dict[tuple[Any, ...], Path] = {}  # each cell that was met, by its coordinates
    files = dataset_files(folder, dataset)
    for path in files:
        report.row_files += 1
        if not matches_checksum(path):
            report.wrong(path, NOT_AS_WRITTEN)
            continue
        try:
            problem, cells, rows = rebuilt.problem(path, dataset)
        except (ValueError, SpecError, IntegrityError) as error:
            report.wrong(path, f"cannot be read ({error})")
            continue
        report.rows += rows
        twice = next((cell for cell in cells if cell in file_of), None)
        if problem is None and twice is not None:
            problem = f"a cell's rows stand in {file_of[twice].name} too"
        if problem is not None:
            report.wrong(path, problem)
            continue
        file_of |= dict.fromkeys(cells, path)
    known = {*files, *map(checksum_file, files)}
    place = dataset_folder(folder, dataset)
    for path in sorted(place.iterdir()) if place.is_dir() else []:
        if path in known:
            continue
        if path.name.startswith("."):
            report.debris.append(path)
        else:
            report.wrong(path, "is no file of rows")
