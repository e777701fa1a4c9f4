"""What a search asked, round by round, and its answer: JSON in the study's folder."""

import json
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from study.atomic_write import checksum_file, matches_checksum
from study.errors import IntegrityError
from study.planning.proposer import History, Point
from study.spec import StudySpec

SEARCH_FOLDER = "search"

ASKED_FILE = "asked.json"

ANSWER_FILE = "answer.json"

FORMAT = 1


def read_asked(folder: Path) -> History | None:
    """What a search found, and the rounds that it asked; None before its first round.

    Raises:
        IntegrityError: the file is not what was written.
    """
    path = folder / SEARCH_FOLDER / ASKED_FILE
    if not path.exists():
        return None
    try:
        if not matches_checksum(path):
            raise ValueError("its checksum is not the one beside it")
        content = json.loads(path.read_text())
        return History(
            _points(content["found"]),
            _points(content["begun"]),
            tuple(_points(points) for points in content["rounds"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            f"{path} is not what was written ({error}): move it aside with `relearn verify {folder} --repair`; the "
            "search then begins anew over what is published, and asks for none of it again"
        ) from error


def put_aside_unreadable(folder: Path) -> Path | None:
    """Moves what a search asked into the quarantine where it cannot be read; where to, or None.

    The next run then finds what is published among what it could ask, and begins anew from there.
    """
    try:
        read_asked(folder)
    except IntegrityError:
        path = folder / SEARCH_FOLDER / ASKED_FILE
        target = folder / "quarantine" / uuid.uuid4().hex[:8] / ASKED_FILE
        target.parent.mkdir(parents=True)
        path.rename(target)
        checksum_file(path).unlink(missing_ok=True)
        return target
    return None


def asked_points(folder: Path, spec: StudySpec) -> list[Point] | None:
    """The points that a study in a folder is about now; None: every point of its grid."""
    if spec.search is None:
        return None
    history = read_asked(folder) or History()
    return [*history.found, *history.asked]


def _points(rows: Iterable[Mapping[str, Any]]) -> tuple[Point, ...]:
    return tuple(Point.of(fields) for fields in rows)
