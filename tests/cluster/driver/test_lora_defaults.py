"""A study with LoRA left to its defaults: killed, resumed and verified on a real local Ray."""

import json
import signal
from pathlib import Path

import pytest

from tests.commands import call, rows_of, wait_until_gone, wait_until_published
from tests.conftest import TINY

GRID = {"depth": [1, 2], "relearn_steps": [0, 1, 2]}


@pytest.mark.slow
def test_a_killed_study_with_default_lora_goes_on(relearn, space, undisturbed, tmp_path: Path) -> None:
    study = tmp_path / "s"
    run = relearn("run", space(**GRID), "--set", "relearn.lora={rank: 4}", "--study", "s")
    wait_until_published(study, 5, 300)
    left_behind = run.descendants()
    run.process.send_signal(signal.SIGKILL)
    assert run.finish()[0] == -signal.SIGKILL
    wait_until_gone(left_behind)
    code, output = relearn("resume", "s").finish()
    assert code == 0, output
    status = json.loads(call("status", "s", "--json", cwd=tmp_path)[1])
    assert (status["stages_published"], status["cells_recorded"]) == (status["stages"], status["cells"])
    code, output = call("verify", "s", cwd=tmp_path)
    assert code == 0, output
    expected = undisturbed(**GRID, relearn={**TINY["relearn"], "lora": {"rank": 4}})
    found = rows_of(study)
    assert found["cells"].equals(expected["cells"])
    assert found["probes"].equals(expected["probes"])
