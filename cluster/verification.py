"""`relearn verify`: is everything that was accepted still what it was, and do the rows follow from it?

Checked are, by their bytes, all artifacts of the store (also those of other studies over it) and the kept
replies of a judge; by their pages and values, the rows, which are made again from the artifacts and compared.
What is wrong is named; repair moves it into a folder ``quarantine`` beside it, so that it counts as missing
and the next run computes it again. Nothing is deleted.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cluster.rows.judging import Replies
from cluster.rows.rebuilt_rows import RebuiltRows
from cluster.storage.local_store import RECORD, LocalStore
from cluster.study_folder.failures import FailureRecords
from cluster.study_folder.lease import guard
from cluster.study_folder.search_record import SEARCH_FOLDER
from cluster.study_folder.study_folder import DESCRIPTION, STUDY_FILE, StudyFolder
from study.artifacts import Address
from study.atomic_write import checksum_file, matches_checksum
from study.errors import IntegrityError, SpecError
from study.planning.plan import Plan
from study.results.files import dataset_files, dataset_folder
from study.results.merged_cells import MERGED_FILE, merge_cells
from study.results.schema import DATASETS

QUARANTINE = "quarantine"
NOT_AS_WRITTEN = "not what was written: its checksum is not the one beside it"
STUDY_REMEDY = (
    "put a copy of it back, or give the study's first command again with another --study and this --store"
)


@dataclass(frozen=True)
class Problem:
    """What is wrong with a path.

    Attributes:
        remove: what repair moves aside: the path itself, or the whole that it spoils; None where nothing
            can be computed again.
        moved: where repair moved it.
    """

    path: Path
    what: str
    remove: Path | None
    moved: Path | None = None


@dataclass
class IntegrityReport:
    """What was looked at, and what was found."""

    artifacts: int = 0
    files: int = 0
    bytes: int = 0
    row_files: int = 0
    rows: int = 0
    replies: int = 0
    debris: list[Path] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 where all is well or was repaired, 5 otherwise."""
        return 0 if all(problem.moved is not None for problem in self.problems) else IntegrityError.exit_code

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        facts: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return {**facts, "exit_code": self.exit_code}

    def summary(self, folder: Path) -> str:
        """The last lines for a person."""
        checked = (
            f"{self.artifacts:,} artifacts ({self.files:,} files, {self.bytes / 1e6:,.1f} MB), {self.rows:,} rows "
            f"in {self.row_files:,} files and {self.replies:,} replies of judges checked; "
            f"{len(self.problems):,} problems"
        )
        if self.debris:
            checked += f"; {len(self.debris):,} leftovers of killed workers, which nobody reads"
        if not self.problems:
            return checked
        if any(problem.remove is None for problem in self.problems):
            return f"{checked}\nWhat this study asks is in doubt; {STUDY_REMEDY}"
        if self.exit_code:
            return f"{checked}\nMove what is wrong aside with: relearn verify {folder} --repair"
        return f"{checked}\nMoved into {QUARANTINE}. Compute it again with: relearn resume {folder}"


def verify_study(folder: Path, store: LocalStore, plan: Plan, *, repair: bool) -> IntegrityReport:
    """Checks a study, also while it runs; repairs it only while it does not.

    Raises:
        StudyHeldError: repair was asked for, and a driver runs the study.
    """
    if not repair:
        return _Verification(folder, store, plan).report
    with guard(folder, lambda by: None):
        report = _Verification(folder, store, plan).report
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        for index, problem in enumerate(report.problems):
            if problem.remove is None:
                continue
            moved = _move_aside(problem.remove, [store.folder, folder], stamp)
            report.problems[index] = replace(problem, moved=moved or problem.path)
            if problem.path.name in DESCRIPTION:
                StudyFolder(folder).describe(plan)
        if any(problem.path == folder / MERGED_FILE for problem in report.problems):
            merge_cells(folder)
        for path in report.debris:
            _move_aside(path, [store.folder, folder], stamp)
        return report


class _Verification:
    def __init__(self, folder: Path, store: LocalStore, plan: Plan) -> None:
        self.report = IntegrityReport()
        self._folder = folder
        self._store = store
        self._plan = plan
        for address in _sorted(store.addresses()):
            self._artifact(address)
        for stray in _strays(store.folder / "artifacts"):
            self._wrong(stray, "no part of any artifact")
        self._replies()
        self._study()
        self._rows()

    def _wrong(self, path: Path, what: str, remove: Path | None = None) -> None:
        self.report.problems.append(Problem(path, what, remove or path))

    def _artifact(self, address: Address) -> None:
        place = self._store.place(address)
        self.report.artifacts += 1
        try:
            record = self._store.record(address)
            attempt, files = str(record["attempt"]), dict(record["files"])
        except KeyError as error:
            if (place / RECORD).exists():
                self._wrong(place / RECORD, f"a record without {error}", place)
            return  # otherwise a state that its stage has just discarded
        except IntegrityError:
            self._wrong(place / RECORD, "no readable record of this artifact", place)
            return
        for name, facts in files.items():
            path = place / attempt / name
            self.report.files += 1
            try:
                self._store.file(address, name)
                self.report.bytes += path.stat().st_size
            except (IntegrityError, KeyError):
                if not (place / RECORD).exists():
                    return  # a state again
                size = path.stat().st_size if path.exists() else None
                found = "is missing" if size is None else f"has {size:,} bytes and another hash"
                self._wrong(path, f"{found}; recorded are {facts.get('bytes'):,} bytes", place)
        for path in sorted(place.iterdir()):
            if path.name == attempt:
                for extra in sorted(each for each in path.iterdir() if each.name not in files):
                    self._wrong(extra, "is not named by the record")
            elif path.name != RECORD:
                self.report.debris.append(path)

    def _replies(self) -> None:
        for path in sorted((self._store.folder / "judge").glob("*/*.json")):
            self.report.replies += 1
            problem = Replies.problem(path)
            if problem is not None:
                self._wrong(path, problem)

    def _study(self) -> None:
        path = self._folder / STUDY_FILE
        if not matches_checksum(path):
            self.report.problems.append(Problem(path, f"{NOT_AS_WRITTEN}; {STUDY_REMEDY}", None))
        for name in (*DESCRIPTION, MERGED_FILE):
            path = self._folder / name
            if path.exists() and not matches_checksum(path):
                self._wrong(path, NOT_AS_WRITTEN)
        for path in sorted((self._folder / SEARCH_FOLDER).glob("[!.]*")):
            if not matches_checksum(path):
                self._wrong(path, NOT_AS_WRITTEN)
        for path in FailureRecords(self._folder).files():
            try:
                json.loads(path.read_text())
            except ValueError:
                self._wrong(path, "cannot be read as JSON")

    def _rows(self) -> None:
        rebuilt = RebuiltRows(self._plan, self._store)
        for dataset in DATASETS:
            taken: dict[tuple[Any, ...], Path] = {}
            folder = dataset_folder(self._folder, dataset)
            for path in dataset_files(self._folder, dataset):
                self.report.row_files += 1
                if not matches_checksum(path):
                    self._wrong(path, NOT_AS_WRITTEN)
                    continue
                try:
                    problem, cells, rows = rebuilt.problem(path, dataset)
                except (ValueError, SpecError, IntegrityError) as error:
                    self._wrong(path, f"cannot be read ({error})")
                    continue
                self.report.rows += rows
                twice = next((cell for cell in cells if cell in taken), None)
                if problem is None and twice is not None:
                    problem = f"a cell's rows stand in {taken[twice].name} too"
                if problem is not None:
                    self._wrong(path, problem)
                    continue
                taken |= dict.fromkeys(cells, path)
            files = dataset_files(self._folder, dataset)
            whole = {*files, *map(checksum_file, files)}
            for path in sorted(folder.iterdir()) if folder.is_dir() else []:
                if path in whole:
                    continue
                if path.name.startswith("."):
                    self.report.debris.append(path)
                else:
                    self._wrong(path, "is no file of rows")


def _sorted(addresses: Iterator[Address]) -> list[Address]:
    return sorted(addresses, key=str)


def _strays(artifacts: Path) -> Iterator[Path]:
    """What lies where only KEY[:2]/KEY/STEP/WHAT belongs."""

    def walk(folder: Path, depth: int) -> Iterator[Path]:
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            fits = path.is_dir() and (
                depth == 0
                or (depth == 1 and path.name.startswith(folder.name))
                or (depth == 2 and path.name.isdigit())
                or depth == 3
            )
            if not fits:
                yield path
            elif depth < 3:
                yield from walk(path, depth + 1)

    return walk(artifacts, 0)


def _move_aside(path: Path, roots: list[Path], stamp: str) -> Path | None:
    """Into the quarantine of the innermost root, under the same relative name; None where it is gone."""
    if not path.exists():
        return None
    root = next(root for root in roots if path.is_relative_to(root))
    target = root / QUARANTINE / stamp / path.relative_to(root)
    target.parent.mkdir(parents=True, exist_ok=True)
    path.replace(target)
    return target
