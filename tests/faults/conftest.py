"""The table of faults, and clusters of several real nodes on this machine."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.checker import Fault

BEGIN, END = "<!-- faults -->", "<!-- end of faults -->"
FAULTS = pytest.StashKey[list[Fault]]()
GRID = {
    "start": ["unlearned", "never_learned"],
    "repetitions": [7, 3, 1],
    "depth": [1, 2, 3],
    "corpus": ["prefix", "retain"],
    "relearn_steps": [0, 2, 4],
    "finetune": {"steps": 40, "optimiser": {"learning_rate": 1e-3, "batch_size": 12}},
}
LONG = {**GRID, "finetune": {"steps": 400, "optimiser": {"learning_rate": 1e-3, "batch_size": 12}}}
"""The same with finetunings of seconds, to hit."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--faults-table", type=Path, help="The page whose table of faults is written from this run."
    )


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Fault:
    """The line of the table that the test's marker names."""
    marker = request.node.get_closest_marker("fault")
    made = Fault(str(marker.args[0]))
    request.config.stash.setdefault(FAULTS, []).append(made)
    return made


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """The table, one line a fault, from what the tests counted; of a run in which all of them passed."""
    path = session.config.getoption("--faults-table", None)
    if path is None or exitstatus != pytest.ExitCode.OK:
        return
    lines = ["| fault | times injected | cells lost | duplicated |", "|---|---|---|---|"]
    names = dict.fromkeys(fault.name for fault in session.config.stash.get(FAULTS, []))
    for name in names:
        of_name = [fault for fault in session.config.stash[FAULTS] if fault.name == name]
        counts = [sum(getattr(each, what) for each in of_name) for what in ("injected", "lost", "duplicated")]
        lines.append(f"| {name} | {' | '.join(map(str, counts))} |")
    before, rest = path.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    path.write_text("\n".join([f"{before}{BEGIN}", *lines, f"{END}{after}"]), encoding="utf-8")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], Any]]:
    """``cluster(2)``: a Ray cluster whose head runs no stage, and so many nodes that run one each."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    made = []

    def make(nodes: int) -> Any:
        found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        made.append(found)
        for _ in range(nodes):
            found.add_node(num_cpus=1)
        return found

    yield make
    for each in made:
        each.shutdown()


@pytest.fixture
def root() -> None:
    """For tests that mount a small file system."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
