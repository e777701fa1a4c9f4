"""Two drivers on one study: refused in seconds, taken over where the holder is dead or silent; one study at the end."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cluster.study_folder import lease as lease_module
from cluster.study_folder.lease import StudyHeldError, hold, holder_of
from study.errors import PreflightError
from tests.commands import COMMAND, published, wait_for
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
ONE_OF_MANY = """
import os, sys
from pathlib import Path
from cluster.study_folder import lease
print("ready", flush=True)
sys.stdin.readline()
try:
    with lease.hold(Path(sys.argv[1])):
        print("held", flush=True)
        import time
        time.sleep(3)  # through a renewal, which the others wait for
        os._exit(0)
except lease.StudyHeldError:
    print("refused", flush=True)
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


def lease_of(folder: Path) -> Path:
    (lease,) = (folder / ".driver").iterdir()
    return lease


def rewritten(lease: Path, **facts: Any) -> None:
    """As a holder elsewhere would have written it; it may be renewed at the same time."""
    first, _, rest = lease.read_text().partition("\n")
    lease.write_text(f"{json.dumps({**json.loads(first), **facts})}\n{rest}")


@pytest.mark.slow  # CI has drivers with different specs at once (test_at_once)
@pytest.mark.timeout(1800)
@pytest.mark.repeats
@pytest.mark.fault("two drivers started at once")
@pytest.mark.parametrize(
    ("times", "with_ray"),
    [(1, False), (20, True)],
)
def test_of_two_drivers_at_once_one_is_refused(
    relearn, space, undisturbed, fault: Fault, tmp_path: Path, times: int, with_ray: bool
) -> None:
    path = space(**GRID)
    for turn in range(times):
        both = [relearn("run", path, "--study", f"s{turn}", with_ray=with_ray) for _ in range(2)]
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
        hold(tmp_path),
    ):
        pass
    holder.kill()
    holder.wait()
    assert holder_of(tmp_path) is None
    with hold(tmp_path):  # dead on this machine: taken over at once
        assert str(os.getpid()) in str(holder_of(tmp_path))


def test_a_dead_holder_on_another_machine_is_taken_over(
    tmp_path: Path, holder: subprocess.Popen, monkeypatch
) -> None:
    """Its process cannot be asked for, so its lease is watched."""
    monkeypatch.setattr(lease_module, "WATCH_SECONDS", 3.0)
    holder.kill()
    holder.wait()
    rewritten(lease_of(tmp_path), place="another boot")
    with hold(tmp_path):
        assert str(os.getpid()) in str(holder_of(tmp_path))


def test_a_holder_whose_clock_is_wrong_is_still_a_holder(tmp_path: Path, holder: subprocess.Popen) -> None:
    rewritten(lease_of(tmp_path), place="another boot", since=time.time() + 3600)
    with pytest.raises(StudyHeldError), hold(tmp_path):
        pass


def test_a_holder_in_another_pid_namespace_is_alive(tmp_path: Path, holder: subprocess.Popen) -> None:
    """As in another container under the same host name: there is no process of its number, and it renews."""
    place = Path("/proc/self/ns/pid").readlink()
    rewritten(lease_of(tmp_path), pid=2**22 + 1, place=lease_module._place().replace(str(place), "pid:[1]"))
    assert holder_of(tmp_path) is not None
    with pytest.raises(StudyHeldError), hold(tmp_path):
        pass
    assert holder.poll() is None


IN_ANOTHER_PID_NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc")
needs_unshare = pytest.mark.skipif(
    subprocess.run([*IN_ANOTHER_PID_NAMESPACE, "true"], capture_output=True, check=False).returncode != 0
    if shutil.which("unshare")
    else True,
    reason="needs `unshare` and the right to make a PID namespace",
)


@needs_unshare
def test_a_driver_in_another_container_is_refused(tmp_path: Path, holder: subprocess.Popen) -> None:
    second = [*IN_ANOTHER_PID_NAMESPACE, sys.executable, "-c", HOLDER, str(tmp_path)]
    done = subprocess.run(second, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert f"is being run by process {holder.pid} on" in done.stderr
    assert holder.poll() is None


@needs_unshare
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.repeats
@pytest.mark.fault("a second driver in another PID namespace of the same host name")
def test_of_two_containers_one_runs(relearn, space, undisturbed, fault: Fault, tmp_path: Path) -> None:
    for turn in range(3):
        first = relearn("run", space(**GRID), "--study", f"s{turn}")
        wait_for(partial(published, tmp_path / f"s{turn}"))
        second = [*IN_ANOTHER_PID_NAMESPACE, *COMMAND, "resume", f"s{turn}"]
        done = subprocess.run(second, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        fault.inject()
        assert (done.returncode, "is being run by process" in done.stderr) == (4, True), done
        code, output = first.finish()
        assert code == 0, output
        fault.check(tmp_path / f"s{turn}", undisturbed(**GRID), code=code)


def test_many_that_come_at_once_hold_one_after_the_other(tmp_path: Path) -> None:
    """Where nobody, or a dead process, holds the folder: exactly one of them gets it."""
    for _ in range(2):
        command = [sys.executable, "-c", ONE_OF_MANY, str(tmp_path)]
        many = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
            for _ in range(5)
        ]
        for process in many:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in many:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        words = sorted(process.communicate()[0].strip() for process in many)
        assert words == ["held", *["refused"] * 4]
        assert holder_of(tmp_path) is None, "the process is gone"


def test_who_lost_the_study_writes_nothing_more(tmp_path: Path) -> None:
    with hold(tmp_path) as first:
        first.check()
        rewritten(lease_of(tmp_path), place="another boot", token="of another")
        (tmp_path / ".driver" / "2").write_text(lease_of(tmp_path).read_text())
        with pytest.raises(StudyHeldError, match="taken over by"):
            first.check()
    assert holder_of(tmp_path) is not None, "it was not its to give back"
    moved = tmp_path / "moved"
    with hold(tmp_path / "s") as lease:
        (tmp_path / "s").rename(moved)
        with pytest.raises(PreflightError, match="moved, deleted or replaced"):
            lease.check()
        moved.rename(tmp_path / "s")
        lease.check()


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
