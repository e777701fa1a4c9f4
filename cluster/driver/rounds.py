"""The rounds of a study: what its proposer asks for, one after the other, and what it is told of the answers.

A grid is one round. A search has more, and each is written down (DIR/search/asked.json) before anything of it
runs: what an interrupted round has published already must not change what that round was. There is nothing else
to remember; the proposer is a function, and what it is given is read from the rows.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from cluster.storage.retry import persistently
from cluster.storage.store import Store
from cluster.study_folder.event_log import EventLog
from cluster.study_folder.search_record import (
    ANSWER_FILE,
    ASKED_FILE,
    FORMAT,
    SEARCH_FOLDER,
    read_asked,
)
from study.artifacts import Address
from study.atomic_write import write_json
from study.planning.plan import Plan, answers_address
from study.planning.proposer import Answer, Curve, History, Point, Proposer
from study.results.files import read_dataset, write_table
from study.results.schema import COORDINATES, coordinates_of
from study.spec import StudySpec

PlanOf = Callable[[Sequence[Point]], Plan]


class Rounds:
    """See the module's text."""

    def __init__(
        self, folder: Path, spec: StudySpec, proposer: Proposer, plan_of: PlanOf, store: Store
    ) -> None:
        self.folder = folder
        self.answer: Answer | None = None
        self._spec = spec
        self._proposer = proposer
        self._plan_of = plan_of
        self._store = store
        self._before: History | None = None
        self._rounds: list[tuple[Point, ...]] = []
        self._planned: tuple[list[Point], Plan] | None = None

    def begin(self) -> Plan:
        """The plan of all that was asked before, or else of the first round; changes nothing on disk.

        Raises:
            IntegrityError: what was asked before cannot be read.
        """
        asked = read_asked(self.folder) if self._spec.search is not None else None
        if asked is not None:
            self._before = History(asked.found, asked.begun)
            self._rounds = list(asked.rounds)
        else:
            self._before = self._before or self._published()
            self._rounds = [tuple(self._proposer.propose(self._before))]
        return self._plan()

    def plans(self) -> Iterator[Plan]:
        """The plan of each round, with all before it; go on when it has run. The caller holds the study."""
        plan = self.begin()
        told = EventLog(self.folder / "log").storage_failed
        while True:
            persistently(self._write_asked, told)
            yield plan
            history = self._history(plan)
            self.answer = self._proposer.answer(history)
            persistently(self._write_answer, told)
            points = tuple(self._proposer.propose(history))
            if not points:
                return
            self._rounds.append(points)
            plan = self._plan()

    @property
    def number(self) -> int:
        """Of the round that was asked last, from 1."""
        return len(self._rounds)

    def _plan(self) -> Plan:
        points = [*self._found, *(point for points in self._rounds for point in points)]
        if self._planned is None or self._planned[0] != points:
            self._planned = (points, self._plan_of(points))
        return self._planned[1]

    @property
    def _found(self) -> tuple[Point, ...]:
        return self._before.found if self._before is not None else ()

    def _published(self) -> History:
        """Of which candidates the store has every answer, and of which the model that they start from."""
        candidates = self._proposer.candidates()
        there = set(self._store.addresses()) if candidates else set()
        if not there:
            return History()
        plan = self._plan_of(candidates)
        missing, unbegun = set(), set()
        for cell in plan.cells:
            if answers_address(cell) not in there:
                missing.add(cell.point)
            stage = plan.stages[cell.checkpoint.of.key]
            starts = [Address.of_weights(parent.of.key, parent.step) for parent in stage.parents]
            if stage.kind == "relearn" and any(start not in there for start in starts):
                unbegun.add(cell.point)
        return History(
            found=tuple(point for point in candidates if point not in missing),
            begun=tuple(point for point in candidates if point not in unbegun),
        )

    def _history(self, plan: Plan) -> History:
        rows = read_dataset(
            self.folder,
            "cells",
            (
                *COORDINATES,
                "split",
                "metric",
                "n",
                "value",
                "stage",
                "stage_step",
                "train_seconds",
                "evaluation_seconds",
            ),
        )
        return History(
            found=self._found,
            begun=self._before.begun if self._before is not None else (),
            rounds=tuple(self._rounds),
            curves=curves(plan, rows, self._spec.objective),
            seconds=_seconds(rows, self._found_stages()),
        )

    def _found_stages(self) -> set[str]:
        return set(self._plan_of(self._found).stages) if self._found else set()

    def _write_asked(self) -> None:
        if self._spec.search is None:
            return
        content = {
            "format": FORMAT,
            "found": [point.as_dict() for point in self._found],
            "begun": [point.as_dict() for point in (self._before or History()).begun],
            "rounds": [[point.as_dict() for point in points] for points in self._rounds],
        }
        write_json(self.folder / SEARCH_FOLDER / ASKED_FILE, content, checksum=True)

    def _write_answer(self) -> None:
        if self.answer is None:
            return
        folder = self.folder / SEARCH_FOLDER
        for name, rows in self.answer.tables.items():
            write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
        facts = {
            "sentences": list(self.answer.sentences),
            "reason": self.answer.reason,
            "tables": list(self.answer.tables),
        }
        write_json(folder / ANSWER_FILE, {"format": FORMAT, **facts}, checksum=True)


def curves(plan: Plan, rows: pa.Table, metric: str) -> dict[Point, Curve]:
    """What every trajectory of a plan answered whose cells all have rows.

    Args:
        rows: of ``results.CELLS``, at least the coordinates, split, metric, n and value.
    """
    points = {cell.coordinates: cell.point for cell in plan.cells if cell.point is not None}
    found: dict[Point, dict[int, tuple[float, int | None]]] = {}
    for row in rows.to_pylist():
        if row["metric"] == metric and row["split"] == "forget":
            point = points.get(coordinates_of(row))
            if point is not None:
                found.setdefault(point, {})[row["relearn_steps"]] = (row["value"], row["n"])
    steps = tuple(sorted(plan.spec.relearn_steps))
    return {
        point: Curve(steps, tuple(values[step][0] for step in steps), values[steps[0]][1])
        for point, values in found.items()
        if len(values) == len(steps)
    }


def _seconds(rows: pa.Table, without: set[str]) -> float:
    """What the stages of these rows took, those of ``without`` left out."""
    names = ("stage", "stage_step", "train_seconds", "evaluation_seconds")
    distinct = {tuple(row[name] for name in names) for row in rows.select(names).to_pylist()}
    training: dict[str, float] = {}
    evaluation = 0.0
    for stage, _, train, evaluate in distinct:
        if stage not in without:
            training[stage] = max(training.get(stage, 0.0), train)
            evaluation += evaluate
    return sum(training.values()) + evaluation
