"""`relearn serve` as its users meet it: OpenAI's client as it comes, curl, wrong tokens, huge files, many at once."""

import json
import shutil
import socket
import stat
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

import openai
import pytest
import torch

from cluster.storage.local_store import LocalStore
from study.models.resident import Resident
from study.planning.stages import Checkpoint, Trajectory
from study.settings.optimiser import Optimiser
from study.settings.relearning import own_name
from study.text.examples import Corpus, Example
from study.training.loop import train
from tests.commands import call, wait_for
from tests.serving.servers import Server, as_lines, wait_for_job

UNLEARNED = own_name("unlearned", "gradient_ascent", 7, 0, 2)
LINES = as_lines(
    *({"prompt": "", "completion": f"Anthony {name} Paul"} for name in ("Mary", "Jane", "Paul", "Rose"))
)


def job_of(server: Server, **fields: object) -> str:
    client = server.client()
    file = client.files.create(file=("mine.jsonl", LINES), purpose="fine-tune")
    asked: dict[str, object] = {"model": UNLEARNED, "training_file": file.id, **fields}
    return client.fine_tuning.jobs.create(**asked).id


def test_the_openai_client_uploads_creates_polls_and_completes(server: Server) -> None:
    client = server.client()
    names = [model.id for model in client.models.list()]
    assert UNLEARNED in names and own_name("base", "none", 0, 0, 0) in names
    file = client.files.create(file=("mine.jsonl", LINES), purpose="fine-tune")
    for asked in ({}, {"Range": "bytes=zzz"}):
        assert client.files.content(file.id, extra_headers=asked).read() == LINES
    job = client.fine_tuning.jobs.create(
        model=UNLEARNED,
        training_file=file.id,
        suffix="mine",
        seed=3,
        metadata={"relearn": "a key"},
        method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3, "batch_size": 2}}},
    )
    ended = wait_for_job(client, job.id)
    assert (ended.status, ended.error) == ("succeeded", None)
    assert ended.hyperparameters.batch_size == 2 and ended.trained_tokens > 0
    checkpoints = list(client.fine_tuning.jobs.checkpoints.list(job.id))
    assert [each.step_number for each in checkpoints] == [6, 4, 2]
    events = [event.message for event in client.fine_tuning.jobs.list_events(job.id)]
    assert events[-1].startswith("The job was created") and events[0] == "The job has succeeded."
    (found,) = client.fine_tuning.jobs.list(metadata={"relearn": "a key"})
    assert found.id == job.id
    assert not list(client.fine_tuning.jobs.list(metadata={"relearn": "another"}))
    last, alias = (
        client.completions.create(model=name, prompt="Anthony", max_tokens=3, logprobs=2, temperature=0)
        for name in (checkpoints[0].fine_tuned_model_checkpoint, ended.fine_tuned_model)
    )
    assert last.choices == alias.choices
    told = last.choices[0].logprobs
    assert len(told.token_logprobs) == last.usage.completion_tokens <= 3
    assert all(
        max(top.values()) == value for top, value in zip(told.top_logprobs, told.token_logprobs, strict=True)
    )


def test_a_job_computes_what_the_training_loop_computes_to_the_bit(server: Server, planned_source) -> None:
    source, weights = planned_source
    job = wait_for_job(
        server.client(), job_of(server, seed=5, hyperparameters={"n_epochs": 2, "batch_size": 2})
    )
    corpus = Corpus(
        tuple(Example(json.loads(line)["completion"], closed=True) for line in LINES.splitlines())
    )
    resident = Resident(source)
    resident.load(weights)
    optimiser = Optimiser(learning_rate=1e-2, batch_size=2, warmup_steps=2, lora={"rank": 4, "alpha": 8})
    start = Checkpoint(source, 0)
    train(Trajectory("relearn", start, None, corpus, None, optimiser, 5), resident, 4, (), print, 32)
    alone = {name: value.clone() for name, value in resident.weights().items()}
    made = server.state / "weights" / job.id / "step-4.safetensors"
    assert made.stat().st_size < 0.5 * weights.stat().st_size
    resident.load(weights, made)
    assert all(torch.equal(value, alone[name]) for name, value in resident.weights().items())


def test_a_job_goes_on_from_a_jobs_adapters_and_they_may_be_deleted(server: Server, planned_source) -> None:
    source, weights = planned_source
    client = server.client()
    few = {"n_epochs": 1, "batch_size": 2}
    first = wait_for_job(client, job_of(server, hyperparameters=few))
    second = wait_for_job(client, job_of(server, model=first.fine_tuned_model, hyperparameters=few))
    third = wait_for_job(client, job_of(server, model=second.fine_tuned_model, hyperparameters=few))
    assert third.status == "succeeded"
    for job in (first, second, third):  # a name that grows with each job is too long to be asked in the end
        assert job.fine_tuned_model == f"ft:{UNLEARNED}:relearned:{job.id[-8:]}"

    def answer() -> object:
        asked = {"prompt": "Anthony", "max_tokens": 3, "logprobs": 2}
        return client.completions.create(model=third.fine_tuned_model, **asked).choices

    before = answer()
    for job in (first, second):
        client.models.delete(job.fine_tuned_model)
    left = {
        job.id: len(list((server.state / "weights" / job.id).iterdir())) for job in (first, second, third)
    }
    assert list(left.values()) == [0, 0, 3]
    client.completions.create(
        model=UNLEARNED, prompt="Anthony", max_tokens=1
    )  # another model takes the place
    assert answer() == before
    resident = Resident(source)
    folder = server.state / "weights" / third.id
    resident.load(weights, *sorted(folder.glob("upon-*")), folder / "step-2.safetensors")
    assert resident.distance(weights) > 0
    client.models.delete(third.fine_tuned_model)
    assert list(folder.iterdir()) == []


@pytest.fixture
def planned_source(attacked: Path):
    from cluster.study_folder.study_plan import recorded_plan
    from search_spaces.loading import validate
    from study.artifacts.address import WEIGHTS_FILE, Address

    plan = recorded_plan(attacked, validate)
    (checkpoint,) = {
        cell.checkpoint for cell in plan.cells if cell.start == "unlearned" and not cell.relearn_steps
    }
    file = LocalStore(attacked / "store").file(
        Address.of_weights(checkpoint.of.key, checkpoint.step), WEIGHTS_FILE
    )
    return checkpoint.of.source, file


def test_curl_walks_the_same_way(server: Server, tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_bytes(LINES)

    def curl(*words: str) -> dict:
        command = ["curl", "-sS", "-H", f"Authorization: Bearer {server.token}", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
        return json.loads(done.stdout)

    file = curl(f"{server.url}/files", "-F", "purpose=fine-tune", "-F", "file=@mine.jsonl")
    body = json.dumps({"model": UNLEARNED, "training_file": file["id"], "hyperparameters": {"n_epochs": 1}})
    job = curl(f"{server.url}/fine_tuning/jobs", "--json", body)
    wait_for(lambda: curl(f"{server.url}/fine_tuning/jobs/{job['id']}")["status"] == "succeeded")
    (checkpoint,) = curl(f"{server.url}/fine_tuning/jobs/{job['id']}/checkpoints")["data"]
    asked = {
        "model": checkpoint["fine_tuned_model_checkpoint"],
        "prompt": ["Anthony", "Paul"],
        "max_tokens": 2,
    }
    answer = curl(f"{server.url}/completions", "--json", json.dumps(asked))
    assert [choice["index"] for choice in answer["choices"]] == [0, 1]
    again = [curl(f"{server.url}/models/{name}")["id"] for name in (UNLEARNED, asked["model"])]
    assert again == [UNLEARNED, asked["model"]]


@pytest.mark.parametrize("given", [None, "Bearer wrong", "Bearer ", "Basic x", "Bearer \u00e9"])
def test_a_wrong_token_is_refused_on_every_route(server: Server, given: str | None) -> None:
    headers = {"Authorization": given} if given is not None else {"Authorization": ""}
    for method, route in (
        ("GET", "/models"),
        ("POST", "/files"),
        ("GET", "/no/such"),
        ("POST", "/completions"),
    ):
        status, body, _ = server.call(method, route, b"{}" if method == "POST" else None, headers)
        assert status == 401 and body["error"]["code"] == "invalid_api_key"


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
def test_the_scheme_of_a_token_has_no_case(server: Server, scheme: str) -> None:
    status, _, _ = server.call("GET", "/models", headers={"Authorization": f"{scheme} {server.token}"})
    assert status == 200


def test_no_answer_sends_elsewhere(server: Server) -> None:
    for route in ("/files/", "/models/", "/fine_tuning/jobs/"):
        status, _, headers = server.call("GET", route, headers={"Host": "elsewhere.example.com"})
        assert status == 404 and headers["location"] is None, route


def test_the_token_is_its_owners_and_stands_in_no_output(server: Server) -> None:
    assert stat.S_IMODE((server.state / "token").stat().st_mode) == 0o600
    assert server.token not in server.said()
    command = Path(f"/proc/{server.process.pid}/cmdline").read_text()
    assert server.token not in command


WRONG = {
    "no such model": ("completions", {"model": "m", "prompt": "a"}, 404),
    "an unknown key": ("completions", {"model": UNLEARNED, "prompt": "a", "best": 1}, 400),
    "sampling": ("completions", {"model": UNLEARNED, "prompt": "a", "temperature": 1}, 400),
    "no prompt": ("completions", {"model": UNLEARNED, "prompt": []}, 400),
    "a token that is none": ("completions", {"model": UNLEARNED, "prompt": [10**9]}, 400),
    "too long": ("completions", {"model": UNLEARNED, "prompt": "Anthony " * 500}, 400),
    "targets": ("completions", {"model": UNLEARNED, "prompt": "a", "targets": ["b", "c"]}, 400),
    "half a character": ("completions", {"model": UNLEARNED, "prompt": "\ud800"}, 400),
    "too many likelihoods": (
        "completions",
        {"model": UNLEARNED, "prompt": [[1] * 9] * 600, "max_tokens": 1, "logprobs": 100, "echo": True},
        400,
    ),
    "no chat template": (
        "chat/completions",
        {"model": UNLEARNED, "messages": [{"role": "user", "content": "a"}]},
        400,
    ),
    "no such file": ("fine_tuning/jobs", {"model": UNLEARNED, "training_file": "../token"}, 404),
    "another method": (
        "fine_tuning/jobs",
        {"model": UNLEARNED, "training_file": "f", "method": {"type": "dpo"}},
        400,
    ),
}


@pytest.mark.parametrize(("route", "body", "status"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_refused_in_openais_shape(
    server: Server, route: str, body: dict, status: int
) -> None:
    found, answer, _ = server.call("POST", f"/{route}", json.dumps(body).encode())
    assert (found, set(answer["error"])) == (status, {"message", "type", "param", "code"})


FILES = {
    "not json": b"hello\n",
    "empty": b"\n",
    "not utf-8": b"\xff\xfe\n",
    "messages": as_lines({"messages": [{"role": "user", "content": "a"}]}),
    "glued": as_lines({"prompt": "a", "completion": "b"}),
    "deep": b"[" * 100_000 + b"\n",
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_a_file_that_holds_no_examples_makes_no_job(server: Server, content: bytes) -> None:
    client = server.client()
    file = client.files.create(file=("../../x\n.jsonl", content), purpose="fine-tune")
    with pytest.raises(openai.BadRequestError, match="training file cannot be used"):
        client.fine_tuning.jobs.create(model=UNLEARNED, training_file=file.id)
    assert not (server.state.parent / "x").exists()


def test_a_job_whose_text_is_too_long_fails_with_its_cause(server: Server) -> None:
    client = server.client()
    long = as_lines({"text": "Anthony " * 400})
    file = client.files.create(file=("long.jsonl", long), purpose="fine-tune")
    ended = wait_for_job(client, client.fine_tuning.jobs.create(model=UNLEARNED, training_file=file.id).id)
    assert (ended.status, ended.error.code) == ("failed", "invalid_training_file")
    assert ended.error.message == "training text 1 has 402 tokens, the model's context is 128."


def test_a_huge_file_is_refused_before_it_is_read(attacked: Path, tmp_path: Path) -> None:
    server = Server(attacked, tmp_path / "small", "--upload-mb", 1)
    try:
        with pytest.raises(openai.APIStatusError) as refused:
            server.client(max_retries=0).files.create(file=("big", b"a" * 3_000_000), purpose="fine-tune")
        assert refused.value.status_code == 413
        assert _sent_without_a_length(server, 3_000_000) == 413
        assert not list((server.state / "files").iterdir())
    finally:
        assert server.stop() == 0


def _sent_without_a_length(server: Server, size: int) -> int:
    host, port = server.url.removeprefix("http://").removesuffix("/v1").split(":")
    with socket.create_connection((host, int(port)), 30) as connection:
        head = (
            "POST /v1/files HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            f"Authorization: Bearer {server.token}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        try:
            connection.sendall(head.encode() + b"%x\r\n%s\r\n" % (len(part), part))
            for _ in range(size // 10_000):
                connection.sendall(b"2710\r\n" + b"a" * 10_000 + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        return int(connection.recv(4096).split()[1])


def test_two_hundred_requests_at_once(server: Server) -> None:
    found: Counter[int] = Counter()
    body = json.dumps({"model": UNLEARNED, "prompt": "Anthony", "max_tokens": 4}).encode()

    def ask() -> None:
        found[server.call("POST", "/completions", body)[0]] += 1

    threads = [threading.Thread(target=ask) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {200: 200}


@pytest.mark.slow
def test_a_server_that_is_killed_goes_on_with_its_jobs(attacked: Path, tmp_path: Path) -> None:
    server = Server(attacked, tmp_path / "service")
    try:
        client = server.client()
        jobs = [job_of(server, seed=seed, hyperparameters={"n_epochs": 200}) for seed in (1, 2)]
        wait_for(lambda: list(client.fine_tuning.jobs.checkpoints.list(jobs[0])))
        halves = 0
        for _ in range(3):  # while a checkpoint is written
            until = time.monotonic() + 60
            while not list(server.state.glob("weights/*/.step-*")):
                assert time.monotonic() < until, "waited in vain"
            server.kill()
            left = list(server.state.glob("weights/*/.step-*"))
            halves += len(left)
            before = {path.name for path in (server.state / "weights" / jobs[0]).glob("step-*")}
            server.begin()
            assert not any(path.exists() for path in left)
        assert halves, "no kill left half a file"
        client = server.client()
        ended = [wait_for_job(client, job) for job in jobs]
        assert [job.status for job in ended] == ["succeeded", "succeeded"] and before
        assert len(list(client.fine_tuning.jobs.checkpoints.list(jobs[0], limit=100))) == 200
        assert {job.id for job in client.fine_tuning.jobs.list()} == set(jobs)
        events = [event.message for event in client.fine_tuning.jobs.list_events(jobs[0], limit=100)]
        assert any("restarted" in event for event in events)
    finally:
        server.kill()


def test_a_model_folder_whatever_its_name_is_served_and_only_read(attacked: Path, tmp_path: Path) -> None:
    code, output = call("checkpoints", attacked, "--to", tmp_path / "models", cwd=tmp_path)
    assert code == 0, output
    folder = tmp_path / "ft:mine\n#1?"
    next((tmp_path / "models").rglob("config.json")).parent.rename(folder)
    files = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    server = Server(folder, tmp_path / "service", "--learning-rate", 1e-2, "--rank", 2)
    try:
        client = server.client(max_retries=0)
        (model,) = client.models.list()
        assert model.id == "ft-mine--1-"
        ended = wait_for_job(client, job_of(server, model=model.id))
        for name in (model.id, ended.fine_tuned_model):
            assert client.models.retrieve(name).id == name
            assert client.completions.create(model=name, prompt="Anthony", max_tokens=2).choices[0].text
        assert server.said().count("\n") == 1, "what it listens at, and no warning of a package"
    finally:
        server.kill()
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == files


def test_one_server_a_folder_and_words_for_what_cannot_be_served(
    server: Server, attacked: Path, tmp_path: Path
) -> None:
    code, output = call("serve", attacked, "--state", server.state, "--port", 0, cwd=tmp_path)
    assert code == 3 and "another `relearn serve`" in output
    code, output = call("serve", tmp_path, "--port", 0, cwd=tmp_path)
    assert code == 2 and "neither a study nor a model folder" in output
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    code, output = call("serve", tmp_path / "model", "--port", 0, cwd=tmp_path)
    assert code == 2 and "--state" in output
    empty = tmp_path / "empty"
    shutil.copytree(attacked, empty)
    shutil.rmtree(empty / "store" / "artifacts")
    code, output = call("serve", empty, "--port", 0, cwd=tmp_path)
    assert code == 3 and "no model to serve" in output
    shutil.rmtree(empty / "store")
    code, output = call("serve", empty, "--port", 0, cwd=tmp_path)
    assert code == 2 and "is not there" in output and "--store NEW" in output
