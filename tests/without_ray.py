"""``relearn run`` with Ray taken out: the driver is the real one, and each stage is performed in its own process.

For tests of what a study computes and writes. ``python -m tests.without_ray VERB …`` is ``relearn VERB …``;
without words it reads those of one command after the other (``tests.commands.OneByOne``).
"""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import relearn
from cluster.driver.tune_run import TuneRun
from study.performing.perform import perform
from study.performing.residents import Residents
from study.performing.self_test.request import Request
from study.performing.self_test.trial import self_test
from study.planning.plan import Plan
from tests.commands import call


class RunWithoutRay(TuneRun):
    """Performs the ready stages one after the other; an error of a stage leaves it as it is."""

    def _check_nodes(self, needs: Any, address: str | None, demands: Any) -> None:
        """There are none."""

    def _fit(self, searcher: Any, needs: Any) -> None:
        residents = Residents()
        while isinstance(ready := searcher.suggest("trial"), dict):
            stage = self._plan.stages[ready["stage"]]
            tell = partial(self._log.write, stage=stage.key, trial="trial")
            tell("stage started", kind=stage.kind)
            work = vars(perform(stage, self._store, residents, self._plan.spec.execution, tell))
            tell("stage finished", seconds=work["train_seconds"], **work)
            searcher.on_trial_complete("trial", {"cause": None, "work": json.dumps(work)})


def models_tried_here(plan: Plan, requests: Sequence[Request]) -> list[str]:
    """As the driver does it, without a process for each model."""
    for request in requests:
        self_test(request)
    return []


def take_ray_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the patch is undone, a study that is run in this process starts no Ray."""
    monkeypatch.setattr("cluster.driver.launch.check_models", models_tried_here)
    monkeypatch.setattr("cluster.driver.run.TuneRun", RunWithoutRay)
    monkeypatch.setattr("cluster.driver.run.ray_session", lambda address, code_without_head: nullcontext())
    monkeypatch.setattr("cluster.driver.run.gpus_of_cluster", lambda: 0)
    monkeypatch.setattr("cluster.driver.tune_run.prepare_environment", lambda address, wait, gpus: None)
    monkeypatch.setattr("cluster.driver.tune_run.slots_of", lambda needs, wait: 1)


def run_without_ray(fields: Mapping[str, Any], place: Path) -> Path:
    """The folder ``place / "s"`` of a finished study, computed in this process from ``place / "space.json"``."""
    (place / "space.json").write_text(json.dumps(fields))
    with pytest.MonkeyPatch.context() as patch:
        take_ray_out(patch)
        code, output = call("run", "space.json", "--study", "s", cwd=place)
    assert code == 0, output
    return place / "s"


if __name__ == "__main__":
    take_ray_out(pytest.MonkeyPatch())
    if len(sys.argv) > 1:
        relearn.main()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(call(*json.loads(line), cwd=Path.cwd())) + "\n")
        sys.stdout.flush()
