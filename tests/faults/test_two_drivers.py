"""Two drivers on one study: refused in seconds, taken over where the holder is dead or silent."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.study_folder import lease as lease_module
from cluster.study_folder.lease import StudyHeldError, hold, holder_of
from tests.commands import published, wait_for
from tests.faults.checker import Fault
from tests.faults.conftest import GRID, LONG

HOLDER = """
import sys, time
from pathlib import Path
from cluster.study_folder.lease import hold
lost = []
with hold(Path(sys.argv[1]), lost.append):
    print("held", flush=True)
    while not lost:
        time.sleep(0.05)
print("lost to", lost[0], flush=True)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen]:
    """A process that holds the folder."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def ignore(by: str) -> None:
    """Nobody takes over here."""


@pytest.mark.fault("two drivers started at once")
@pytest.mark.parametrize("times", [1, pytest.param(20, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_of_two_drivers_at_once_one_is_refused(
    relearn, space, undisturbed, fault: Fault, tmp_path: Path, times: int
) -> None:
    path = space(**GRID)
    for turn in range(times):
        both = [relearn("run", path, "--study", f"s{turn}") for _ in range(2)]
        fault.inject()
        ended = {call.process.pid: call.finish() for call in both}
        codes = sorted(code for code, _ in ended.values())
        assert codes == [0, 4], ended
        (refused,) = [output for code, output in ended.values() if code == 4]
        (holding,) = [pid for pid, (code, _) in ended.items() if code == 0]
        assert f"process {holding} on" in refused
        fault.check(tmp_path / f"s{turn}", undisturbed(**GRID), code=0)


def test_a_holder_is_named_once_it_renews(tmp_path: Path, holder: subprocess.Popen, monkeypatch) -> None:
    """And not only after it was watched for as long as a silent one is, here longer than a test may take."""
    monkeypatch.setattr(lease_module, "WATCH_SECONDS", 3600.0)
    with (
        pytest.raises(StudyHeldError, match=rf"process {holder.pid} on .* for \d+ s"),
        hold(tmp_path, ignore),
    ):
        pass
    holder.kill()
    holder.wait()
    assert holder_of(tmp_path) is None
    with hold(tmp_path, ignore):  # dead on this machine: taken over at once
        assert str(os.getpid()) in str(holder_of(tmp_path))


def test_a_dead_holder_on_another_machine_is_taken_over(
    tmp_path: Path, holder: subprocess.Popen, monkeypatch
) -> None:
    """Its process cannot be asked for, so its lease is watched."""
    monkeypatch.setattr(lease_module, "WATCH_SECONDS", 3.0)
    holder.kill()
    holder.wait()
    lease = json.loads((tmp_path / ".driver.json").read_text())
    # Alone under another name: a live holder of that name would be renewed, and refused.
    (tmp_path / ".driver.json").write_text(json.dumps({**lease, "node": "another"}))
    with hold(tmp_path, ignore):
        assert str(os.getpid()) in str(holder_of(tmp_path))


def test_a_holder_whose_clock_is_wrong_is_still_a_holder(tmp_path: Path, holder: subprocess.Popen) -> None:
    lease = json.loads((tmp_path / ".driver.json").read_text())
    (tmp_path / ".driver.json").write_text(
        json.dumps({**lease, "node": "another", "since": lease["since"] + 3600})
    )
    with pytest.raises(StudyHeldError), hold(tmp_path, ignore):
        pass


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.fault("a stopped (SIGSTOP) driver that wakes up after it was taken over")
def test_a_stopped_driver_wakes_up_after_it_was_taken_over(
    relearn, space, undisturbed, fault: Fault, tmp_path: Path
) -> None:
    path, study = space(**LONG), tmp_path / "s"
    first = relearn("run", path, "--study", "s")
    wait_for(lambda: len(published(study)) >= 2)
    fault.before(study, first)
    first.process.send_signal(signal.SIGSTOP)
    fault.inject()
    second = relearn("run", path, "--study", "s")
    code, output = second.finish()
    assert code == 0, output
    first.process.send_signal(signal.SIGCONT)
    code, output = first.finish(60)
    assert code == 4, output
    assert "was taken over by" in output
    # Its workers went on while it was stopped: at most one stage each was done on both sides.
    fault.check(study, undisturbed(**LONG), code=0, repeated=4)
