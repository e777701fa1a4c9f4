"""How far a study is, from its folder and store alone."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cluster.command_line.terminal import console, print_pairs
from cluster.rows.recorder import cells_recorded
from cluster.storage.store import Store
from cluster.study_folder.failures import FailureRecords
from cluster.study_folder.lease import holder_of
from cluster.study_folder.study_folder import StudyFolder
from study.errors import command_line, counted
from study.planning.plan import Plan
from study.results.unrated import in_words


@dataclass(frozen=True)
class Status:
    """Counts of cells and stages; every planned stage is published, failed, unreachable or missing."""

    cells: int
    cells_recorded: int
    stages: int
    stages_published: int
    stages_unreachable: int
    stages_missing: int
    failures: list[dict[str, Any]]
    holder: str | None
    judge: dict[str, Any] | None
    """Who rated the answers last: ``model``, of how many ``answers``, and how many have no rating, by cause."""

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)

    def show(self, folder: Path) -> None:
        """For a person: the counts, what failed and why, and how to go on."""
        print_pairs(
            str(folder),
            [
                ("cells", f"{self.cells_recorded:,} of {self.cells:,} have rows"),
                ("stages", f"{self.stages_published:,} of {self.stages:,} published"),
                ("failed", f"{len(self.failures):,}"),
                ("unreachable", f"{counted(self.stages_unreachable, 'stage')} behind those that failed"),
                ("running now", self.holder or "no"),
                *self._ratings(),
            ],
        )
        out = console()
        for failure in self.failures:
            out.print(f"failed: {failure['label']}: {failure['cause']}: {failure['message']}")
            if "remedy" in failure:
                out.print(f"        what to do: {failure['remedy']}")
        if self.cells_recorded < self.cells and not self.holder:
            out.print(f"Go on with: {command_line('resume', folder)}")

    def _ratings(self) -> list[tuple[str, str]]:
        if self.judge is None:
            return []
        unrated, answers = self.judge["unrated"], self.judge["answers"]
        why = f" ({in_words(unrated)})" if unrated else ""
        return [
            (
                "ratings",
                f"of {self.judge['model']}, {sum(unrated.values()):,} of {answers:,} answers without{why}",
            )
        ]


def study_status(folder: Path, store: Store, plan: Plan) -> Status:
    """Reads; changes nothing."""
    there = set(store.addresses())
    published = {
        key for key, stage in plan.stages.items() if all(address in there for address in stage.publishes)
    }
    failures = {
        key: facts
        for key, facts in FailureRecords(folder).read().items()
        if key in plan.stages and key not in published
    }
    unreachable = {below for key in failures for below in plan.descendants(key) if below not in published}
    return Status(
        cells=len(plan.cells),
        cells_recorded=cells_recorded(folder, plan),
        stages=len(plan.stages),
        stages_published=len(published),
        stages_unreachable=len(unreachable),
        stages_missing=len(plan.stages) - len(published) - len(failures) - len(unreachable),
        failures=list(failures.values()),
        holder=holder_of(folder),
        judge=_judge(StudyFolder(folder).recorded().content),
    )


def _judge(content: dict[str, Any]) -> dict[str, Any] | None:
    """Of the study's provenance; None where nobody rated, or a version that did not count."""
    facts = content.get("provenance", {}).get("judge", {})
    return {name: facts[name] for name in ("model", "answers", "unrated")} if "unrated" in facts else None
