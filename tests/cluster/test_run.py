"""A study through the front door: planned, run on a real local Ray, stored, resumed, extended."""

import json
import os
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from cluster.study_folder.event_log import read_events
from tests.commands import call, published, rows_of, started, wait_for
from tests.stand_ins.disturbed_methods import before_each_loss
from tests.without_ray import take_ray_out

GRID = {
    "start": ["unlearned", "never_learned"],
    "repetitions": [7, 1],
    "depth": [1, 2],
    "relearn_steps": [0, 1, 2],
    "execution": {"retries": 1},
}


def test_a_study_runs_resumes_and_grows(
    relearn, space, undisturbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cores = len(os.sched_getaffinity(0))
    execution = {"retries": 1, "cpus": cores}  # threads may alter the last bits
    path = space(**{**GRID, "execution": execution})
    code, output = relearn("run", path, "--study", "s").finish()
    assert code == 0, output
    assert output.index("times fewer") < output.index("stages run now"), "the plan is shown before it is run"
    study = tmp_path / "s"
    rows = rows_of(study)
    expected = undisturbed(**{**GRID, "execution": execution})
    assert rows["cells"].equals(expected["cells"])
    assert rows["probes"].equals(expected["probes"])
    assert not (study / ".tune").exists()

    # Each stage was one trial, all of them in the one process that a machine of one slot needs.
    begun = started(study)
    assert len(begun) == len({event["stage"] for event in begun}) == len({event["trial"] for event in begun})
    assert len({event["pid"] for event in begun}) == 1
    steps = 2 + 3 * 3 + 2 * 2 + 6 * 2  # the base, three finetunings, two unlearnings, six relearnings
    assert f"{steps} training steps, " in output

    # pandas, as a user opens it.
    cells = pd.read_parquet(study / "results" / "cells")
    assert len(cells) == rows["cells"].num_rows
    assert not cells.duplicated(
        ["start", "repetitions", "depth", "corpus", "relearn_steps", "seed", "split", "metric"]
    ).any()

    # Nothing runs twice.
    before = published(study)
    assert len(before) == len(set(before))
    code, output = call("resume", "s", cwd=tmp_path)
    assert (code, published(study)) == (0, before), output
    assert "what is left" in output
    assert "0 stages run now" in output

    # An extension runs what is missing; the new rows are those of a study that had it from the start.
    take_ray_out(monkeypatch)
    code, output = call("run", path, "--study", "s", "--set", "relearn_steps=[0,1,2,3]", cwd=tmp_path)
    assert code == 0, output
    assert "This study grows: relearn_steps by 3" in output
    added = set(published(study)) - set(before)
    assert {(step, what.split("-")[0]) for _, step, what in added} == {(3, "answers")}
    grown = rows_of(study)
    longer = undisturbed(**{**GRID, "relearn_steps": [0, 1, 2, 3], "execution": execution})
    assert grown["cells"].equals(longer["cells"])
    assert grown["probes"].equals(longer["probes"])

    code, output = call("status", "s", "--json", cwd=tmp_path)
    status = json.loads(output)
    assert (code, status["cells_recorded"], status["stages_missing"]) == (0, status["cells"], 0)

    # Another study over the same store has all of it.
    code, output = call("run", path, "--study", "t", "--store", study / "store", cwd=tmp_path)
    assert code == 0, output
    assert "0 stages run now" in output
    assert rows_of(tmp_path / "t")["probes"].equals(rows["probes"])

    # Another question does not fit into the folder.
    changed = "relearn.learning_rate=1e-5"
    code, output = call("run", path, "--study", "s", "--set", changed, cwd=tmp_path)
    assert code == 2
    assert "relearn.learning_rate: 0.0003 → 1e-05" in output
    assert "Traceback" not in output


@pytest.mark.slow  # `make test` has a lost node on a real Ray
def test_a_failed_stage_is_named_and_the_rest_goes_on(relearn, space, tmp_path: Path) -> None:
    """One method diverges, another hangs with a child process until its time is over; the control does neither.

    Each kind of stage asks for its own resources, and what goes wrong is told without a secret of the environment.
    """
    execution = {"retries": 1, "time_limit_seconds": 10, "of_kind": {"finetune": {"cpus": 2}}}
    less = {"repetitions": [7], "relearn_steps": [0, 1], "execution": execution}
    methods = ["gradient_ascent", "npo"]
    path = space(**{**GRID, **less, "method": methods, "unlearn": {"learning_rate": 1e38, "batch_size": 3}})
    secret = "hf_abcdefghijklmnop"
    hangs = "import subprocess, time\nsubprocess.Popen(['sleep', '600'])\ntime.sleep(600)"
    environment = before_each_loss(tmp_path, hangs, "NPO") | {"HF_TOKEN": secret, "RELEARN_SECRET": secret}
    code, output = relearn("run", path, "--study", "s", environment=environment).finish()
    assert code == 1, output
    files = [path for path in (tmp_path / "s").rglob("*") if path.is_file()]
    assert not any(secret.encode() in path.read_bytes() for path in files)
    assert "Traceback" not in output
    code, output = call("status", "s", "--json", cwd=tmp_path)
    status = json.loads(output)
    hung, diverged = sorted(status["failures"], key=lambda failure: failure["cause"] == "diverged")
    assert (hung["cause"], diverged["cause"], hung["kind"], diverged["kind"]) == (
        "time",
        "diverged",
        "unlearn",
        "unlearn",
    )
    assert "learning rate" in diverged["remedy"]
    assert "execution.time_limit_seconds" in hung["message"]
    assert status["stages_unreachable"] == 4  # one for each depth and method
    assert status["stages_missing"] == 0
    records = [json.loads(each.read_text()) for each in tmp_path.glob("s/store/artifacts/**/record.json")]
    threads = {record["stage"]["kind"]: record["threads"] for record in records}
    assert threads == {"base": 1, "finetune": 2, "relearn": 1}
    cells = pd.read_parquet(tmp_path / "s" / "results" / "cells")
    assert set(cells["start"]) == {"base", "original", "never_learned"}
    tried = Counter(event["stage"] for event in started(tmp_path / "s"))
    assert hung["stage"] in tried
    assert set(tried.values()) == {1}, "what would come again is not tried again"

    # The log tells the same, of the whole study and of one stage by the beginning of its key.
    stage = diverged["stage"]
    code, output = call("logs", "s", cwd=tmp_path)
    assert code == 0
    assert "run started" in output.splitlines()[0]
    assert "run ended" in output.splitlines()[-1]
    code, output = call("logs", "s", stage[:12], "--json", cwd=tmp_path)
    events = json.loads(output)
    assert code == 0
    assert {event["stage"] for event in events} == {stage}
    assert [event["event"] for event in events] == ["stage started", "stage failed", "stage given up"]
    assert events[1]["cause"] == "diverged"
    assert {"time", "node", "pid", "trial", "attempt"} <= set(events[1])
    code, output = call("logs", "s", "nothing", cwd=tmp_path)
    assert (code, "found none" in output) == (2, True)


@pytest.mark.slow
def test_a_second_driver_is_refused(relearn, space, tmp_path: Path) -> None:
    optimiser = {"learning_rate": 1e-3, "batch_size": 5}
    path = space(**GRID, finetune={"steps": 1500, "optimiser": optimiser})  # still on when the other comes
    first = relearn("run", path, "--study", "s")
    wait_for(lambda: len(published(tmp_path / "s")) >= 1)
    code, output = call("run", path, "--study", "s", cwd=tmp_path)
    assert code == 4, output
    assert f"process {first.process.pid} on" in output
    assert first.finish()[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("where", ["execution.of_kind={relearn: {cpus: 640}}", "execution.cpus=640"])
def test_impossible_resources_are_told_in_numbers(relearn, space, where: str) -> None:
    code, output = relearn("run", space(), "--study", "s", "--set", where).finish(60)
    assert code == 3, output
    assert "CPU 640" in output
    assert "the whole cluster has" in output
    assert "Traceback" not in output


@pytest.mark.slow
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs a machine of two slots")
def test_a_slot_that_is_free_after_a_chain_gets_its_worker(relearn, space, tmp_path: Path) -> None:
    """One stage at first, then ten shorter than the start of a worker: none that was begun is ended again."""
    path = space(
        start=["unlearned"],
        depth=[4],
        relearn_steps=[0],
        method=[{"name": "npo", "beta": beta / 10} for beta in range(1, 11)],
        execution={"cpus": len(os.sched_getaffinity(0)) // 2},
    )
    slow = before_each_loss(tmp_path, "import time; time.sleep(1)", "NPO")
    code, output = relearn("run", path, "--study", "s", environment=slow).finish(300)
    assert code == 0, output
    events = read_events(tmp_path / "s" / "log")
    workers = {event["pid"] for event in events if event["event"] == "worker starts"}
    worked = [event["pid"] for event in events if event["event"] == "stage started"]
    assert len(worked) == 12  # the base, its finetuning, and the ten
    assert len(workers) == 2
    assert set(worked) == workers
