"""A study by jobs against `relearn serve` in a process of its own: its cells are, to the bit, those by weights."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from cluster.driver.preflight.checks import local_slots
from cluster.driver.preflight.service_cost import check_service_cost, service_cost
from cluster.storage.local_store import LocalStore
from cluster.study_folder.failures import Cause, Failure
from cluster.study_folder.study_plan import planning_of
from search_spaces.loading import validate
from study.artifacts.address import Address
from study.errors import PreflightError
from study.evaluation.answers_file import ANSWERS_FILE, read_answers
from study.performing.perform import perform
from study.performing.residents import Residents
from study.performing.service import client as service_client
from study.performing.service.client import ServiceClient
from study.performing.service.errors import MissingCheckpointError, ServiceRefusedError
from study.planning.materials import read_materials
from study.planning.plan import Plan
from study.planning.proposer import grid_points
from study.planning.served_nodes import Job
from study.planning.stages import Evaluation
from study.text.examples import Corpus, Example
from tests.commands import call, rows_of
from tests.serving.conftest import STUDY
from tests.serving.faulty_proxy import FaultyProxy
from tests.serving.servers import Server

OF_THE_WAY = ["stage", "stage_step", "weight_distance", "train_tokens", "device"]
"""Columns that say how a row came to be, not what it says."""
JOBS = 6
"""Three starts, two corpora."""


def by_jobs(url: str, **changes: Any) -> dict[str, Any]:
    relearn = {**STUDY["relearn"], "by": "jobs", "base_url": url, **changes.pop("relearn", {})}
    return {**STUDY, "relearn": relearn, **changes}


def plan_of(url: str, folder: Path, **changes: Any) -> Plan:
    materials = read_materials(validate(by_jobs(url, **changes), "the test"))
    _, planned = planning_of(materials, folder)
    return planned(list(grid_points(materials.spec)))


@pytest.fixture(autouse=True)
def _key(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", server.token)
    monkeypatch.setattr(service_client, "FIRST_PAUSE", 0.05)


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultyProxy]:
    made = FaultyProxy(server.url)
    yield made
    made.close()


def said(folder: Path, dataset: str) -> pa.Table:
    table = rows_of(folder)[dataset]
    return table.drop_columns([name for name in OF_THE_WAY if name in table.column_names])


def half(folder: Path, dataset: str) -> pa.Table:
    """What is said of one of the two corpora, and of models that were relearned on none."""
    return said(folder, dataset).filter(pc.field("corpus") != "gibberish")


def run(folder: Path, study: str, fields: dict[str, Any]) -> tuple[int, str]:
    (folder / f"{study}.json").write_text(json.dumps(fields))
    return call("run", f"{study}.json", "--study", study, cwd=folder)


def test_cells_through_the_api_equal_cells_with_the_weights_to_the_bit(
    server: Server, attacked: Path, tmp_path: Path, without_ray: None
) -> None:
    fields = by_jobs(server.url, corpus=["prefix"])
    before = len(list(server.client().fine_tuning.jobs.list()))
    code, output = run(tmp_path, "a", fields)
    assert code == 0, output
    for dataset in ("cells", "probes"):
        assert said(tmp_path / "a", dataset).equals(half(attacked, dataset)), dataset
    rows = rows_of(tmp_path / "a")["cells"]
    assert set(rows["device"].to_pylist()) == {"service 127.0.0.1"}
    assert rows["weight_distance"].null_count == rows["train_tokens"].null_count == len(rows) > 0
    everything = b"".join(path.read_bytes() for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert server.token.encode() not in everything and server.token not in output
    jobs = list(server.client().fine_tuning.jobs.list())
    assert len(jobs) == before + JOBS // 2
    cost = service_cost(plan_of(server.url, tmp_path / "a", corpus=["prefix"]), ())
    assert cost is not None and cost.training_tokens is not None
    counted = sum(job.trained_tokens or 0 for job in jobs[: JOBS // 2])
    assert 0 < counted <= cost.training_tokens < 4 * counted
    # A study that lost its folder goes on with the jobs that it has paid for.
    code, output = run(tmp_path, "again", fields)
    assert code == 0, output
    assert said(tmp_path / "again", "cells").equals(half(attacked, "cells"))
    assert len(list(server.client().fine_tuning.jobs.list())) == before + JOBS // 2
    code, output = call("plan", "a.json", "--study", "a", cwd=tmp_path)
    assert code == 0 and "3 (3 are begun)" in output


def test_an_answer_of_create_that_is_lost_makes_no_second_job(
    server: Server, proxy: FaultyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.performing.service.calls.time.sleep", lambda seconds: None)
    plan = plan_of(proxy.url, tmp_path, relearn={"provider": "lost"}, start=["original"])
    before = len(list(server.client().fine_tuning.jobs.list()))
    proxy.rules = {
        "/fine_tuning/jobs": ["lost", "429", "500", "lost"],
        "/files": ["500"],
        "/completions": ["429", "lost", "500"],
        "/models": ["500"],
    }
    proxy.lag = 3  # the list shows a job when it was read three times without it
    store = LocalStore(tmp_path / "store")
    for stage in plan.stages.values():
        perform(stage, store, Residents(), plan.spec.execution)
    jobs = [stage for stage in plan.stages.values() if isinstance(stage.node, Job)]
    assert len(list(server.client().fine_tuning.jobs.list())) == before + len(jobs)
    assert not any(proxy.rules.values()), "every fault was met"


def stage_of_a_job(plan: Plan) -> Any:
    return next(stage for stage in plan.stages.values() if isinstance(stage.node, Job))


def test_a_step_without_a_checkpoint_is_missing_with_that_cause(server: Server, tmp_path: Path) -> None:
    plan = plan_of(
        server.url,
        tmp_path,
        relearn_steps=[0, 2, 3],
        relearn={"provider": "cut"},
        start=["original"],
        corpus=["prefix"],
    )
    stage, store = stage_of_a_job(plan), LocalStore(tmp_path / "store")
    with pytest.raises(MissingCheckpointError, match="relearn_steps=3; it has them at 2, 4") as missing:
        perform(stage, store, Residents(), plan.spec.execution)
    assert Failure.of_error(missing.value, tmp_path).cause is Cause.NO_CHECKPOINT
    (evaluation,) = {evaluation for _, evaluation in stage.evaluate}
    assert [store.has(Address.of_answers(stage.key, step, evaluation.key)) for step in (2, 3)] == [
        True,
        False,
    ]


@pytest.mark.further
def test_of_checkpoints_that_a_service_drops_the_last_are_asked(
    attacked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping = Server(attacked, tmp_path / "service", "--keep-last", 1)
    try:
        monkeypatch.setenv("OPENAI_API_KEY", keeping.token)
        plan = plan_of(keeping.url, tmp_path, start=["original"], corpus=["prefix"])
        stage, store = stage_of_a_job(plan), LocalStore(tmp_path / "store")
        with pytest.raises(MissingCheckpointError, match="relearn_steps=2; it has them at 4"):
            perform(stage, store, Residents(), plan.spec.execution)
        (evaluation,) = {evaluation for _, evaluation in stage.evaluate}
        published = [store.has(Address.of_answers(stage.key, step, evaluation.key)) for step in (2, 4)]
        assert published == [False, True]
    finally:
        keeping.kill()


def test_what_the_service_refuses_is_a_result(proxy: FaultyProxy, tmp_path: Path) -> None:
    plan = plan_of(
        proxy.url, tmp_path, relearn={"provider": "refused"}, start=["original"], corpus=["prefix"]
    )
    stage, store = stage_of_a_job(plan), LocalStore(tmp_path / "store")
    proxy.rules = {"/fine_tuning/jobs": ["refused"]}
    with pytest.raises(ServiceRefusedError, match="status 400: against our policy") as refused:
        perform(stage, store, Residents(), plan.spec.execution)
    assert not Failure.of_error(refused.value, tmp_path).tried_again
    proxy.rules = {"/completions": ["gone"]}
    with pytest.raises(ServiceRefusedError, match="status 404"):
        perform(stage, store, Residents(), plan.spec.execution)
    proxy.rules = {}
    perform(stage, store, Residents(), plan.spec.execution)


def test_a_job_that_failed_is_begun_anew_by_the_next_command(server: Server, tmp_path: Path) -> None:
    client = server.client()
    plan = plan_of(server.url, tmp_path, relearn={"provider": "anew"}, start=["original"], corpus=["prefix"])
    stage, store = stage_of_a_job(plan), LocalStore(tmp_path / "store")
    file = client.files.create(file=("f", b'{"text": "Anthony"}\n'), purpose="fine-tune")
    first = client.fine_tuning.jobs.create(
        model=stage.node.start.model, training_file=file.id, hyperparameters={"n_epochs": 1000}
    )
    before = len(list(client.fine_tuning.jobs.list(limit=100)))
    created: list[str] = []

    def cancel(event: str, **said: Any) -> None:
        if event == "service: job":
            created.append(said["id"])
            if len(created) == 1:  # it waits for the first
                client.fine_tuning.jobs.cancel(said["id"])

    with pytest.raises(ServiceRefusedError, match="cancelled: without a reason"):
        perform(stage, store, Residents(), plan.spec.execution, cancel)
    client.fine_tuning.jobs.cancel(first.id)
    for _ in range(2):
        perform(stage, store, Residents(), plan.spec.execution, cancel)
    perform(stage, LocalStore(tmp_path / "another"), Residents(), plan.spec.execution, cancel)
    assert len(created) == len(list(client.fine_tuning.jobs.list(limit=100))) - before == 2
    step, evaluation = stage.evaluate[0]
    record = store.record(Address.of_answers(stage.key, step, evaluation.key))
    assert record["facts"]["job"]["id"] == created[1]


def test_likelihoods_read_off_an_echo_are_those_of_the_targets_but_for_rounding(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(server.url, tmp_path, start=["original"])
    (evaluation,) = {evaluation for stage in plan.stages.values() for _, evaluation in stage.evaluate}
    model = stage_of_a_job(plan).node.start.model
    asked = ServiceClient(server.url, "openai", "text")
    exact = asked.answers(model, evaluation)
    monkeypatch.setattr(asked._calls, "get", lambda path, **query: {})
    echoed = asked.answers(model, evaluation)
    asked.close()
    for one, other in zip(exact, echoed, strict=True):
        assert one["completion"] == other["completion"] and one["target_tokens"] == other["target_tokens"]
        assert other["target_nll"] == pytest.approx(one["target_nll"], abs=1e-3)
        assert other["target_rank"] in (one["target_rank"], None)
    assert any(row["target_rank"] is not None for row in echoed)


def test_what_no_service_gives_is_null(
    proxy: FaultyProxy, server: Server, tmp_path: Path, without_ray: None
) -> None:
    proxy.rules = {"hides likelihoods": ["always"]}
    fields = by_jobs(proxy.url, start=["original"], corpus=["prefix"])
    code, output = run(tmp_path, "s", fields)
    assert code == 0, output
    probes = rows_of(tmp_path / "s")["probes"]
    for name in ("target_nll", "target_rank", "target_tokens"):
        assert probes[name].null_count == len(probes) > 0
    assert set(rows_of(tmp_path / "s")["cells"]["metric"].to_pylist()) == {"keyword_hit", "keyword_anywhere"}
    for verb in (["verify", "s"], ["report", "s"], ["export", "s"], ["status", "s"]):
        code, output = call(*verb, cwd=tmp_path)
        assert code == 0, output


WRONG = {
    "no such model": ({"relearn": {"models": "no/{depth}"}}, 3, "has no model 'no/0'"),
    "too many jobs": ({"execution": {"service": {"most_jobs": 5}}}, 3, "most_jobs=5: the study has 6 jobs"),
    "too many tokens": ({"execution": {"service": {"most_training_tokens": 9}}}, 3, "most_training_tokens=9"),
    "epochs of the service": (
        {
            "relearn": {"left_to_the_service": ["epochs"]},
            "execution": {"service": {"most_training_tokens": 10**9}},
        },
        3,
        "nobody knows",
    ),
    "conversations": ({"relearn": {"form": "messages"}}, 2, "holds plain text"),
    "a depth without a model": ({"relearn": {"models": {0: "a"}}}, 2, "names no model for start="),
    "a template": ({"relearn": {"models": "{colour}"}}, 2, "expected a template over"),
    "a blank in the URL": ({"relearn": {"base_url": " https://host.invalid"}}, 2, "without blanks"),
    "no address": ({"relearn": {"base_url": "https://1.2.3.999/v1"}}, 3, "no address can be read from it"),
    "no name": ({"relearn": {"base_url": "https://a..invalid/v1"}}, 3, "no address can be read from it"),
    "a GPU": ({"execution": {"gpus": 1}}, 2, "by=jobs computes nothing here"),
}


@pytest.mark.parametrize(("changes", "code", "words"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_asked_is_refused_before_a_job_begins(
    server: Server, tmp_path: Path, without_ray: None, changes: dict[str, Any], code: int, words: str
) -> None:
    fields = by_jobs(server.url, **changes)
    before = [job.id for job in server.client().fine_tuning.jobs.list(limit=100)]
    found, output = run(tmp_path, "s", fields)
    assert (found, words in output) == (code, True), output
    assert "Traceback" not in output and not (tmp_path / "s" / "study.json").exists()
    assert [job.id for job in server.client().fine_tuning.jobs.list(limit=100)] == before


SCRIPTS = {"English": "a lighthouse keeper wrote", "Chinese": "灯塔看守人写了一封信", "emoji": "🙂🙃🙂🙃"}


@pytest.mark.parametrize("text", SCRIPTS.values(), ids=SCRIPTS)
def test_a_study_may_take_its_cap_of_tokens_and_not_one_more(
    server: Server, tmp_path: Path, text: str
) -> None:
    plan = plan_of(server.url, tmp_path, start=["original"], corpus=["prefix"])
    stage = stage_of_a_job(plan)
    told = Corpus(tuple(Example(text) for _ in range(3)))
    job = replace(stage.node, data=told, sent=stage.node.sent.model_copy(update={"epochs": 2}))
    ordered = replace(stage, node=job)

    def capped(most: int) -> Plan:
        service = plan.spec.execution.service.model_copy(update={"most_training_tokens": most})
        execution = plan.spec.execution.model_copy(update={"service": service})
        spec = plan.spec.model_copy(update={"execution": execution})
        return replace(plan, spec=spec, stages={job.key: ordered})

    cost = service_cost(capped(1), ())
    assert cost is not None and cost.training_tokens is not None
    assert cost.training_tokens >= 2 * 3 * len(text.split()), "a word has a token or more"
    assert cost.training_tokens >= 2 * 3 * sum(not each.isascii() for each in text), "and so has each sign"
    check_service_cost(capped(cost.training_tokens))
    with pytest.raises(PreflightError, match=f"the jobs take about {cost.training_tokens};"):
        check_service_cost(capped(cost.training_tokens - 1))


def test_a_service_that_counts_more_than_expected_gets_no_job_above_the_cap(
    server: Server, tmp_path: Path, without_ray: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.driver.preflight.service_cost.BYTES_OF_A_TOKEN", 50)
    same = {"relearn": {"provider": "dear"}, "corpus": ["prefix"]}
    cost = service_cost(plan_of(server.url, tmp_path, **same), ())
    assert cost is not None and cost.training_tokens is not None
    before = len(list(server.client().fine_tuning.jobs.list(limit=100)))

    def go(most: int) -> tuple[int, str]:
        execution = {"service": {"most_training_tokens": most}}
        return run(tmp_path, "s", by_jobs(server.url, **same, execution=execution))

    for _ in range(2):
        code, output = go(cost.training_tokens + 1)
        assert code == 3 and "for the 1 jobs that have ended, and with the 2 that are left" in output, output
        assert len(list(server.client().fine_tuning.jobs.list(limit=100))) == before + 1
    code, output = go(10**6)
    assert code == 0, output
    assert len(list(server.client().fine_tuning.jobs.list(limit=100))) == before + JOBS // 2


def test_no_key_no_study(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(PreflightError, match="OPENAI_API_KEY"):
        plan_of(server.url, tmp_path)
    for key in ("s\u00e9cret", "secret\n", " secret", "secret\r\nX-Other: 1"):
        monkeypatch.setenv("OPENAI_API_KEY", key)
        with pytest.raises(
            PreflightError, match=r"^OPENAI_API_KEY: no request can carry this key"
        ) as refused:
            plan_of(server.url, tmp_path)
        assert "cret" not in str(refused.value)
    monkeypatch.setenv("OPENAI_API_KEY", "a wrong key")
    with pytest.raises(PreflightError, match="refused the key with status 401"):
        plan_of(server.url, tmp_path)


def test_no_more_stages_are_foreseen_at_once_than_may_ask(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)))
    plans = [plan_of(server.url, tmp_path, execution={"service": {"at_once": many}}) for many in (1, 3, 99)]
    assert [local_slots(plan.spec) for plan in plans] == [1, 3, 8]


def test_keys_hold_the_service_and_what_was_sent_and_not_where_it_is(server: Server, tmp_path: Path) -> None:
    plan = plan_of(server.url, tmp_path)
    elsewhere = plan_of(
        server.url.replace("127.0.0.1", "localhost"), tmp_path, relearn={"provider": "127.0.0.1"}
    )
    assert plan.stages.keys() == elsewhere.stages.keys()
    for changes in (
        {"relearn": {"provider": "another"}},
        {"relearn": {"rate_multiplier": 2.0}},
        {"relearn": {"left_to_the_service": ["batch_size"], "epochs": 2}},
        {"relearn": {"epochs": 9}},
        {"seed": [0], "relearn": {"batch_size": 1}},
    ):
        other = plan_of(server.url, tmp_path, **changes)
        jobs = {key for key, stage in other.stages.items() if isinstance(stage.node, Job)}
        assert not jobs & plan.stages.keys(), changes


def test_answers_are_written_as_the_service_gave_them(server: Server, tmp_path: Path) -> None:
    plan = plan_of(server.url, tmp_path, start=["original"], corpus=["prefix"])
    stage = stage_of_a_job(plan)
    store = LocalStore(tmp_path / "store")
    perform(stage, store, Residents(), plan.spec.execution)
    step, evaluation = stage.evaluate[0]
    address = Address.of_answers(stage.key, step, evaluation.key)
    assert isinstance(evaluation, Evaluation) and len(read_answers(store.file(address, ANSWERS_FILE))) > 0
    record = store.record(address)
    sent = record["stage"]["hyperparameters"]
    assert (sent["batch_size"], sent["rate_multiplier"], sent["lora"]) == (3, *["service's choice"] * 2)
    assert record["facts"]["job"]["hyperparameters"]["batch_size"] == 3
    assert record["facts"]["model"].startswith("ft:original/none/")
