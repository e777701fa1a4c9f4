"""Processes of a run that are ended or stopped from outside: Ray's own, workers, the driver, the whole group.

Each fault three times on one study, at an early, a middle and a late moment. Every run ends with a code that says how
it ended and with words that say what to do, and the study is gone on with.
"""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import pytest

from cluster.status import study_status
from cluster.study_folder.study_folder import store_of
from study.errors import ClusterLostError
from study.planning.plan import Plan
from tests.commands import COMMAND, ROOT, Call, alive, name_of, published, started, wait_for, wait_until_gone
from tests.faults.checker import Fault
from tests.faults.conftest import GRID, LONG
from tests.faults.processes.test_driver_killed import within

pytestmark = [pytest.mark.repeats, pytest.mark.slow, pytest.mark.timeout(1800)]
MOMENTS = (2, 6, 12)
"""So many artifacts are published when a fault comes."""
LOST, INTERRUPTED = ClusterLostError.exit_code, 130


def named(run: Call, *names: str) -> list[psutil.Process]:
    """Ray's own processes of a run."""
    return [process for process in run.descendants() if name_of(process) in names]


def workers(study: Path, count: int | None = None) -> list[psutil.Process]:
    """The processes that are within a stage now: so many of them, or all."""
    wait_for(lambda: within(study))
    return [psutil.Process(pid) for pid in within(study)[:count]]


TARGETS: dict[str, Callable[[Call, Path], list[psutil.Process]]] = {
    "raylet": lambda run, study: named(run, "raylet"),
    "gcs": lambda run, study: named(run, "gcs_server"),
    "raylet and gcs": lambda run, study: named(run, "raylet", "gcs_server"),
    "worker": lambda run, study: workers(study, 1),
    "driver": lambda run, study: [psutil.Process(run.process.pid)],
    "worker and driver": lambda run, study: [psutil.Process(run.process.pid), *workers(study, 1)],
    "every worker": lambda run, study: workers(study),
}


def begun(relearn, path: Path, study: Path, moment: int) -> Call:
    """A run of the study that has published so much, and is within a stage."""
    run = relearn("run", path, "--study", "s")
    reaches(run, study, moment)
    return run


def reaches(run: Call, study: Path, moment: int) -> None:
    """Waits until so much is published, within a stage."""
    wait_for(lambda: (len(published(study)) >= moment and within(study)) or ended(run), 400)
    assert not ended(run), run.finish()


def ended(run: Call) -> bool:
    return run.process.poll() is not None


def went_on(run: Call, study: Path, count: int) -> bool:
    return ended(run) or len(published(study)) >= count


def ends(run: Call, left: list[psutil.Process], codes: list[int]) -> int:
    """The run's code, one of these; it has said how to go on, and none of its processes is left."""
    code, output = run.finish(400)
    assert code in codes, (code, output)
    assert "Traceback" not in output, output
    assert code <= 0 or "relearn resume s" in output, (code, output)
    wait_until_gone(left, 120)
    return code


def goes_on(relearn, undisturbed, fault: Fault, study: Path, repeated: int) -> None:
    code, output = relearn("resume", "s").finish()
    assert code == 0, output
    fault.check(study, undisturbed(**LONG), code=code, repeated=repeated)


@pytest.mark.parametrize(
    ("number", "target", "codes"),
    [
        pytest.param(number, target, codes, marks=pytest.mark.fault(f"{number.name} of {target}"))
        for number, target, codes in [
            (signal.SIGKILL, "raylet", [LOST]),
            (signal.SIGKILL, "gcs", [LOST]),
            (signal.SIGKILL, "raylet and gcs", [LOST]),
            (signal.SIGKILL, "worker and driver", [-signal.SIGKILL]),
        ]
    ],
)
def test_what_ends_a_run(
    relearn, space, undisturbed, fault: Fault, tmp_path: Path, number: int, target: str, codes: list[int]
) -> None:
    study, path = tmp_path / "s", space(**LONG)
    for moment in MOMENTS:
        run = begun(relearn, path, study, moment)
        fault.before(study, run)
        left = run.descendants()
        for process in TARGETS[target](run, study):
            process.send_signal(number)
        fault.inject()
        ends(run, left, codes)
    goes_on(relearn, undisturbed, fault, study, repeated=6)


@pytest.mark.parametrize(
    ("number", "target"),
    [
        pytest.param(number, target, marks=pytest.mark.fault(f"{number.name} of {target}"))
        for number, target in [
            (signal.SIGKILL, "every worker"),
            (signal.SIGSEGV, "worker"),
        ]
    ],
)
def test_what_a_run_survives(
    relearn, space, undisturbed, fault: Fault, tmp_path: Path, number: int, target: str
) -> None:
    study, path = tmp_path / "s", space(**{**LONG, "execution": {"retries": 6}})
    run = begun(relearn, path, study, 0)
    for moment in MOMENTS:
        reaches(run, study, moment)
        fault.before(study, run)
        for process in TARGETS[target](run, study):
            process.send_signal(number)
        fault.inject()
    code, output = run.finish()
    assert code == 0, output
    fault.check(study, undisturbed(**LONG), code=code, repeated=6)


@pytest.mark.parametrize(
    ("target", "codes"),
    [
        pytest.param(target, codes, marks=pytest.mark.fault(f"SIGSTOP of {target} for 5, 20 and 60 s"))
        for target, codes in {
            "raylet": [0, LOST],
            "gcs": [0, LOST],
            "raylet and gcs": [0, LOST],
            "worker": [0],
            "driver": [0],
        }.items()
    ],
)
def test_what_is_stopped_for_a_while(
    relearn, space, undisturbed, fault: Fault, tmp_path: Path, target: str, codes: list[int]
) -> None:
    study, path = tmp_path / "s", space(**LONG)
    run: Call | None = None
    for moment, seconds in zip(MOMENTS, (5, 20, 60), strict=True):
        if run is None:
            run = begun(relearn, path, study, moment)
            fault.before(study, run)
            left = run.descendants()
        stopped = TARGETS[target](run, study)
        for process in stopped:
            process.suspend()
        fault.inject()
        time.sleep(seconds)
        for process in stopped:
            if alive(process):
                process.resume()
        wait_for(partial(went_on, run, study, moment + 4), 400)
        if ended(run):
            if ends(run, left, codes) == 0:
                shutil.rmtree(study)
                fault.forget()
            run = None
    if run is not None:
        ends(run, left, codes)
    code, output = relearn("run", path, "--study", "s").finish()
    assert code == 0, output
    fault.check(study, undisturbed(**LONG), code=code, repeated=6)


@pytest.mark.parametrize(
    ("number", "codes"),
    [
        pytest.param(number, codes, marks=pytest.mark.fault(f"{number.name} to the whole process group"))
        for number, codes in {
            signal.SIGINT: [INTERRUPTED],
            signal.SIGTERM: [INTERRUPTED],
            signal.SIGHUP: [INTERRUPTED],
            signal.SIGKILL: [-signal.SIGKILL],
        }.items()
    ],
)
def test_the_process_group_is_signalled(
    relearn, space, undisturbed, fault: Fault, tmp_path: Path, number: int, codes: list[int]
) -> None:
    """As a terminal does that is closed, or a batch system."""
    study, path = tmp_path / "s", space(**LONG)
    for moment in MOMENTS:
        run = begun(relearn, path, study, moment)
        fault.before(study, run)
        left = run.descendants()
        os.killpg(run.process.pid, number)
        fault.inject()
        ends(run, left, codes)
    goes_on(relearn, undisturbed, fault, study, repeated=6)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(command, marks=pytest.mark.fault(name))
        for name, command in {
            "who reads the output goes away (`run … | head -1`)": "{run} | head -1",
            "the output is a full device": "{run} > /dev/full 2>&1",
            "the output is closed": "{run} >&- 2>&-",
            "the terminal is closed, under nohup": (
                "nohup {run} > out 2>&1 & p=$!; sleep 5; kill -HUP $p; wait $p"
            ),
        }.items()
    ],
)
def test_an_output_that_goes_ends_no_study(
    space, undisturbed, fault: Fault, tmp_path: Path, command: str
) -> None:
    path = space(**GRID)
    for name in ("s", "t", "u"):
        words = f"set -o pipefail; {command.format(run=f'{COMMAND[0]} run {path} --study {name}')}"
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(["bash", "-c", words], cwd=tmp_path, env=environment, timeout=300, check=False)
        fault.inject()
        assert done.returncode == 0
        fault.check(tmp_path / name, undisturbed(**GRID), code=0)


def all_is_there(study: Path, plan: Plan, artifacts: int) -> bool:
    recorded = len(published(study)) == artifacts
    return recorded and study_status(study, store_of(study), plan).cells_recorded == len(plan.cells)


@pytest.mark.fault("a signal within Ray's shutdown, when all cells are there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_when_nothing_is_left_to_do(
    relearn, space, undisturbed, planned, fault: Fault, tmp_path: Path, number: int
) -> None:
    plan = planned(**GRID)
    whole = sum(len(stage.keep) + len(stage.evaluate) for stage in plan.stages.values())
    for name, seconds in (("s", 0.2), ("t", 0.6), ("u", 1.2)):
        study = tmp_path / name
        run = relearn("run", space(**GRID), "--study", name)
        wait_for(partial(all_is_there, study, plan, whole), 400)
        time.sleep(seconds)
        run.process.send_signal(number)
        fault.inject()
        code, output = run.finish(200)
        assert code == 0, output
        assert "Interrupted" not in output
        assert "Traceback" not in output
        fault.check(study, undisturbed(**GRID), code=code)


@pytest.mark.fault("`relearn resume` killed within its first three seconds")
@pytest.mark.parametrize("seed", range(4))
def test_resume_is_killed_at_its_start(
    relearn, space, undisturbed, fault: Fault, tmp_path: Path, seed: int
) -> None:
    """Fifty times in all."""
    study, path = tmp_path / "s", space(**GRID)
    run = begun(relearn, path, study, 4)
    run.process.send_signal(signal.SIGTERM)
    run.finish(200)
    draw = random.Random(seed)
    for _ in range(13):
        run = relearn("resume", "s")
        time.sleep(draw.uniform(0, 3))
        left = run.descendants()
        run.process.kill()
        run.finish()
        fault.inject()
        wait_until_gone(left, 60)
    code, output = relearn("resume", "s").finish()
    assert code == 0, output
    fault.check(study, undisturbed(**GRID), code=code, repeated=len(started(study)))
