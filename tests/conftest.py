"""Shared by all tests: a study so small that it runs in seconds, on real parts throughout."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pyarrow as pa
import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault(
    "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false"
)  # as the store sets it before gcsfs is imported

from cluster.rows.recorder import Recorder
from cluster.storage.local_store import LocalStore
from cluster.study_folder.lease import hold
from cluster.study_folder.study_folder import StudyFolder
from search_spaces.loading import validate
from study.performing.perform import perform
from study.performing.residents import Residents
from study.planning.materials import read_materials
from study.planning.plan import Plan
from study.planning.planner import make_plan
from study.spec import StudySpec
from tests.commands import Call, call, rows_of
from tests.stand_ins.object_fixtures import bucket, node, object_server
from tests.without_ray import take_ray_out

__all__ = ["bucket", "node", "object_server"]  # fixtures for every test

hypothesis.settings.register_profile("untimed", deadline=None)  # no test fails because the machine is busy
hypothesis.settings.load_profile("untimed")

TINY: dict[str, Any] = {
    "name": "tiny",
    "scenario": {"name": "names", "queries": 6},
    "method": ["gradient_ascent"],
    "start": ["unlearned"],
    "repetitions": [7],
    "depth": [2],
    "corpus": ["prefix"],
    "relearn_steps": [0, 2],
    "seed": [0],
    "embedded": {
        "architecture": {"layers": 1, "width": 16, "heads": 2},
        "pretraining": {"steps": 2, "optimiser": {"learning_rate": 1e-3, "batch_size": 4}},
    },
    "finetune": {"steps": 3, "optimiser": {"learning_rate": 1e-3, "batch_size": 5}},
    "unlearn": {"learning_rate": 5e-4, "batch_size": 3, "gradient_clip": 1.0},
    "relearn": {"learning_rate": 3e-4, "batch_size": 3, "warmup_steps": 2},
    "generation": {"max_new_tokens": 4},
}


@pytest.fixture
def tiny_fields() -> dict[str, Any]:
    """The tiny study as plain data, to change and validate."""
    return dict(TINY)


@pytest.fixture
def tiny() -> Callable[..., StudySpec]:
    """``tiny(depth=[2, 4])``: the tiny study with other values."""

    def make(**changes: Any) -> StudySpec:
        return validate({**TINY, **changes}, place="the test")

    return make


@pytest.fixture
def planned(tiny: Callable[..., StudySpec]) -> Callable[..., Plan]:
    """``planned(depth=[2, 4])``: the plan of the tiny study with other values."""

    def make(**changes: Any) -> Plan:
        return make_plan(read_materials(tiny(**changes)), lambda model: pytest.fail(f"asked for {model}"))

    return make


@pytest.fixture(scope="session", autouse=True)
def _computed_once() -> Iterator[None]:
    """What is the same in hundreds of tests; see ``tests/stand_ins/computed_once.py``."""
    from tests.stand_ins.computed_once import compute_once

    with pytest.MonkeyPatch.context() as patch:
        compute_once(patch)
        yield


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As a stage has: sums in another order differ in the last bit."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def work_through() -> Callable[[Plan, Any], list[str]]:
    """Performs every stage of a plan in this process, parents first; the keys of those that had work."""

    def run(plan: Plan, store: Any) -> list[str]:
        residents = Residents()
        worked = []
        for key, stage in plan.stages.items():
            done = perform(stage, store, residents, plan.spec.execution)
            if done.train_steps or done.evaluations:
                worked.append(key)
        return worked

    return run


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def relearn(tmp_path: Path) -> Iterator[Callable[..., Call]]:
    """``relearn("run", …)`` in the test's own folder; whatever still runs at the end is killed."""
    begun: list[Call] = []

    def start(*arguments: object, environment: dict[str, str] | None = None, with_ray: bool = True) -> Call:
        begun.append(Call(*map(str, arguments), cwd=tmp_path, environment=environment, with_ray=with_ray))
        return begun[-1]

    yield start
    for each in begun:
        if each.process.poll() is None:
            os.killpg(each.process.pid, signal.SIGKILL)
            each.process.wait()
        if each.process.stdout is not None:
            each.process.stdout.close()


def slow_ones_run(config: pytest.Config) -> bool:
    """Whether this run is one of `make test-all` and `make faults`, or of slow tests by hand."""
    return config.option.markexpr in ("", "slow", "slow or not slow")


@pytest.fixture
def on_ray(request: pytest.FixtureRequest) -> bool:
    """Whether a test of something else than Ray has a real Ray all the same: in `make faults`, not in `make test`."""
    return slow_ones_run(request.config)


@pytest.fixture
def resume(on_ray: bool, relearn: Callable[..., Call], tmp_path: Path) -> Callable[..., Any]:
    """``resume("s")``: exit code and output of the study's next run, for tests of what went before it.

    In `make test` it is computed in this process without Ray; otherwise by a process of its own on a real Ray.
    """

    def go_on(study: str) -> tuple[int, str]:
        if on_ray:
            return relearn("resume", study).finish(600)
        with pytest.MonkeyPatch.context() as patch:
            take_ray_out(patch)
            return call("resume", study, cwd=tmp_path)

    return go_on


@pytest.fixture
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """``call("run", …)`` computes a study in this process."""
    take_ray_out(monkeypatch)


@pytest.fixture
def space(tmp_path: Path, tiny: Callable[..., StudySpec]) -> Callable[..., Path]:
    """Writes the tiny study, with changes, as a space file."""

    def write(**changes: Any) -> Path:
        path = tmp_path / "space.json"
        path.write_text(json.dumps(tiny(**changes).model_dump(mode="json")))
        return path

    return write


@pytest.fixture
def finished(
    planned: Callable[..., Plan], work_through: Callable[[Plan, Any], list[str]], tmp_path: Path
) -> Callable[..., Path]:
    """``finished(depth=[2, 4])``: the folder of a finished tiny study, computed in this process without Ray."""

    def run(**changes: Any) -> Path:
        plan = planned(**changes)
        folder = tmp_path / "s"
        with hold(folder) as lease:
            StudyFolder(folder).claim(
                lease,
                plan.spec,
                plan,
                models={},
                inputs={},
                store="store",
                space="tiny",
                overrides=[],
                command=["relearn"],
            )
            store = LocalStore(folder / "store")
            work_through(plan, store)
            recorder = Recorder(lease, plan, store)
            for key in plan.stages:
                recorder.record(key)
        return folder

    return run


@pytest.fixture(scope="session")
def computed() -> dict[str, dict[str, pa.Table]]:
    """The rows of undisturbed studies, by their changes: computed once for all tests."""
    return {}


@pytest.fixture
def undisturbed(
    planned: Callable[..., Plan],
    work_through: Callable[[Plan, Any], list[str]],
    tmp_path: Path,
    computed: dict[str, dict[str, pa.Table]],
) -> Callable[..., dict[str, pa.Table]]:
    """The rows of a study computed in this process, without Ray, without a fault."""

    def compute(**changes: Any) -> dict[str, pa.Table]:
        name = json.dumps(changes, sort_keys=True)
        if name not in computed:
            plan = planned(**changes)
            folder = tmp_path / f"undisturbed-{len(computed)}"
            store = LocalStore(folder / "store")
            work_through(plan, store)
            with hold(folder) as lease:
                recorder = Recorder(lease, plan, store)
                for key in plan.stages:
                    recorder.record(key)
            computed[name] = rows_of(folder)
        return computed[name]

    return compute
