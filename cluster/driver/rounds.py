"""The rounds of a study: what its proposer proposes, one after the other, and the history that it proposes from.

A grid is one round. A search has more, and each is written down (DIR/search/asked.json) before anything of it
runs: what an interrupted round has published already must not change what that round was. Nothing else is
remembered: the proposer is a function, and its history is read from the rows.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from cluster.driver.round_history import ROW_COLUMNS, curves_of, published, seconds_of
from cluster.storage.retry import with_retries
from cluster.storage.store import Store
from cluster.study_folder.event_log import EventLog
from cluster.study_folder.lease import Lease
from cluster.study_folder.search_record import (
    ANSWER_FILE,
    FORMAT,
    ROUNDS_FILE,
    SEARCH_FOLDER,
    read_rounds,
)
from cluster.study_folder.study_plan import PlanOf
from study.artifacts.atomic_write import write_json
from study.planning.plan import Plan
from study.planning.proposer import Answer, History, Point, Proposer
from study.results.files import read_dataset, write_table
from study.spec import StudySpec


class Rounds:
    """The rounds of one study.

    Attributes:
        spec: the study's.
        answer: the proposer's, after the last round that has run; None where the rows are the answer.
        ended: whether no round is left.
    """

    def __init__(
        self, folder: Path, spec: StudySpec, proposer: Proposer, plan_of: PlanOf, store: Store
    ) -> None:
        self.folder = folder
        self.spec = spec
        self.answer: Answer | None = None
        self.ended = False
        self._proposer = proposer
        self._plan_of = plan_of
        self._store = store
        self._before: History | None = None
        self._rounds: list[tuple[Point, ...]] = []
        self._planned: tuple[list[Point], Plan] | None = None

    def begin(self) -> Plan:
        """The plan of all rounds so far, or else of the first round; changes nothing on disk.

        Raises:
            IntegrityError: the record of the rounds cannot be read.
        """
        recorded = read_rounds(self.folder) if self.spec.search is not None else None
        if recorded is not None:
            self._before = History(recorded.found, recorded.begun)
            self._rounds = list(recorded.rounds)
        else:
            self._before = self._before or published(self._proposer.candidates(), self._plan_of, self._store)
            self._rounds = [tuple(self._proposer.propose(self._before))]
        return self._plan()

    def plans(self, lease: Lease) -> Iterator[Plan]:
        """The plan of each round together with all rounds before it, once those have run."""
        plan = self.begin()
        on_failure = EventLog(self.folder / "log").storage_failed
        while True:
            with_retries(lambda: self._write_rounds(lease), on_failure)
            yield plan
            history = self._history(plan)
            self.answer = self._proposer.answer(history)
            with_retries(lambda: self._write_answer(lease), on_failure)
            points = tuple(self._proposer.propose(history))
            if not points:
                self.ended = True
                return
            self._rounds.append(points)
            plan = self._plan()

    def _plan(self) -> Plan:
        points = [*self._found, *(point for points in self._rounds for point in points)]
        if self._planned is None or self._planned[0] != points:
            self._planned = (points, self._plan_of(points))
        return self._planned[1]

    @property
    def _found(self) -> tuple[Point, ...]:
        return self._before.found if self._before is not None else ()

    def _history(self, plan: Plan) -> History:
        rows = read_dataset(self.folder, "cells", ROW_COLUMNS)
        return History(
            found=self._found,
            begun=self._before.begun if self._before is not None else (),
            rounds=tuple(self._rounds),
            curves=curves_of(plan, rows, self.spec.objective),
            seconds=seconds_of(rows, self._found_stages()),
        )

    def _found_stages(self) -> set[str]:
        return set(self._plan_of(self._found).stages) if self._found else set()

    def _write_rounds(self, lease: Lease) -> None:
        if self.spec.search is None:
            return
        content = {
            "format": FORMAT,
            "found": [point.as_dict() for point in self._found],
            "begun": [point.as_dict() for point in (self._before or History()).begun],
            "rounds": [[point.as_dict() for point in points] for points in self._rounds],
        }
        lease.check()
        write_json(self.folder / SEARCH_FOLDER / ROUNDS_FILE, content, checksum=True)

    def _write_answer(self, lease: Lease) -> None:
        if self.answer is None:
            return
        lease.check()
        folder = self.folder / SEARCH_FOLDER
        for name, rows in self.answer.tables.items():
            write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
        facts = {
            "sentences": list(self.answer.sentences),
            "reason": self.answer.reason,
            "tables": list(self.answer.tables),
        }
        write_json(folder / ANSWER_FILE, {"format": FORMAT, **facts}, checksum=True)
