"""The record of a search: the points of each round, and its answer, as JSON in the study's folder."""

import json
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cluster.study_folder.lease import hold
from study.artifacts.atomic_write import checksum_file, matches_checksum
from study.errors import IntegrityError, command_line
from study.planning.proposer import History, Point
from study.spec import StudySpec

SEARCH_FOLDER = "search"

ROUNDS_FILE = "asked.json"

ANSWER_FILE = "answer.json"

FORMAT = 1


def read_rounds(folder: Path) -> History | None:
    """The points that a search found published, and those of its rounds; None before its first round.

    Raises:
        IntegrityError: the file is not what was written.
    """
    path = folder / SEARCH_FOLDER / ROUNDS_FILE
    if not path.exists():
        return None
    try:
        if not matches_checksum(path):
            raise ValueError("its checksum is not the one beside it")
        content = json.loads(path.read_text(encoding="utf-8"))
        return History(
            _points(content["found"]),
            _points(content["begun"]),
            tuple(_points(points) for points in content["rounds"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            f"{path} is not what was written ({error}): move it aside with "
            f"`{command_line('verify', folder, '--repair')}`; the search then begins again and "
            "computes nothing twice, since it finds what is published"
        ) from error


def put_aside_unreadable(folder: Path) -> Path | None:
    """Moves the record of the rounds into the quarantine where it cannot be read; returns where to, or None.

    The next run then begins again, with the points that it finds published.

    Raises:
        StudyHeldError: it cannot be read, and another process holds the study.
    """
    if _is_readable(folder):
        return None
    with hold(folder) as lease:
        if _is_readable(folder):  # who held the study before has repaired it
            return None
        path = folder / SEARCH_FOLDER / ROUNDS_FILE
        target = folder / "quarantine" / uuid.uuid4().hex[:8] / ROUNDS_FILE
        lease.check()
        target.parent.mkdir(parents=True)
        path.rename(target)
        checksum_file(path).unlink(missing_ok=True)
        return target


def _is_readable(folder: Path) -> bool:
    try:
        read_rounds(folder)
    except IntegrityError:
        return False
    return True


def points_so_far(folder: Path, spec: StudySpec) -> list[Point] | None:
    """The points that a study in a folder is about now; None: every point of its grid."""
    if spec.search is None:
        return None
    history = read_rounds(folder) or History()
    return [*history.found, *history.asked]


def _points(rows: Iterable[Mapping[str, Any]]) -> tuple[Point, ...]:
    return tuple(Point.of(fields) for fields in rows)
