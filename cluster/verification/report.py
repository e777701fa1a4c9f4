"""What a verification looked at, and the problems that it found."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePath
from typing import Any

from cluster.storage.store import QUARANTINE
from study.errors import IntegrityError, command_line

STUDY_REMEDY = (
    "put a copy of it back, or give the study's first command again with another --study and this --store"
)


@dataclass(frozen=True)
class Problem:
    """What is wrong with a path.

    Attributes:
        remove: what repair moves aside: the path itself, or the whole that is damaged by it; None where nothing
            can be computed again.
        in_store: whether the store moves it, and not the study's folder.
        moved: where repair moved it.
    """

    path: PurePath
    what: str
    remove: PurePath | None
    in_store: bool = False
    moved: PurePath | None = None


@dataclass
class IntegrityReport:
    """Counts of what was checked, and what is wrong. What killed workers left over, nobody reads."""

    artifacts: int = 0
    files: int = 0
    bytes: int = 0
    row_files: int = 0
    rows: int = 0
    replies: int = 0
    debris: list[PurePath] = field(default_factory=list)
    store_debris: list[PurePath] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def wrong(
        self, path: PurePath, what: str, remove: PurePath | None = None, *, in_store: bool = False
    ) -> None:
        """Adds a problem that repair can move aside: ``remove``, or the path itself."""
        self.problems.append(Problem(path, what, remove or path, in_store))

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
        if debris := self.debris + self.store_debris:
            checked += f"; {len(debris):,} leftovers of killed workers, which nobody reads"
        if not self.problems:
            return checked
        if any(problem.remove is None for problem in self.problems):
            return f"{checked}\nThe question of this study is in doubt: {STUDY_REMEDY}"
        if self.exit_code:
            return f"{checked}\nMove what is wrong aside with: {command_line('verify', folder, '--repair')}"
        return f"{checked}\nMoved into {QUARANTINE}. Compute it again with: {command_line('resume', folder)}"
