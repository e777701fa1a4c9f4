"""Nodes with GPUs that cannot be used, idle ones, and sick ones, on real Ray workers; only CUDA's answers are faked."""

from pathlib import Path

import pandas as pd
import pytest

from cluster.study_folder.event_log import read_events
from tests.commands import started
from tests.faults.checker import Fault
from tests.stand_ins.faked_gpus import faked_gpus

# Ray's own Cluster leaves log files open.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
GRID = {"start": ["unlearned"], "depth": [1, 2], "corpus": ["prefix", "retain"], "relearn_steps": [0, 2]}


@pytest.mark.slow
def test_gpus_that_lie_idle_and_gpus_that_cannot_be_used(cluster, relearn, space, tmp_path: Path) -> None:
    """Nothing is faked here: Ray counts a GPU, and this machine's torch cannot use it."""
    address = cluster(1, gpus=1).address
    words = ("run", space(relearn_steps=[0]), "--study", "s", "--address", address, "--set")
    code, output = relearn(*words, "execution.gpus=1").finish()
    assert code == 3, output
    assert "has a GPU, and torch" in output
    assert started(tmp_path / "s") == [], "nothing was begun"
    code, output = relearn(*words, "execution.gpus=0").finish()
    assert code == 0, output
    assert output.count("The cluster has 1 GPUs, and the study asks for none") == 1


ON_ONE_NODE = """
import os, pathlib
first = pathlib.Path(os.environ["FAKED"]) / "first"
if actor:
    try:
        first.open("x").write(node)
    except FileExistsError:
        pass
    if first.read_text() == node:
        raise RuntimeError("%s")
"""
NO_DRIVER = ON_ONE_NODE % "CUDA driver initialization failed"
SICK = ON_ONE_NODE % "CUDA error: uncorrectable ECC error encountered"


@pytest.mark.slow
@pytest.mark.fault("a node whose driver dies after the checks")
def test_a_node_that_can_use_its_gpu_no_more(
    cluster, relearn, space, undisturbed, fault: Fault, monkeypatch, tmp_path: Path
) -> None:
    """Its stage is computed on the other node, and no other stage is started on it."""
    monkeypatch.setenv("FAKED", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", faked_gpus(tmp_path, begin=NO_DRIVER)["PYTHONPATH"])
    address = cluster(2, gpus=1).address
    fault.inject()
    words = ("run", space(**GRID), "--study", "s", "--address", address, "--set", "execution.gpus=1")
    code, output = relearn(*words).finish()
    assert code == 0, output
    events = read_events(tmp_path / "s" / "log")
    lost = [event for event in events if event["event"].startswith("attempt lost")]
    assert [event["cause"] for event in lost] == ["no gpu"]
    assert "CUDA driver initialization failed" in lost[0]["message"]
    assert [event["event"] for event in events].count("node left out") == 1
    assert "No stage with a GPU is started any more on" in output
    assert len(pd.read_parquet(tmp_path / "s" / "results" / "cells"))
    fault.check(tmp_path / "s", undisturbed(**GRID), code=code, repeated=1)


@pytest.mark.slow
@pytest.mark.fault("a card that reports a fault at every stage")
def test_a_sick_card_costs_attempts_and_no_stage(
    cluster, relearn, space, undisturbed, fault: Fault, monkeypatch, tmp_path: Path
) -> None:
    """The process whose context is lost takes no second stage; after two faults its node is left out."""
    monkeypatch.setenv("FAKED", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", faked_gpus(tmp_path, loss=SICK)["PYTHONPATH"])
    grid = {**GRID, "repetitions": [7, 3, 1]}
    address = cluster(2, gpus=1).address
    fault.inject()
    words = ("run", space(**grid), "--study", "s", "--address", address, "--set", "execution.gpus=1")
    code, output = relearn(*words).finish()
    assert code == 0, output
    events = read_events(tmp_path / "s" / "log")
    faults = [event for event in events if event["event"] == "stage interrupted"]
    assert 1 <= len(faults) <= 2
    assert {event["cause"] for event in faults} == {"sick card"}
    for event in faults:
        after = [each for each in events if each["pid"] == event["pid"] and each["time"] > event["time"]]
        assert after == [], "the process ended with its context"
    left_out = [event for event in events if event["event"] == "node left out"]
    assert len(left_out) == (len(faults) == 2)
    fault.check(tmp_path / "s", undisturbed(**grid), code=code, repeated=2)
