"""SIGKILL of the driver at seeded moments, and of a worker within a stage."""

import random
import signal
from collections import Counter
from pathlib import Path

import psutil

from cluster.events import read_events
from tests.cluster.conftest import rows_of, wait_for
from tests.cluster.test_run import published

GRID = {
    "start": ["unlearned", "never_learned"],
    "repetitions": [7, 3, 1],
    "depth": [1, 2, 3],
    "corpus": ["prefix", "retain"],
    "relearn_steps": [0, 2, 4],
    "finetune": {"steps": 40, "optimiser": {"learning_rate": 1e-3, "batch_size": 12}},
}
KILLS = 3


def test_the_driver_killed_again_and_again(relearn, space, undisturbed, planned, tmp_path: Path) -> None:
    path = space(**GRID)
    study = tmp_path / "s"
    whole = sum(len(stage.keep) + len(stage.evaluate) for stage in planned(**GRID).stages.values())
    draw = random.Random(20261124)
    moments = sorted(draw.sample(range(2, whole - 8), KILLS))
    for moment in moments:
        command = relearn("run", path, "--study", "s")
        wait_for(lambda moment=moment: len(published(study)) >= moment)
        # Ray's own two agents look for their raylet once a minute and then leave; nothing else may stay.
        left_behind = [process for process in command.descendants() if "Agent" not in process.name()]
        command.process.send_signal(signal.SIGKILL)
        assert command.finish()[0] == -signal.SIGKILL
        wait_for(lambda left=left_behind: not any(alive(process) for process in left), 60)
    code, output = relearn("run", path, "--study", "s").finish()
    assert code == 0, output

    made = Counter(published(study))
    assert set(made.values()) == {1}, "a published artifact was made again"
    assert len(made) == whole
    finished = Counter(e["stage"] for e in read_events(study / "log") if e["event"] == "stage finished")
    assert max(finished.values()) == 1, "a finished stage ran again"
    expected = undisturbed(**GRID)
    rows = rows_of(study)
    assert rows["cells"].equals(expected["cells"])
    assert rows["probes"].equals(expected["probes"])


def test_a_worker_killed_within_a_stage(relearn, space, undisturbed, tmp_path: Path) -> None:
    changes = {**GRID, "finetune": {"steps": 400, "optimiser": {"learning_rate": 1e-3, "batch_size": 12}}}
    path = space(**changes)
    study = tmp_path / "s"
    command = relearn("run", path, "--study", "s")

    def victims() -> list[int]:
        """Workers that are within a finetuning now."""
        events = read_events(study / "log")
        ended = {e["stage"] for e in events if e["event"] in ("stage finished", "published")}
        return [
            e["pid"]
            for e in events
            if e["event"] == "stage started" and e["kind"] == "finetune" and e["stage"] not in ended
        ]

    wait_for(lambda: bool(victims()))
    psutil.Process(victims()[0]).kill()
    code, output = command.finish()
    assert code == 0, output
    events = read_events(study / "log")
    tries = Counter(e["stage"] for e in events if e["event"] == "stage started")
    assert sorted(tries.values())[-1] == 2, "the killed stage was tried once more, and no other"
    assert sorted(tries.values())[-2] == 1
    assert set(Counter(published(study)).values()) == {1}
    assert rows_of(study)["cells"].equals(undisturbed(**changes)["cells"])


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
