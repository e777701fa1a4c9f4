"""What must hold after any fault, checked on the study's folder and on the processes."""

from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa

from cluster.status import study_status
from cluster.storage.store import Store
from cluster.study_folder.event_log import read_events
from cluster.study_folder.lease import holder_of
from cluster.study_folder.study_folder import StudyFolder, store_of
from cluster.verification.verify import verify_study
from search_spaces.loading import validate
from study.artifacts.address import Address, Record
from study.planning.materials import read_materials
from study.planning.plan import Plan
from study.planning.planner import make_plan
from study.results.schema import COORDINATES
from tests.commands import Call, alive, name_of, published, rows_of, wait_for

AGENTS_SECONDS = 90
"""Ray's own two agents look for their raylet once a minute, and then leave."""


class Fault:
    """A line of the table: how often a fault was injected, what it cost, and whether its test came to its end."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.injected = 0
        self.lost = 0
        self.duplicated = 0
        self.survived: bool | None = None
        self._records: dict[Address, Record] = {}
        self._processes: list[psutil.Process] = []

    def inject(self, times: int = 1) -> None:
        """Counts what was done to the study."""
        self.injected += times

    def before(self, study: Path, call: Call | None = None) -> None:
        """Remembers what is accepted now, and which processes there are."""
        store = store_of(study)
        for address in store.addresses():
            if address.what != "state":
                self._records[address] = store.record(address)
        if call is not None:
            self._processes += call.descendants()

    def forget(self) -> None:
        """The study is deleted, and another takes its place."""
        self._records.clear()

    def check(
        self,
        study: Path,
        expected: dict[str, pa.Table],
        *,
        code: int,
        complete: bool = True,
        repeated: int = 0,
    ) -> None:
        """See the module's text.

        Args:
            expected: the rows of an undisturbed run.
            code: the exit code of the last command.
            complete: whether the study has to be whole by now.
            repeated: how many stages may have been begun again: those in flight at each crash.
        """
        recorded = StudyFolder(study).recorded()
        plan = make_plan(
            read_materials(validate(recorded.spec, place="the study")), lambda name: recorded.models[name]
        )
        store = store_of(study)
        self._rows(study, plan, expected, complete)
        self._status(study, plan, store, code)
        self._work(study, repeated)
        for address, record in self._records.items():
            assert store.record(address) == record, f"{address}: accepted, and changed"
        report = verify_study(study, store, lambda: plan, repair=False)
        assert not report.problems
        assert holder_of(study) is None
        assert not any((study / name).exists() for name in (".control", ".tune"))
        ours = [process for process in self._processes if "Agent" not in name_of(process)]
        wait_for(lambda: not any(alive(process) for process in ours), 60)

    def agents_leave(self) -> None:
        """Also the last of Ray's own processes end by themselves."""
        wait_for(lambda: not any(alive(process) for process in self._processes), AGENTS_SECONDS)

    def _rows(self, study: Path, plan: Plan, expected: dict[str, pa.Table], complete: bool) -> None:
        planned = {cell.coordinates for cell in plan.cells}
        for dataset, table in rows_of(study).items():
            rows = table.to_pylist()
            names = [_name_of_row(row, dataset) for row in rows]
            twice = len(names) - len(set(names))
            self.duplicated += twice
            assert not twice, "rows stand twice"
            wanted = {_name_of_row(row, dataset): row for row in expected[dataset].to_pylist()}
            for name, row in zip(names, rows, strict=True):
                assert row == wanted[name], "a row is not that of an undisturbed run"
            accepted = {name[: len(COORDINATES)] for name in names}
            assert accepted <= planned
            if complete:
                self.lost += len(planned - accepted)
                assert accepted == planned

    def _status(self, study: Path, plan: Plan, store: Store, code: int) -> None:
        status = study_status(study, store, plan)
        parts = (status.stages_published, len(status.failures), status.stages_unreachable)
        assert sum(parts) + status.stages_missing == status.stages
        assert all(failure["cause"] and failure["message"] for failure in status.failures)
        if status.cells_recorded == status.cells:
            assert code == 0
        elif status.failures and not status.stages_missing:
            assert code == 1
        else:
            assert code not in (0, 1)

    def _work(self, study: Path, repeated: int) -> None:
        twice = [address for address, count in Counter(published(study)).items() if count > 1]
        self.duplicated += len(twice)
        assert not twice, "an artifact was accepted twice"
        events = read_events(study / "log")
        finished = Counter(event["stage"] for event in events if event["event"] == "stage finished")
        assert max(finished.values(), default=0) <= 1, "a finished stage ran again"
        begun = Counter(event["stage"] for event in events if event["event"] == "stage started")
        assert sum(begun.values()) - len(begun) <= repeated, "more work was repeated than was in flight"


def _name_of_row(row: dict[str, Any], dataset: str) -> tuple[Any, ...]:
    last = "metric" if dataset == "cells" else "probe"
    return tuple(row[name] for name in (*COORDINATES, "split", last))
