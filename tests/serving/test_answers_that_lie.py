"""A service whose answers are not what was agreed: it is named as the cause, and nothing of it becomes a row."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from study.errors import PreflightError
from study.performing.service.calls import Calls
from study.performing.service.client import ServiceClient
from study.performing.service.errors import ServiceRefusedError
from study.performing.service.snapshots import snapshots
from study.planning.served_nodes import Job, ServedModel
from study.planning.stages import Evaluation
from study.settings.model import Generation
from study.settings.relearning import Hyperparameters, Relearning
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


def target(**changes: Any) -> dict[str, Any]:
    return {"nll": 0.5, "rank": 1, "tokens": 1, **changes}


def choices(**changes: Any) -> list[dict[str, Any]]:
    made = [{"index": index, "text": "Ann", "target": target()} for index in range(2)]
    return [{**made[0], **changes}, made[1]]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (choices(target={"nll": float("nan")}), "negative log-likelihood nan"),
        (choices(target={"nll": float("inf")}), "negative log-likelihood inf"),
        (choices(target={"nll": -5.0}), "negative log-likelihood -5"),
        (choices(target=target(nll="0.5")), "negative log-likelihood '0.5'"),
        (choices(target=target(nll=True)), "negative log-likelihood True"),
        (choices(target=target(nll=10**400)), "negative log-likelihood 1000"),
        (choices(target=target(rank=0)), "the rank 0"),
        (choices(target=target(rank=-3)), "the rank -3"),
        (choices(target=target(rank=1.5)), "the rank 1.5"),
        (choices(target=target(rank=10**400)), "the rank 1000"),
        (choices(target=target(tokens="x")), "the number of tokens 'x'"),
        (choices(target=target(tokens=float("nan"))), "the number of tokens nan"),
        (choices(target=target(more=1)), "another shape than a completion's"),
        (choices(target=[]), "another shape than a completion's"),
        (choices(text="\ud800"), "in place of a text"),
        (choices(index=float("inf")), "another shape than a completion's"),
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


def test_tokens_that_hold_parts_of_characters_give_no_likelihood_of_others(
    services: tuple[Lying, Lying],
) -> None:
    service, _ = services
    probes = ProbeSet((Probe("p", "forget", "\u00c9 Anthony", "Mark"),))
    tokens = ["\ufffd", "\ufffd", " Anthon", "y", " Mark"]  # by their lengths, "y" begins where " Mark" does
    echoed: dict[str, Any] = {"tokens": tokens, "token_logprobs": [None, -1.0, -2.0, -3.0, -4.0]}
    client = ServiceClient(service.url, "openai", "text")

    def told(**more: Any) -> tuple[object, object]:
        choice = {"index": 0, "text": " Mark", "logprobs": {**echoed, **more}}
        service.said["/completions"] = (200, {}, {"choices": [choice]})
        (row,) = client.answers("a", Evaluation(probes, Generation(max_new_tokens=1)))
        return row["target_nll"], row["target_rank"]

    assert told() == (None, None)
    offsets, top = [0, 0, 1, 8, 9], [None, {}, {}, {}, {" Mark": -4.0, " Paul": -1.0}]
    assert told(text_offset=offsets, top_logprobs=top) == (4.0, 2)
    top[-1] = {" Mark": -4.0, "\ufffd": -1.0}  # which may stand for several
    assert told(text_offset=offsets, top_logprobs=top) == (4.0, None)


def test_which_jobs_stand(services: tuple[Lying, Lying]) -> None:
    service, _ = services
    client, path = ServiceClient(service.url, "openai", "text"), "/fine_tuning/jobs/a"
    for status in ("queued", "running", "succeeded", "of another service"):
        service.said[path] = (200, {}, {"id": "a", "status": status})
        assert client.stands("a"), status
    for status in ("failed", "cancelled"):
        service.said[path] = (200, {}, {"id": "a", "status": status})
        assert not client.stands("a"), status
    del service.said[path]
    assert not client.stands("a")


@pytest.mark.parametrize("answer", [[], [7], "text"], ids=str)
def test_a_job_of_another_shape_is_a_cause_of_the_service(services: tuple[Lying, Lying], answer: Any) -> None:
    service, _ = services
    service.said["/fine_tuning/jobs/a"] = (200, {}, answer)
    client = ServiceClient(service.url, "openai", "text")
    with pytest.raises(ServiceRefusedError, match="another shape than a job's"):
        client.checkpoints(JOB, ["a"], [], lambda name, value: None)


@pytest.mark.parametrize("answer", [[], 7, "text", [7], {"data": 7}, {"data": [7]}, None, {}], ids=str)
def test_a_model_of_another_shape_is_told_before_anything_is_spent(
    services: tuple[Lying, Lying], answer: Any
) -> None:
    service, _ = services
    service.said["/models"] = (200, {}, answer)
    asked = {"by": "jobs", "base_url": service.url, "models": "a", "learning_rate": 1e-3, "batch_size": 1}
    ask = snapshots(Relearning.model_validate(asked), {})
    with pytest.raises(PreflightError, match=r"another shape than a model's|has no model 'a'"):
        ask("a")
    service.said["/models/a"] = (200, {}, answer)
    if answer is not None and not isinstance(answer, dict):
        with pytest.raises(PreflightError, match="another shape than a model's"):
            ask("a")


BROKEN = {
    "cut off": b'{"id": "a", "status": "succ',
    "no JSON": b"<html>",
    "deep": b"[" * 100_000,
    "not UTF-8": b'{"id": "\xff"}',
    "nothing": b"",
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_what_is_no_json_is_a_cause_of_the_service(services: tuple[Lying, Lying], answer: bytes) -> None:
    service, _ = services
    service.said["/fine_tuning/jobs/a"] = (200, {}, answer)
    client = ServiceClient(service.url, "openai", "text")
    with pytest.raises(ServiceRefusedError, match=r"another shape than a job's|is not there any more"):
        client.checkpoints(JOB, ["a"], [], lambda name, value: None)


STEPS = [float("inf"), float("nan"), "x", None, [1]]


@pytest.mark.parametrize("step", STEPS, ids=[f"{each!s:.10}" for each in STEPS])
def test_a_checkpoint_at_no_step_is_refused(services: tuple[Lying, Lying], step: Any) -> None:
    service, _ = services
    path = "/fine_tuning/jobs/a"
    service.said[path] = (200, {}, {"id": "a", "status": "succeeded"})
    service.said[f"{path}/checkpoints"] = (
        200,
        {},
        {"data": [{"step_number": step, "fine_tuned_model_checkpoint": "m"}]},
    )
    client = ServiceClient(service.url, "openai", "text")
    with pytest.raises(ServiceRefusedError, match="another shape than a job's"):
        client.checkpoints(JOB, ["a"], [], lambda name, value: None)


def test_what_a_job_is_said_to_have_taken_is_written_down_as_json(services: tuple[Lying, Lying]) -> None:
    service, _ = services
    path = "/fine_tuning/jobs/a"
    service.said[f"{path}/checkpoints"] = (200, {}, {"data": []})
    client = ServiceClient(service.url, "openai", "text")
    counted = {"trained_tokens": float("nan"), "created_at": 9, "finished_at": 5}
    service.said[path] = (200, {}, {"id": "a", "status": "succeeded", **counted})
    ended = client.checkpoints(JOB, ["a"], [], lambda name, value: None)
    assert (ended.facts["trained_tokens"], ended.seconds) == ("NaN", None)
    service.said[path] = (200, {}, {"id": "a", "status": "succeeded", **counted, "finished_at": 10**400})
    with pytest.raises(ServiceRefusedError, match="another shape than a job's"):
        client.checkpoints(JOB, ["a"], [], lambda name, value: None)
