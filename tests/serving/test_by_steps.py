"""A study by steps against a service of Tinker's shape that really trains: its cells are those by weights."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.driver.preflight.service_cost import service_cost
from cluster.serving.served_models import of_study
from cluster.storage.local_store import LocalStore
from cluster.study_folder.study_folder import store_of
from cluster.study_folder.study_plan import planning_of, recorded_plan
from search_spaces.loading import validate
from study.errors import PreflightError
from study.evaluation.answering.generation import answer_probes
from study.models.hardware import use_threads
from study.performing.perform import perform
from study.performing.residents import Residents
from study.performing.service.errors import ServiceRefusedError
from study.performing.service.steps import StepClient
from study.planning.materials import read_materials
from study.planning.plan import Plan
from study.planning.proposer import grid_points
from study.planning.served_nodes import Steps
from tests.commands import Call, call, rows_of
from tests.serving.conftest import STUDY
from tests.serving.step_server import StepServer

RUNS, STEPS = 6, 4
"""Three starts and two corpora; the most relearn steps."""
TOLD = ["completion", "target_tokens", "keyword_hit", "keyword_anywhere"]
"""Columns of the probes that hold no rounded number."""
KEY = "a-key-that-stands-nowhere"


def by_steps(url: str, **changes: Any) -> dict[str, Any]:
    relearn = {**STUDY["relearn"], "by": "steps", "base_url": url, **changes.pop("relearn", {})}
    return {**STUDY, "relearn": relearn, **changes}


def plan_of(fields: dict[str, Any], folder: Path) -> Plan:
    materials = read_materials(validate(fields, "the test"))
    _, planned = planning_of(materials, folder)
    return planned(list(grid_points(materials.spec)))


@pytest.fixture
def service(attacked: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StepServer]:
    """Over the models of the finished study."""
    monkeypatch.setenv("TINKER_API_KEY", KEY)
    monkeypatch.setattr("study.performing.service.calls.time.sleep", lambda seconds: None)
    made = StepServer(of_study(recorded_plan(attacked, validate), store_of(attacked)))
    yield made
    made.close()


def one_start(service: StepServer, folder: Path, **changes: Any) -> tuple[Any, LocalStore, Plan]:
    plan = plan_of(by_steps(service.url, start=["original"], corpus=["prefix"], **changes), folder)
    (stage,) = [stage for stage in plan.stages.values() if isinstance(stage.node, Steps)]
    return stage, LocalStore(folder / "store"), plan


@pytest.mark.slow
def test_cells_by_steps_are_those_with_the_weights(
    service: StepServer, attacked: Path, tmp_path: Path, without_ray: None
) -> None:
    (tmp_path / "a.json").write_text(json.dumps(by_steps(service.url)))
    code, output = call("run", "a.json", "--study", "a", cwd=tmp_path)
    assert code == 0, output
    assert (service.counts["runs"], service.counts["steps"]) == (RUNS, RUNS * STEPS)
    cost = service_cost(plan_of(by_steps(service.url), tmp_path / "a"), ())
    assert cost is not None and cost.training_tokens is not None
    assert service.counts["tokens"] <= cost.training_tokens < 4 * service.counts["tokens"]
    found, expected = rows_of(tmp_path / "a")["probes"], rows_of(attacked)["probes"]
    for column in TOLD:
        assert found[column].equals(expected[column]), column
    assert found["target_rank"].null_count == len(found) > 0
    pairs = zip(found["target_nll"].to_pylist(), expected["target_nll"].to_pylist(), strict=True)
    assert all(one == pytest.approx(other, rel=1e-4) for one, other in pairs)
    cells = rows_of(tmp_path / "a")["cells"]
    assert cells["weight_distance"].null_count == len(cells)
    assert set(cells["device"].to_pylist()) == {"service 127.0.0.1"}
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(KEY.encode() in path.read_bytes() for path in files)
    assert KEY not in output and set(service.keys) == {KEY}
    # A study that lost its folder goes on with what it has paid for.
    code, output = call("run", "a.json", "--study", "again", cwd=tmp_path)
    assert code == 0, output
    assert (service.counts["runs"], service.counts["steps"]) == (RUNS, RUNS * STEPS)


def equals_weights(service: StepServer, stage: Any, attacked: Path) -> None:
    """The weights that the service has answer as those of the study, every bit of the likelihoods."""
    client = StepClient(service.url, None)
    steps = [step for step, _ in stage.evaluate]
    ended = client.checkpoints(stage.node, [], steps, lambda what, known: None)
    client.close()
    use_threads(1)
    place = ("original", "prefix")
    rows = [row for row in rows_of(attacked)["probes"].to_pylist() if (row["start"], row["corpus"]) == place]
    for step, evaluation in stage.evaluate:
        expected = {(row["probe"], row["target_nll"]) for row in rows if row["relearn_steps"] == step}
        answers = answer_probes(service.resident(ended.models[step]), evaluation.probes, 4, 64)
        assert {(answer.probe.name, answer.target_nll) for answer in answers} == expected, step
        assert len(expected) > 0


FAULTS = {
    "slower and broken": ({"/forward_backward": ["429", "429"], "/create_model": ["429", "500"]}, 1, 4),
    "create is lost": ({"/create_model": ["lost"]}, 1, 4),
    "a gradient is lost": ({"/forward_backward": ["429", "lost"]}, 2, 4),
    "a step is lost": ({"/optim_step": ["lost"]}, 2, 5),
    "a step is broken": ({"/optim_step": ["500"]}, 2, 4),
    "a saved model is lost": ({"/save_weights_for_sampler": ["lost"], "/asample": ["lost", "500"]}, 2, 6),
    "a saved state is lost": ({"/save_weights": ["lost"]}, 2, 4),
    "loading is lost": ({"/save_weights": ["lost"], "/load_weights": ["lost"]}, 3, 4),
}


QUICK = ("a step is lost",)


@pytest.mark.further
@pytest.mark.parametrize(
    ("faults", "runs", "steps"),
    [
        pytest.param(*fault, id=name, marks=[] if name in QUICK else pytest.mark.slow)
        for name, fault in FAULTS.items()
    ],
)
def test_no_gradient_is_added_twice(
    service: StepServer, attacked: Path, tmp_path: Path, faults: dict[str, list[str]], runs: int, steps: int
) -> None:
    stage, store, plan = one_start(service, tmp_path)
    service.faults = {route: list(each) for route, each in faults.items()}
    perform(stage, store, Residents(), plan.spec.execution)
    assert not any(service.faults.values()), "every fault was met"
    assert (service.counts["runs"], service.counts["steps"]) == (runs, steps)
    equals_weights(service, stage, attacked)


@pytest.mark.further
def test_a_longer_study_goes_on_from_the_saved_state(
    service: StepServer, attacked: Path, tmp_path: Path
) -> None:
    stage, store, plan = one_start(service, tmp_path, relearn_steps=[0, 2])
    perform(stage, store, Residents(), plan.spec.execution)
    stage, store, plan = one_start(service, tmp_path)
    perform(stage, store, Residents(), plan.spec.execution)
    assert service.counts["steps"] == STEPS
    equals_weights(service, stage, attacked)


def test_what_the_service_refuses_is_a_result(service: StepServer, tmp_path: Path) -> None:
    stage, store, plan = one_start(service, tmp_path)
    service.faults = {"/forward_backward": ["refused"]}
    with pytest.raises(ServiceRefusedError, match="against our policy"):
        perform(stage, store, Residents(), plan.spec.execution)


@pytest.mark.slow
def test_a_study_that_is_killed_goes_on(service: StepServer, attacked: Path, tmp_path: Path) -> None:
    fields = by_steps(service.url, start=["original"], corpus=["prefix"])
    (tmp_path / "space.json").write_text(json.dumps(fields))
    service.faults = {
        "/create_model": ["killed"],
        "/optim_step": ["", "", "", "killed"],
        "/save_weights": ["", "killed"],
        "/asample": ["killed"],
    }
    kills = 0
    while True:
        run = Call(
            "run",
            "space.json",
            "--study",
            "s",
            cwd=tmp_path,
            environment={"TINKER_API_KEY": KEY},
            with_ray=False,
        )
        service.kill = run.process.kill
        code, output = run.finish()
        if code == 0:
            break
        kills += 1
        assert kills <= 4, output
    assert kills == 4 and not any(service.faults.values())
    assert service.counts["steps"] <= STEPS + 2, "at most the steps since the last saved state"
    (stage, _, _) = one_start(service, tmp_path)
    equals_weights(service, stage, attacked)


WRONG = {
    "no such model": ({"relearn": {"models": "no/{depth}"}}, 3, "has no model 'no/0'"),
    "no adapter": ({"relearn": {"lora": None}}, 2, "by=steps trains an adapter"),
    "some layers": ({"relearn": {"lora": {"rank": 4, "targets": ["q_proj"]}}}, 2, "without targets"),
    "epochs": ({"relearn": {"epochs": 2}}, 2, "epochs belongs to by=jobs"),
    "too many runs": ({"execution": {"service": {"most_jobs": 5}}}, 3, "the study has 6 jobs"),
    "too many tokens": ({"execution": {"service": {"most_training_tokens": 9}}}, 3, "most_training_tokens=9"),
    "a GPU": ({"execution": {"gpus": 1}}, 2, "by=steps computes nothing here"),
}


@pytest.mark.parametrize(("changes", "code", "words"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_asked_is_refused_before_a_run_begins(
    service: StepServer, tmp_path: Path, without_ray: None, changes: dict[str, Any], code: int, words: str
) -> None:
    (tmp_path / "s.json").write_text(json.dumps(by_steps(service.url, **changes)))
    found, output = call("run", "s.json", "--study", "s", cwd=tmp_path)
    assert (found, words in output) == (code, True), output
    assert "Traceback" not in output and not service.counts


def test_keys_hold_no_horizon_and_all_that_is_sent(service: StepServer, tmp_path: Path) -> None:
    def keys(**changes: Any) -> set[str]:
        plan = plan_of(by_steps(service.url, **changes), tmp_path)
        return {key for key, stage in plan.stages.items() if isinstance(stage.node, Steps)}

    assert len(keys()) == RUNS and keys() == keys(relearn_steps=[0, 2, 400])
    for relearn in (
        {"learning_rate": 2e-2},
        {"warmup_steps": 3},
        {"lora": {"rank": 8, "alpha": 8}},
        {"provider": "a"},
    ):
        assert not keys() & keys(relearn=relearn), relearn


def test_no_key_no_study(service: StepServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TINKER_API_KEY")
    with pytest.raises(PreflightError, match="TINKER_API_KEY"):
        plan_of(by_steps(service.url), tmp_path)
