"""The judge, through the openai client against a server on loopback that speaks its protocol, and can fail."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cluster.rows.judging import judge_study
from cluster.storage.local_store import LocalStore
from cluster.study_folder.study_folder import StudyFolder
from study.errors import SpecError
from study.evaluation.rating import Case, rating
from study.results.files import read_dataset
from tests.commands import call

SECRET = "sk-not-to-be-found-anywhere"


class Endpoint(ThreadingHTTPServer):
    """Counts what it is asked; answers with a rating, or fails as it is told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: Counter[str] = Counter()
        self.requests = 0
        self.statuses: list[int] = []
        self.replies: str | None = "It is good. [[{n}]]"
        self.choices = True
        self.lives = 10**9


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        self.server.requests += 1
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["Authorization"] == f"Bearer {SECRET}"
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        if self.server.lives <= 0:
            self.close_connection = True
            return
        if status == 200:
            self.server.lives -= 1
            prompt = body["messages"][0]["content"]
            self.server.asked[prompt] += 1
            replies = self.server.replies
            content = None if replies is None else replies.format(n=1 + len(prompt) % 10)
        else:
            content = "no"
        message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
        answer = {"id": "1", "object": "chat.completion", "created": 0, "model": "m"}
        answer["choices"] = [message] if self.server.choices else []
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("retry-after-ms", "10")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has there
        """Quiet."""


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    server = Endpoint()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.05)  # seconds; 8 as it comes
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def study(finished: Callable[..., Path]) -> Path:
    return finished(depth=[1, 2])


def judged(folder: Path, *more: str) -> tuple[int, str]:
    return call("score", folder, "--metric", "judge", "--judge", "tester", *more, cwd=folder.parent)


def test_a_reply_that_was_cut_within_a_character_is_kept(study: Path, endpoint: Endpoint) -> None:
    endpoint.replies = "[[7]] \ud83d\ude00 good \ud83d"
    code, output = judged(study)
    assert code == 0, output
    rows = read_dataset(study, "probes").to_pylist()
    assert {(row["judge_rating"], row["judge_reply"]) for row in rows} == {
        (7, "[[7]] \U0001f600 good \ufffd")
    }


@pytest.mark.parametrize(("replies", "choices"), [(None, True), ("x", False)])
def test_an_endpoint_without_a_reply(
    study: Path, endpoint: Endpoint, replies: str | None, choices: bool
) -> None:
    endpoint.replies, endpoint.choices = replies, choices
    code, output = judged(study)
    assert (code, "Traceback" in output) == (3, False), output
    assert "replied without a text" in output


@pytest.mark.parametrize("reply", ["null", "7", '["[[7]]"]'])
def test_a_kept_reply_that_is_no_text(study: Path, endpoint: Endpoint, reply: str) -> None:
    assert judged(study)[0] == 0
    path = next((study / "store" / "judge").rglob("*.json"))
    facts = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**facts, "reply": json.loads(reply)}), encoding="utf-8")
    code, output = judged(study)
    assert code == 5, output
    assert "a reply that is no text" in output


def test_each_distinct_answer_is_judged_once(study: Path, endpoint: Endpoint) -> None:
    endpoint.statuses = [429, 500, 503]  # tried again, with pauses
    code, output = judged(study)
    assert code == 0, output
    probes = read_dataset(study, "probes").to_pylist()
    distinct = {(row["prompt"], row["target"], row["completion"]) for row in probes}
    assert len(distinct) < len(probes)
    assert len(endpoint.asked) == len(distinct)
    assert max(endpoint.asked.values()) == 1
    for row in probes:
        prompt = Case("tester", row["prompt"], row["target"], row["completion"]).prompt
        assert row["judge_rating"] == 1 + len(prompt) % 10
        assert row["judge_reply"] == f"It is good. [[{row['judge_rating']}]]"
    cells = read_dataset(study, "cells").to_pandas()
    rows = [row for row in probes if row["split"] == "forget"]
    mean = sum(row["judge_rating"] for row in rows) / len(rows)
    found = cells[(cells["metric"] == "judge_rating") & (cells["split"] == "forget")]
    assert found["value"].mean() == pytest.approx(mean)
    assert StudyFolder(study).recorded().content["provenance"]["judge"]["model"] == "tester"
    assert not [path for path in study.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]

    assert judged(study)[0] == 0
    assert max(endpoint.asked.values()) == 1, "asked again what was answered"


def test_a_judge_that_dies_half_way_and_comes_back(study: Path, endpoint: Endpoint) -> None:
    endpoint.lives = 10
    code, output = judged(study, "--at-once", "2")
    assert code == 3, output
    assert "cannot be reached" in output
    assert "Traceback" not in output
    assert SECRET not in output
    half = read_dataset(study, "probes").to_pandas()
    assert 0 < half["judge_rating"].notna().sum() < len(half)
    endpoint.lives = 10**9
    code, output = judged(study)
    assert code == 0, output
    assert read_dataset(study, "probes").to_pandas()["judge_rating"].notna().all()
    assert max(endpoint.asked.values()) == 1


def test_the_cap_is_kept_before_anything_is_asked(study: Path, endpoint: Endpoint) -> None:
    code, output = judged(study, "--calls", "3")
    assert code == 2
    assert "--calls allows 3" in output
    assert not endpoint.asked


def test_what_is_repeated_counts_against_the_cap(study: Path, endpoint: Endpoint) -> None:
    rows = read_dataset(study, "probes").to_pylist()
    distinct = len({(row["prompt"], row["target"], row["completion"]) for row in rows})
    endpoint.statuses = [500, 500]
    code, output = judged(study, "--calls", str(distinct), "--at-once", "1")
    assert code == 3, output
    assert f"the cap of {distinct} calls is used up" in output
    assert endpoint.requests == distinct
    assert sum(endpoint.asked.values()) == distinct - 2
    code, output = judged(study, "--calls", "2")
    assert code == 0, output
    assert endpoint.requests == distinct + 2
    assert max(endpoint.asked.values()) == 1


def test_an_unreadable_reply_is_null_and_counted(study: Path, endpoint: Endpoint) -> None:
    endpoint.replies = "I would rather not say. {n} or 5"
    code, output = judged(study)
    assert code == 0, output
    rows = read_dataset(study, "probes").to_pandas()
    assert rows["judge_rating"].isna().all()
    assert rows["judge_reply"].notna().all()
    assert f"the replies to {len(rows)} of {len(rows)} answers could not be read" in output
    assert "judge_rating" not in set(read_dataset(study, "cells").to_pandas()["metric"])


def test_a_wrong_key_is_said(study: Path, endpoint: Endpoint) -> None:
    endpoint.statuses = [401] * 50
    code, output = judged(study)
    assert code == 3
    assert "status 401" in output
    assert SECRET not in output


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("Rating: [[10]]", 10),
        ("[[1]]", 1),
        ("first [[3]], then [[7]]", 7),
        ("[[0]]", None),
        ("[[11]]", None),
        ("[[5.5]]", None),
        ("10", None),
        ("", None),
    ],
)
def test_ratings_are_read_whole(reply: str, expected: int | None) -> None:
    assert rating(reply) == expected


def test_no_endpoint_and_no_judge(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    code, output = judged(study)
    assert code == 2
    assert "OPENAI_BASE_URL" in output
    code, output = call("score", study, "--metric", "judge", cwd=study.parent)
    assert code == 2
    assert "--judge" in output


@pytest.mark.parametrize("named", ["./typo", "../typo", "/no/such/folder", "~/typo", ""])
def test_a_path_without_a_folder_is_no_model_of_an_endpoint(tmp_path: Path, named: str) -> None:
    with pytest.raises(SpecError, match="model folder"):
        judge_study(tmp_path, LocalStore(tmp_path / "store"), named, 1000, 1, pytest.fail)
