"""The benchmark at its smallest size: every arm really runs, and their cells are compared."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
ARMS = {"B0", "B1", "B2", "B3"}


def benchmark(results: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "benchmarks", "--smallest", "--results", str(results)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    results = tmp_path_factory.mktemp("results")
    return results, *benchmark(results)


def facts_of(results: Path) -> dict[str, dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in (results / "runs" / "smallest").glob("*.json")]
    return {facts["arm"]: facts for facts in found}


def steps(facts: dict[str, Any]) -> dict[str, int]:
    return {kind: taken["steps"] for kind, taken in facts["train"].items()}


def test_every_arm_computes_the_same_cells_to_the_bit(finished) -> None:
    results, code, output = finished
    assert code == 0, output
    assert "16 cells of all runs compared: equal to the bit" in output
    found = facts_of(results)
    assert set(found) == ARMS
    # 2 repetition counts × 2 step counts; the digests say something only if the cells differ.
    assert {len(set(facts["cells"].values())) for facts in found.values()} == {4}
    assert len({json.dumps(facts["cells"], sort_keys=True) for facts in found.values()}) == 1


def test_steps_executed_by_hand(finished) -> None:
    found = facts_of(finished[0])
    # Every cell finetunes 3 and unlearns 1; two of the four relearn 2.
    alone = {"finetune": 4 * 3, "unlearn": 4 * 1, "relearn": 2 * 2}
    assert steps(found["B0"]) == steps(found["B1"]) == alone
    # Two repetition counts: each prefix once. The hand-written prefixes share all but the relearning, which here
    # has one length, so they come to the same steps.
    assert steps(found["B2"]) == steps(found["B3"]) == {"finetune": 2 * 3, "unlearn": 2 * 1, "relearn": 2 * 2}
    # This project also asks the base model and both finetuned ones.
    assert [found[arm]["evaluations"] for arm in sorted(ARMS)] == [4, 4, 4, 4 + 3]
    assert all(facts["train"]["relearn"]["tokens"] > 0 for facts in found.values())


def test_each_run_is_measured(finished) -> None:
    for facts in facts_of(finished[0]).values():
        assert 0 < facts["seconds_to_first_step"] < facts["wall_seconds"]
        assert facts["cpu_seconds"] > facts["evaluation_seconds"] > 0
        assert facts["peak_bytes"] > 100e6  # a driver and two workers with torch in memory
        assert facts["disk_bytes"] > 0
        assert facts["processes"] > facts["workers"]


def test_a_cell_that_differs_fails_and_no_run_is_repeated(finished) -> None:
    results, _, _ = finished
    path = results / "runs" / "smallest" / "B3.1.json"
    before = path.read_text()
    runs = facts_of(results)
    facts = json.loads(before)
    name = next(iter(facts["cells"]))
    path.write_text(json.dumps({**facts, "cells": {**facts["cells"], name: "another answer"}}))
    code, output = benchmark(results)
    assert code == 1
    assert "B3 (run 1) differs in 1 of 4" in output
    path.write_text(before)
    code, output = benchmark(results)
    assert code == 0, output
    assert facts_of(results) == runs
