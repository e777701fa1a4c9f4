"""Storage that fails at its N-th operation, for every N; that reports errors; that is out; that is slow."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.checker import Fault
from tests.faults.operations import FIELDS

AT = 120
"""An operation in the middle: there are about three hundred."""
CHANGES = {name: FIELDS[name] for name in ("depth", "execution")}


def disturbed(mode: str, folder: Path, step: int) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.operations", mode, str(folder), str(step)],
        capture_output=True,
        text=True,
        timeout=3500,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[int] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.further
@pytest.mark.repeats
@pytest.mark.parametrize("step", [149, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
@pytest.mark.parametrize(
    "mode",
    [
        pytest.param("crash", marks=pytest.mark.fault("a crash at the N-th storage operation, for every N")),
        pytest.param(
            "report",
            marks=[
                pytest.mark.fault("the N-th operation takes effect and reports an error"),
                pytest.mark.slow,
            ],
        ),
    ],
)
def test_a_fault_at_every_operation(undisturbed, fault: Fault, tmp_path: Path, mode: str, step: int) -> None:
    done = disturbed(mode, tmp_path / mode, step)
    assert len(done) > 2
    for at in done:
        fault.inject(at != done[-1])  # the last one had no such operation any more
        fault.check(tmp_path / mode / str(at), undisturbed(**CHANGES), code=0, repeated=1)


@pytest.mark.slow
@pytest.mark.fault("an outage of the storage for 10 s")
def test_an_outage(undisturbed, fault: Fault, tmp_path: Path) -> None:
    disturbed("outage", tmp_path / "outage", AT)
    fault.inject()
    fault.check(tmp_path / "outage" / str(AT), undisturbed(**CHANGES), code=0)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.fault("1 s latency on every storage operation")
def test_latency(undisturbed, fault: Fault, tmp_path: Path) -> None:
    disturbed("slow", tmp_path / "slow", 1)
    fault.inject()
    fault.check(tmp_path / "slow" / "1", undisturbed(**CHANGES), code=0)
