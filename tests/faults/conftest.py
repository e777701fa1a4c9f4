"""The table of faults, and clusters of several real nodes on this machine."""

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import slow_ones_run
from tests.faults.checker import Fault

BEGIN, END = "<!-- faults -->", "<!-- end of faults -->"
HEAD = ("| fault | times injected | cells lost | duplicated |", "|---|---|---|---|")
TURNS = 3
FAULT = pytest.StashKey[Fault]()
FAULTS = pytest.StashKey[list[Fault]]()
GRID = {
    "start": ["unlearned", "never_learned"],
    "repetitions": [7, 1],
    "depth": [1, 2],
    "corpus": ["prefix", "retain"],
    "relearn_steps": [0, 2, 4],
    "finetune": {"steps": 40, "optimiser": {"learning_rate": 1e-3, "batch_size": 12}},
}
ONE_OF_EACH = {**GRID, "repetitions": [7]}
"""Half of it, where the fault needs no more."""
LONG = {**GRID, "finetune": {"steps": 400, "optimiser": {"learning_rate": 1e-3, "batch_size": 12}}}
"""The same with finetunings of seconds, to hit."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--faults-table", type=Path, help="The page whose table of faults is written from this run."
    )


def pytest_configure(config: pytest.Config) -> None:
    """A page that is not there is refused before an hour of faults, not after."""
    path = config.getoption("--faults-table", None)
    if path is not None and not path.is_file():
        raise pytest.UsageError(
            f"--faults-table {path}: no such file; expected a page such as docs/RELIABILITY.md"
        )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Where all tests run, one that injects its fault once runs three times."""
    once = not slow_ones_run(metafunc.config) or metafunc.definition.get_closest_marker("repeats")
    if "turn" in metafunc.fixturenames and not once:
        metafunc.parametrize("turn", range(TURNS))


@pytest.fixture
def turn() -> int:
    """Which of the times that a test runs this is."""
    return 0


@pytest.fixture
def fault(request: pytest.FixtureRequest, turn: int) -> Fault:
    """The line of the table that the test's marker names."""
    marker = request.node.get_closest_marker("fault")
    assert marker is not None, "a test of a fault names its line: @pytest.mark.fault(…)"
    made = Fault(str(marker.args[0]))
    request.node.stash[FAULT] = made
    request.config.stash.setdefault(FAULTS, []).append(made)
    return made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if item.stash.get(FAULT, None) is not None and (report.failed or (report.passed and call.when == "call")):
        item.stash[FAULT].survived = report.passed
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Writes the lines of the faults that were injected now; one that was not survived loses its line.

    One whose tests were interrupted or skipped keeps the line that it has.
    """
    path = session.config.getoption("--faults-table", None)
    if path is None:
        return
    before, rest = path.read_text(encoding="utf-8").split(BEGIN)
    table, after = rest.split(END)
    lines = {line.split(" | ")[0].strip("| "): line for line in table.strip().splitlines()[2:]}
    injected = session.config.stash.get(FAULTS, [])
    for name in dict.fromkeys(fault.name for fault in injected):
        of_name = [fault for fault in injected if fault.name == name]
        counts = [sum(getattr(each, what) for each in of_name) for what in ("injected", "lost", "duplicated")]
        ends = {fault.survived for fault in of_name}
        if False in ends:
            lines.pop(name, None)
        elif None not in ends:
            lines[name] = f"| {name} | {' | '.join(map(str, counts))} |"
    text = "\n".join([BEGIN, *HEAD, *(lines[name] for name in sorted(lines, key=str.lower)), END])
    path.write_text(f"{before}{text}{after}", encoding="utf-8")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """``cluster(2)``: a Ray cluster whose head runs no stage, and so many nodes that run one each.

    ``cluster(2, gpus=1)``: Ray takes them to have a GPU each. ``cluster(1, on_head=1)``: the head runs a stage too.
    """
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    made = []

    def make(nodes: int, gpus: int = 0, on_head: int = 0) -> Any:
        head = {"num_cpus": on_head, "include_dashboard": False}
        found = Cluster(initialize_head=True, head_node_args=head)
        made.append(found)
        for _ in range(nodes):
            found.add_node(num_cpus=1, num_gpus=gpus)
        return found

    yield make
    for each in made:
        each.shutdown()


@pytest.fixture
def root() -> None:
    """For tests that mount a small file system."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
