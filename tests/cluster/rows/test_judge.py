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
        self.refuses: Callable[[str], tuple[int, str] | None] = lambda prompt: None
        self.tokens: Callable[[str], int] = len
        self.lives = 10**9


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        self.server.requests += 1
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["Authorization"] == f"Bearer {SECRET}"
        prompt = body["messages"][0]["content"]
        refusal = self.server.refuses(prompt)
        status = self.server.statuses.pop(0) if self.server.statuses else refusal[0] if refusal else 200
        if self.server.lives <= 0:
            self.close_connection = True
            return
        if status == 200:
            self.server.lives -= 1
            self.server.asked[prompt] += 1
            replies = self.server.replies
            content = None if replies is None else replies.format(n=1 + len(prompt) % 10)
        else:
            content = "no"
        if status == 200 and refusal:  # what is no answer of the protocol
            self._send(200, refusal[1], "text/html" if refusal[1].startswith("<") else "application/json")
            return
        message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
        answer = {"id": "1", "object": "chat.completion", "created": 0, "model": "m"}
        answer["choices"] = [message] if self.server.choices else []
        answer["usage"] = {
            "prompt_tokens": self.server.tokens(prompt),
            "completion_tokens": 1,
            "total_tokens": 2,
        }
        self._send(status, json.dumps({"error": {"message": refusal[1]}} if refusal else answer))

    def _send(self, status: int, text: str, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.send_header("retry-after-ms", "10")
        self.end_headers()
        self.wfile.write(text.encode())

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


REFUSALS = {
    "its endpoint refuses the question with status 400": (400, f"too long; your key is {SECRET}"),
    "its endpoint refuses the question with status 403": (403, "flagged"),
    "its endpoint refuses the question with status 413": (413, ""),
    "its endpoint refuses the question with status 422": (422, "no such role"),
    "its endpoint refuses the question with status 500": (500, "the template fails"),
    "its endpoint replied without a text": (
        200,
        '{"choices": [{"finish_reason": "content_filter", "message": {}}]}',
    ),
    "page": (200, "<html>busy</html>"),
    "list": (200, "[]"),
    "broken": (200, '{"choices": [{"mess'),
}


@pytest.mark.further
@pytest.mark.parametrize("cause", REFUSALS)
def test_an_answer_that_the_judge_does_not_take_takes_no_other_rating_away(
    study: Path, endpoint: Endpoint, cause: str
) -> None:
    rows = read_dataset(study, "probes").to_pylist()
    one = rows[0]
    prompt = Case("tester", one["prompt"], one["target"], one["completion"]).prompt
    endpoint.refuses = lambda asked: REFUSALS[cause] if asked == prompt else None
    words = cause if " " in cause else "its endpoint replied without a text"
    code, output = judged(study)
    assert (code, "Traceback" in output) == (0, False), output
    same = [row for row in rows if all(row[name] == one[name] for name in ("prompt", "target", "completion"))]
    assert f"{len(same)} of {len(rows)} answers have no rating, as the judge does not take them" in output
    assert f"({len(same)}: {words})" in output
    found = read_dataset(study, "probes").to_pylist()
    for row in found:
        refused = all(row[name] == one[name] for name in ("prompt", "target", "completion"))
        assert (row["judge_rating"] is None, row["judge_reply"] is None) == (refused, refused)
        assert row["judge_unrated"].startswith(f"{words}: ") if refused else row["judge_unrated"] is None
    facts = StudyFolder(study).recorded().content["provenance"]["judge"]
    assert (facts["answers"], facts["unrated"]) == (len(rows), {words: len(same)})
    code, output = call("status", study, "--json", cwd=study.parent)
    assert json.loads(output)["judge"]["unrated"] == {words: len(same)}
    code, output = call("status", study, cwd=study.parent)
    assert f"{len(same)} of {len(rows)} answers without" in " ".join(output.split())
    assert not [path for path in study.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert call("verify", study, cwd=study.parent)[0] == 0

    endpoint.refuses = lambda asked: None  # the same command later
    assert judged(study)[0] == 0
    found = read_dataset(study, "probes").to_pylist()
    assert all(row["judge_rating"] is not None and row["judge_unrated"] is None for row in found)
    assert max(count for asked, count in endpoint.asked.items() if asked != prompt) == 1


@pytest.mark.parametrize(("status", "words"), [(400, "can take none of"), (500, "refused with status 500")])
def test_a_judge_that_takes_no_answer_changes_no_row(
    study: Path, endpoint: Endpoint, status: int, words: str
) -> None:
    assert judged(study)[0] == 0
    before = read_dataset(study, "probes").to_pylist()
    endpoint.refuses = lambda asked: (status, "unknown model")
    code, output = call("score", study, "--metric", "judge", "--judge", "another", cwd=study.parent)
    assert (code, "Traceback" in output) == (3, False), output
    assert words in output
    assert read_dataset(study, "probes").to_pylist() == before
    assert StudyFolder(study).recorded().content["provenance"]["judge"]["model"] == "tester"


def test_a_question_that_the_endpoint_cuts_has_no_rating(
    study: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.evaluation.judge_clients.FEW_TOKENS", 8)
    rows = read_dataset(study, "probes").to_pylist()

    def words(prompt: str) -> int:
        return sum(any(map(str.isalpha, word)) for word in prompt.split())

    lengths = [words(Case("j", row["prompt"], row["target"], row["completion"]).prompt) for row in rows]
    context = sorted(set(lengths))[-2]
    endpoint.tokens = lambda prompt: min(words(prompt), context)
    code, output = judged(study)
    assert code == 0, output
    found = read_dataset(study, "probes").to_pylist()
    assert [row["judge_rating"] is None for row in found] == [length > context for length in lengths]
    assert "its endpoint cuts the question" in output


def test_a_folder_that_cannot_take_some_answers(study: Path, tmp_path: Path) -> None:
    from transformers import AutoConfig

    from tests.cluster.test_judge_server import make_judge

    rows = read_dataset(study, "probes").to_pylist()
    lengths = sorted({len(Case("j", row["prompt"], row["target"], row["completion"]).prompt) for row in rows})
    word = rows[0]["completion"].split()[0]
    make_judge(tmp_path / "judge")
    (tmp_path / "judge" / "chat_template.jinja").write_text(
        f"{{% if '{word}' in messages[0]['content'].split('answer]')[-2] %}}{{{{ raise_exception('no') }}}}"
        "{% endif %}{{ messages[0]['content'] }}"
    )
    config = AutoConfig.from_pretrained(tmp_path / "judge")
    config.max_position_embeddings = lengths[-1]
    config.save_pretrained(tmp_path / "judge")
    code, output = call("score", study, "--metric", "judge", "--judge", tmp_path / "judge", cwd=study.parent)
    assert (code, "Traceback" in output) == (0, False), output
    for row in read_dataset(study, "probes").to_pylist():
        prompt = Case("j", row["prompt"], row["target"], row["completion"]).prompt
        if word in row["completion"]:
            expected = "its tokenizer or chat template cannot put the question: "
        else:
            expected = "the question is longer than its context: " if len(prompt) >= lengths[-1] else ""
        assert (row["judge_rating"] is None) is (expected != "")
        assert row["judge_unrated"].startswith(expected) if expected else row["judge_unrated"] is None


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


@pytest.mark.parametrize("key", ["s\u00e9cret", "secret\n"])
def test_a_key_that_no_request_can_carry_rates_nothing(
    study: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    code, output = judged(study)
    assert code == 3 and "OPENAI_API_KEY: no request can carry this key" in " ".join(output.split())
    assert "cret" not in output and endpoint.requests == 0


@pytest.mark.parametrize("named", ["./typo", "../typo", "/no/such/folder", "~/typo", ""])
def test_a_path_without_a_folder_is_no_model_of_an_endpoint(tmp_path: Path, named: str) -> None:
    with pytest.raises(SpecError, match="model folder"):
        judge_study(tmp_path, LocalStore(tmp_path / "store"), named, 1000, 1, pytest.fail)
