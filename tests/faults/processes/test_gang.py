"""Processes that train one model together, killed in the middle on a real Ray: one, the one with the store, all."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from cluster.study_folder.event_log import read_events
from tests.commands import Call, alive, started, wait_for
from tests.faults.checker import Fault


def of_batches(optimiser: dict) -> dict:
    """A study with a finetuning of seconds, to hit."""
    return {
        "depth": [1, 2],
        "corpus": ["prefix"],
        "relearn_steps": [0, 2],
        "embedded": {
            "architecture": {"layers": 1, "width": 16, "heads": 2},
            "pretraining": {"steps": 2, "optimiser": optimiser},
        },
        "finetune": {"steps": 400, "optimiser": optimiser},
        "unlearn": optimiser,
        "relearn": optimiser,
    }


GRID = of_batches({"learning_rate": 1e-3, "batch_size": 8})
CUT = {"micro_batch": 4, "checkpoint_every_steps": 50, "checkpoint_share": None}


def members_of(call: Call) -> list[psutil.Process]:
    """The processes that train together with a worker."""
    found = []
    for process in call.descendants():
        try:
            if "study.training.gang" in process.cmdline():
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.mark.slow
@pytest.mark.fault("of two processes that train together, the other killed")
def test_the_other_is_killed(relearn, space, undisturbed, fault: Fault, tmp_path: Path) -> None:
    call = in_the_middle(relearn("run", together(space), "--study", "s"), tmp_path / "s", fault)
    members_of(call)[0].kill()
    fault.inject()
    lost = carries_on(call, undisturbed, fault, tmp_path / "s")
    assert lost == [("lost worker", "process 2 of 2 that train together was ended by SIGKILL")]


@pytest.mark.slow
@pytest.mark.fault("of two processes that train together, the one with the store killed")
def test_the_worker_is_killed(relearn, space, undisturbed, fault: Fault, tmp_path: Path) -> None:
    call = in_the_middle(relearn("run", together(space), "--study", "s"), tmp_path / "s", fault)
    members = members_of(call)
    os.kill(members[0].ppid(), signal.SIGKILL)
    fault.inject()
    wait_for(lambda: not any(alive(each) for each in members), 30)
    lost = carries_on(call, undisturbed, fault, tmp_path / "s")
    assert [cause for cause, _ in lost] == ["lost worker"]


@pytest.mark.slow
@pytest.mark.fault("of two processes that train together, both killed")
def test_both_are_killed(relearn, space, undisturbed, fault: Fault, tmp_path: Path) -> None:
    call = in_the_middle(relearn("run", together(space), "--study", "s"), tmp_path / "s", fault)
    member = members_of(call)[0]
    worker = member.ppid()
    member.suspend()  # so that neither hears of the other's end
    os.kill(worker, signal.SIGKILL)
    member.kill()
    fault.inject()
    lost = carries_on(call, undisturbed, fault, tmp_path / "s")
    assert [cause for cause, _ in lost] == ["lost worker"]


@pytest.mark.slow
@pytest.mark.fault("a study of two processes that train together, killed with its driver and resumed")
def test_all_are_killed_with_the_driver(relearn, space, undisturbed, fault: Fault, tmp_path: Path) -> None:
    call = in_the_middle(relearn("run", together(space), "--study", "s"), tmp_path / "s", fault)
    members = members_of(call)
    os.killpg(call.process.pid, signal.SIGKILL)
    fault.inject()
    call.finish()
    wait_for(lambda: not any(alive(each) for each in members), 60)
    code, output = relearn("resume", "s").finish()
    assert code == 0, output
    assert "state taken up" in events(tmp_path / "s")
    fault.check(tmp_path / "s", undisturbed(**GRID, execution=CUT), code=code, repeated=1)


@pytest.mark.slow
@pytest.mark.parametrize("asked", ["execution.gpus=2", "execution.processes=64"])
def test_more_than_a_node_has_is_refused(relearn, space, tmp_path: Path, asked: str) -> None:
    """Before anything begins, with the setting's name; batches of 64 could be dealt."""
    batch = {"learning_rate": 1e-3, "batch_size": 64}
    code, output = relearn("run", space(**of_batches(batch)), "--study", "s", "--set", asked).finish()
    assert code == 3, output
    assert "on one node" in output
    assert asked.partition("=")[0] in output
    assert started(tmp_path / "s") == []


def together(space) -> Path:
    return space(**GRID, execution={**CUT, "processes": 2})


def in_the_middle(call: Call, study: Path, fault: Fault) -> Call:
    """The call, once its finetuning has left a state."""
    wait_for(lambda: started(study, "finetune") and "state left" in events(study))
    fault.before(study, call)
    return call


def carries_on(call: Call, undisturbed, fault: Fault, study: Path) -> list[tuple[str, str]]:
    """The run ends well, from the state on, with the rows of one process; causes and messages of lost attempts."""
    code, output = call.finish()
    assert code == 0, output
    assert "state taken up" in events(study)
    fault.check(study, undisturbed(**GRID, execution=CUT), code=code, repeated=1)
    lost = [each for each in read_events(study / "log") if each["event"].startswith("attempt lost")]
    return [(str(each["cause"]), str(each["message"])) for each in lost]


def events(study: Path) -> list[str]:
    return [str(each["event"]) for each in read_events(study / "log")] if (study / "log").exists() else []
