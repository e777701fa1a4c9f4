"""A service whose answers are not what was agreed: it is named as the cause, and nothing of it becomes a row."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from study.errors import PreflightError
from study.performing.service.calls import Calls
from study.performing.service.client import ServiceClient
from study.performing.service.errors import ServiceRefusedError
from study.planning.served_nodes import Job, ServedModel
from study.planning.stages import Evaluation
from study.settings.model import Generation
from study.settings.relearning import Hyperparameters
from study.text.examples import Corpus, Probe, ProbeSet
from tests.serving.loopback import JsonHandler, Loopback

SECRET = "sk-abcdefghijklmnop"
PROBES = tuple(Probe(f"p{index}", "forget", "Who sings?", "Ann") for index in range(2))
ASKED = Evaluation(ProbeSet(PROBES), Generation(max_new_tokens=1))


JOB = Job(
    ServedModel("a", "openai", "m", "1", "text", "http://127.0.0.1/v1"), Corpus(()), Hyperparameters(), 0
)


class Lying:
    """Gives each path what was put there for it: a status, headers and JSON."""

    def __init__(self) -> None:
        self.said: dict[str, tuple[int, Mapping[str, str], Any]] = {}
        self.heard: list[tuple[str, str | None]] = []
        lying = self

        class Handler(JsonHandler):
            def _answer(self) -> None:
                self.body()
                path = self.path.partition("?")[0].removeprefix("/v1")
                lying.heard.append((path, self.headers.get("X-API-Key") or self.headers.get("Authorization")))
                status, headers, content = lying.said.get(path, (404, {}, {}))
                self.say(status, content, headers)

            got = posted = _answer

        self._server = Loopback(Handler)
        self.url = f"{self._server.address}/v1"
        self.close = self._server.close


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Lying, Lying]]:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    found = Lying(), Lying()
    yield found
    for each in found:
        each.close()


@pytest.mark.parametrize("header", [None, "X-API-Key"])
def test_the_key_follows_no_redirect(services: tuple[Lying, Lying], header: str | None) -> None:
    service, elsewhere = services
    service.said["/models/a"] = service.said["/completions"] = (307, {"Location": elsewhere.url}, {})
    calls = Calls(service.url, "OPENAI_API_KEY", key_header=header)
    for ask in (lambda: calls.get("/models/a"), lambda: calls.post("/completions", {"model": "a"})):
        with pytest.raises(PreflightError, match=f"sends elsewhere with status 307, to {elsewhere.url}"):
            ask()
    assert len(service.heard) == 2 and SECRET in str(service.heard)
    assert elsewhere.heard == []


def test_a_key_that_a_service_quotes_is_not_told(services: tuple[Lying, Lying]) -> None:
    service, _ = services
    service.said["/models/a"] = (401, {}, {"error": {"message": f"bad key Bearer {SECRET}"}})
    with pytest.raises(PreflightError, match=r"bad key Bearer \[secret\]"):
        ServiceClient(service.url, "openai", "text").snapshot("a")


def test_a_list_that_repeats_itself_ends(services: tuple[Lying, Lying]) -> None:
    service, _ = services
    service.said["/jobs"] = (200, {}, {"data": [{"id": "a"}], "has_more": True})
    with pytest.raises(ServiceRefusedError, match="has no end"):
        list(ServiceClient(service.url, "openai", "text")._listed("/jobs"))
    assert len(service.heard) == 2


def choices(**changes: Any) -> list[dict[str, Any]]:
    made = [
        {"index": index, "text": "Ann", "target": {"nll": 0.5, "rank": 0, "tokens": 1}} for index in range(2)
    ]
    return [{**made[0], **changes}, made[1]]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (choices(target={"nll": float("nan")}), "negative log-likelihood nan"),
        (choices(target={"nll": float("inf")}), "negative log-likelihood inf"),
        (choices(target={"nll": -5.0}), "negative log-likelihood -5"),
        (choices(target={"nll": "0.5"}), "another shape than a completion's"),
        (choices(text=None), "None in place of a text"),
        (choices(index=1), "which answer belongs to which"),
        (choices(index="x"), "another shape"),
        (choices()[:1], "1 answers to 2"),
        ([None, None], "another shape"),
    ],
    ids=str,
)
def test_what_is_no_answer_is_refused(services: tuple[Lying, Lying], given: Any, words: str) -> None:
    service, _ = services
    service.said["/models/a"] = (200, {}, {"id": "a", "answers_targets": True})
    service.said["/completions"] = (200, {}, {"choices": given})
    client = ServiceClient(service.url, "openai", "text")
    with pytest.raises(ServiceRefusedError, match=words):
        client.answers("a", ASKED)
    service.said["/completions"] = (200, {}, {"choices": choices()})
    assert [row["target_nll"] for row in client.answers("a", ASKED)] == [0.5, 0.5]


@pytest.mark.parametrize("answer", [[], [7], "text"], ids=str)
def test_a_job_of_another_shape_is_a_cause_of_the_service(services: tuple[Lying, Lying], answer: Any) -> None:
    service, _ = services
    service.said["/fine_tuning/jobs/a"] = (200, {}, answer)
    client = ServiceClient(service.url, "openai", "text")
    with pytest.raises(ServiceRefusedError, match="another shape than a job's"):
        client.checkpoints(JOB, ["a"], [], lambda name, value: None)
