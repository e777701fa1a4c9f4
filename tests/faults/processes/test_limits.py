"""Stages that never end, take all memory, or leave the finite numbers: ended, and named for what they did."""

import json
from pathlib import Path

import pytest

from cluster.study_folder.failures import ABOUT, Cause, FailureRecords
from tests.commands import call, started, wait_for
from tests.faults.checker import Fault
from tests.stand_ins.disturbed_methods import before_each_loss

GRID = {"start": ["unlearned", "never_learned"], "depth": [1, 2], "relearn_steps": [0, 2]}
HANG = "import subprocess, time\nsubprocess.Popen(['sleep', '600'])\ntime.sleep(600)"
EAT = "held = []\nwhile True:\n    held.append(b'x' * 10_000_000)\n    import time; time.sleep(0.005)"


@pytest.mark.slow  # `make test` has one that hangs, and one that diverges, in tests/cluster/test_run.py
@pytest.mark.parametrize(
    ("does", "limits", "cause"),
    [
        pytest.param(
            HANG,
            {"time_limit_seconds": 4},
            "time",
            marks=pytest.mark.fault("a stage that hangs, with a child process, and a time limit"),
        ),
        pytest.param(
            EAT,
            {"memory_limit_gb": 1.5},
            "out of memory",
            marks=pytest.mark.fault("a stage that takes all memory, and a memory limit"),
        ),
    ],
    ids=["hang", "memory"],
)
def test_a_stage_beyond_its_limits(
    relearn, resume, space, undisturbed, fault: Fault, tmp_path: Path, does: str, limits: dict, cause: str
) -> None:
    study = tmp_path / "s"
    path = space(**GRID, execution={**limits, "retries": 1})
    run = relearn("run", path, "--study", "s", environment=before_each_loss(tmp_path, does))
    wait_for(lambda: started(study, "unlearn"))
    fault.before(study, run)
    fault.inject()
    code, output = run.finish(120)
    assert code == 1, output
    assert output.splitlines()[-2].startswith(f"  1: {ABOUT[Cause(cause)].meaning}. What to do: "), output
    assert "root cause" not in output
    assert "\x1b" not in output
    ((_, failure),) = FailureRecords(study).read().items()
    assert failure["cause"] == cause
    assert "execution." in failure["message"]
    assert "unlearn" in failure["label"]
    fault.check(study, undisturbed(**GRID), code=code, complete=False, repeated=1)
    # Without the fault, the same study goes on.
    code, output = resume("s")
    assert code == 0, output
    fault.check(study, undisturbed(**GRID), code=code, repeated=2)


@pytest.mark.slow
@pytest.mark.fault("a loss that is not a number")
def test_a_stage_that_diverges(relearn, space, undisturbed, fault: Fault, tmp_path: Path) -> None:
    study = tmp_path / "s"
    fields = {**GRID, "unlearn": {"learning_rate": 1e38, "batch_size": 3}}
    code, output = relearn("run", space(**fields), "--study", "s").finish()
    fault.inject()
    assert code == 1, output
    code, output = call("status", "s", "--json", cwd=tmp_path)
    found = json.loads(output)
    (failure,) = found["failures"]
    assert failure["cause"] == "diverged"
    assert found["cells_recorded"] < found["cells"]
    fault.check(study, undisturbed(**GRID), code=1, complete=False)
