"""The driver or a worker killed at seeded moments; and told to end, in every way there is."""

import random
import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.commands import (
    LOOPBACK,
    call,
    listening,
    published,
    started,
    wait_for,
    wait_until_gone,
    wait_until_published,
)
from tests.faults.checker import Fault
from tests.faults.conftest import GRID, LONG


@pytest.mark.repeats
@pytest.mark.fault("driver SIGKILL, at seeded moments of one study")
@pytest.mark.slow  # CI has a killed search and a killed export
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [10])
def test_the_driver_is_killed_again_and_again(
    relearn, resume, space, undisturbed, planned, fault: Fault, tmp_path: Path, kills: int
) -> None:
    path = space(**GRID)
    study = tmp_path / "s"
    whole = sum(len(stage.keep) + len(stage.evaluate) for stage in planned(**GRID).stages.values())
    draw = random.Random(20261124)
    for moment in sorted(draw.sample(range(1, whole - 4), kills)):
        run = relearn("run", path, "--study", "s")
        wait_until_published(study, moment)
        fault.before(study, run)
        left_behind = run.descendants()
        run.process.send_signal(signal.SIGKILL)
        fault.inject()
        assert run.finish()[0] == -signal.SIGKILL
        # Whatever still runs could still publish; the next driver must not wait for it.
        wait_until_gone(left_behind)
    code, output = resume("s")
    assert code == 0, output
    assert len(published(study)) == whole
    fault.check(study, undisturbed(**GRID), code=code, repeated=2 * kills)


@pytest.mark.fault("worker SIGKILL within a stage")
@pytest.mark.slow  # `make test` has a lost node, whose workers are gone with it
def test_a_worker_is_killed_within_a_stage(relearn, space, undisturbed, fault: Fault, tmp_path: Path) -> None:
    fields = {**LONG, "start": ["unlearned"], "repetitions": [7]}  # one finetuning that is long enough to hit
    study = tmp_path / "s"
    run = relearn("run", space(**fields), "--study", "s")
    wait_for(lambda: bool(within(study, "finetune")))
    fault.before(study, run)
    assert listening(run) <= LOOPBACK
    psutil.Process(within(study, "finetune")[0]).kill()
    fault.inject()
    code, output = run.finish()
    assert code == 0, output
    fault.check(study, undisturbed(**fields), code=code, repeated=1)


@pytest.mark.repeats
@pytest.mark.fault("worker SIGKILL while weights are being saved")
@pytest.mark.slow
def test_a_worker_is_killed_while_it_saves(relearn, space, undisturbed, fault: Fault, tmp_path: Path) -> None:
    fields = {**LONG, "execution": {"checkpoint_every_steps": 1, "checkpoint_share": None, "retries": 6}}
    study = tmp_path / "s"
    run = relearn("run", space(**fields), "--study", "s")
    for _ in range(4):
        wait_for(
            lambda: any((study / "store" / ".staging").glob("*/*.safetensors")) and within(study, "finetune")
        )
        fault.before(study, run)
        psutil.Process(within(study, "finetune")[0]).kill()
        fault.inject()
        time.sleep(1)
    code, output = run.finish()
    assert code == 0, output
    fault.check(study, undisturbed(**LONG), code=code, repeated=4)


@pytest.mark.parametrize(
    "signals",
    [
        pytest.param([signal.SIGINT], marks=[pytest.mark.fault("Ctrl-C, once"), pytest.mark.slow]),
        pytest.param(
            [signal.SIGINT, signal.SIGINT], marks=[pytest.mark.fault("Ctrl-C, twice"), pytest.mark.slow]
        ),
        pytest.param([signal.SIGTERM], marks=[pytest.mark.fault("SIGTERM"), pytest.mark.slow]),
    ],
    ids=["Ctrl-C", "Ctrl-C twice", "SIGTERM"],
)
def test_an_interruption_leaves_a_study_that_resumes(
    relearn, space, undisturbed, fault: Fault, tmp_path: Path, signals: list[signal.Signals]
) -> None:
    study = tmp_path / "s"
    run = relearn("run", space(**LONG), "--study", "s")
    wait_for(lambda: len(published(study)) >= 2)
    fault.before(study, run)
    for number in signals:
        run.process.send_signal(number)
        time.sleep(0.5)
    fault.inject()
    ends(run, relearn, undisturbed, fault, study, drained=signals == [signal.SIGINT])


@pytest.mark.parametrize(
    "word",
    [
        pytest.param("stop", marks=pytest.mark.fault("`relearn stop`")),
        pytest.param("cancel", marks=pytest.mark.fault("`relearn cancel`")),
    ],
)
@pytest.mark.slow
def test_a_driver_is_told_to_end(
    relearn, space, undisturbed, fault: Fault, tmp_path: Path, word: str
) -> None:
    study = tmp_path / "s"
    run = relearn("run", space(**LONG), "--study", "s")
    wait_for(lambda: len(published(study)) >= 2)
    fault.before(study, run)
    code, output = call(word, "s", cwd=tmp_path)
    fault.inject()
    assert code == 0, output
    assert f"received by process {run.process.pid}" in output
    ends(run, relearn, undisturbed, fault, study, drained=word == "stop")
    code, output = call(word, "s", cwd=tmp_path)
    assert (code, "nobody runs s" in output) == (2, True), output


def ends(run, relearn, undisturbed, fault: Fault, study: Path, drained: bool) -> None:
    """Exit 130 and a study that resumes; drained, nothing that was begun is lost."""
    code, output = run.finish(400 if drained else 60)  # stages that were begun end first
    assert code == 130, output
    assert "Traceback" not in output
    assert "relearn resume s" in output
    expected = undisturbed(**LONG)
    fault.check(study, expected, code=code, complete=False)
    code, output = relearn("resume", "s").finish()
    assert code == 0, output
    fault.check(study, expected, code=code, repeated=0 if drained else 2)


def within(study: Path, kind: str | None = None) -> list[int]:
    """The processes of workers that are within a stage now, of a kind or of any."""
    from cluster.study_folder.event_log import read_events

    events = read_events(study / "log")
    ended = {e["stage"] for e in events if e["event"] in ("stage finished", "published")}
    pids = [int(str(e["pid"])) for e in started(study, kind) if e["stage"] not in ended]
    return [pid for pid in pids if psutil.pid_exists(pid)]
