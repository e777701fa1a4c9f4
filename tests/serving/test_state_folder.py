"""The folder that `relearn serve` keeps: what was killed in it, edited or is full; and addresses that cannot be had."""

import socket
from pathlib import Path

import openai
import pytest

from cluster.serving.records import Records
from study.errors import PreflightError
from tests.commands import call, wait_for
from tests.faults.conftest import root
from tests.faults.storage.test_full_disks import fill, small_disk
from tests.serving.servers import Server, wait_for_job
from tests.serving.test_serve import LINES, UNLEARNED

__all__ = ["root", "small_disk"]  # fixtures
UNTIL_ROOM = "waits until it can be written down"


@pytest.mark.parametrize("given", [b"", b"short\n", b"\xff" * 40, b"two words of a token\n"], ids=str)
def test_a_token_that_anybody_could_send_is_refused(attacked: Path, tmp_path: Path, given: bytes) -> None:
    state = tmp_path / "service"
    state.mkdir()
    (state / "token").write_bytes(given)
    code, output = call("serve", attacked, "--state", state, "--port", 0, cwd=tmp_path)
    assert code == 2 and "expected 16 characters or more" in output and str(state / "token") in output


@pytest.mark.parametrize("given", [b"{", b"[]", b"{}", b'{"id": "x"}', b'{"id": "other"}', b"\xff"], ids=str)
@pytest.mark.parametrize("kind", ["files", "jobs"])
def test_a_record_that_was_edited_is_named(tmp_path: Path, kind: str, given: bytes) -> None:
    path = tmp_path / kind / "x.json"
    path.parent.mkdir()
    path.write_bytes(given)
    with pytest.raises(PreflightError, match=f"{path}: expected a record"):
        Records(tmp_path, 10**6)


def test_an_address_that_cannot_be_had(attacked: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for host in ("127.0.0.1", "no.such.invalid", "a" * 64):
            code, output = call(
                "serve", attacked, "--state", tmp_path / "s", "--host", host, "--port", port, cwd=tmp_path
            )
            assert code == 3 and f"--host {host} --port {port}" in output and "Traceback" not in output


def test_what_a_killed_server_left_unfinished_is_taken_away(tmp_path: Path) -> None:
    before = Records(tmp_path, 10**6)
    file = before.add_file("mine.jsonl", LINES)
    fields = {"root": "m", "metadata": {}, "training_file": file["id"]}
    ended, running = (before.add_job(fields, 10)["id"] for _ in range(2))
    with before.changing(ended) as job:
        job |= {"status": "succeeded", "checkpoints": [{"step_number": 1}]}
    kept = [
        before.path_of(file["id"]),
        before.weights_of(ended, 1),
        before.weights_of(running, 1),
        tmp_path / "weights" / ended / "upon-0.safetensors",
    ]
    left = [
        tmp_path / "files" / "file-1.jsonl",  # its record was not written yet, or is deleted
        tmp_path / "files" / ".file-2.jsonl.1",
        tmp_path / "jobs" / ".ftjob-2.json.1",
        before.weights_of(ended, 2),
        tmp_path / "weights" / running / ".step-2.safetensors.1",
    ]
    for path in (*kept, *left):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(path.read_bytes() if path.exists() else b"a")
    with (tmp_path / "jobs" / f"{running}.events").open("ab") as events:
        events.write('\n{"object": "\u00e9'.encode()[:-1])
    after = Records(tmp_path, 10**6)
    after.tell(running, "The service was restarted")
    told = [event["message"] for event in after.events(running)]
    assert told[0] == "The service was restarted" and len(told) == 2
    assert [path for path in kept if not path.exists()] == [path for path in left if path.exists()] == []
    assert after.files() == before.files() and after.jobs() == before.jobs()


def test_a_file_whose_record_cannot_be_written_leaves_no_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.serving.records._new_id", lambda kind: "file-1")
    records = Records(tmp_path, 10**6)
    (tmp_path / "files" / "file-1.json").mkdir()  # so that no file takes its name
    with pytest.raises(IsADirectoryError):
        records.add_file("mine.jsonl", LINES)
    assert [path.name for path in (tmp_path / "files").iterdir()] == ["file-1.json"]
    assert records.files() == []


@pytest.mark.slow
def test_a_full_disk_is_said_and_what_was_there_goes_on(
    attacked: Path, tmp_path: Path, root: None, small_disk
) -> None:
    disk = small_disk(tmp_path / "disk", "1m")
    server = Server(attacked, disk / "service")
    try:
        client = server.client(max_retries=0)
        file = client.files.create(file=("mine.jsonl", LINES), purpose="fine-tune")
        ballast = fill(disk)
        for send in (
            lambda: client.files.create(file=("more.jsonl", LINES), purpose="fine-tune"),
            lambda: client.fine_tuning.jobs.create(model=UNLEARNED, training_file=file.id),
        ):
            with pytest.raises(openai.InternalServerError) as refused:
                send()
            assert (refused.value.status_code, refused.value.body["code"]) == (507, "storage_full")
        assert [each.id for each in client.files.list()] == [file.id]
        asked = client.completions.create(model=UNLEARNED, prompt="Anthony", max_tokens=1)
        assert asked.choices[0].text
        ballast.unlink()
        job = client.fine_tuning.jobs.create(model=UNLEARNED, training_file=file.id)
        assert wait_for_job(client, job.id).status == "succeeded"
        ballast.write_bytes(b"a" * 300_000)
        many = client.fine_tuning.jobs.create(
            model=UNLEARNED, training_file=file.id, hyperparameters={"n_epochs": 1000}
        )
        wait_for(
            lambda: (
                server.client().fine_tuning.jobs.retrieve(many.id).status == "failed"
                or UNTIL_ROOM in server.said()
            ),
            120,
        )
        ballast.unlink()
        assert wait_for_job(client, many.id).error.code == "storage_full"
        assert list(client.fine_tuning.jobs.checkpoints.list(many.id)), "what it has made stays"
        assert "Traceback" not in server.said()
    finally:
        server.kill()
