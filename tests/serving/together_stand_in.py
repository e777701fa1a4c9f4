"""Speaks Together's dialect from its documentation, and trains nothing: what is sent to it is kept, and looked at."""

import json
from typing import Any

from tests.serving.loopback import JsonHandler, Loopback


class TogetherStandIn:
    """``posted``: path and body of everything that was posted. Jobs are done when they are first read."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, Any]] = []
        self.jobs: dict[str, dict[str, Any]] = {}
        stand_in = self

        class Handler(JsonHandler):
            def got(self) -> None:
                path = self.path.partition("?")[0]
                if path == "/v1/models":
                    self.say(200, [{"id": "acme/model", "created": 7}])
                elif path == "/v1/fine-tunes":
                    self.say(200, {"data": list(stand_in.jobs.values())})
                elif path.endswith("/checkpoints"):
                    self.say(200, {"data": [{"step": 2}, {"step": 4}]})
                elif path.startswith("/v1/fine-tunes/"):
                    job = stand_in.jobs[path.rpartition("/")[2]]
                    job["status"] = "completed"
                    self.say(200, job)
                else:
                    self.say(404, {"error": {"message": "no such route"}})

            def posted(self) -> None:
                body = self.body()
                sent = {} if self.path.endswith("/upload") else json.loads(body)
                stand_in.posted.append((self.path, sent or body))
                if self.path.endswith("/upload"):
                    self.say(200, {"id": "file-1"})
                elif self.path.endswith("/fine-tunes"):
                    known = f"ft-{len(stand_in.jobs)}"
                    name = f"acme/{sent['model']}-{sent['suffix']}"
                    stand_in.jobs[known] = {"id": known, "status": "pending", "model_output_name": name}
                    self.say(200, stand_in.jobs[known])
                else:
                    self.say(200, _completed(sent))

        self._server = Loopback(Handler)
        self.url = f"{self._server.address}/v1"
        self.close = self._server.close


def _completed(sent: dict[str, Any]) -> dict[str, Any]:
    """Every answer is `` Mark``; every word is a token with a log-probability of -0.5, a begin token before them."""
    answer: dict[str, Any] = {
        "choices": [{"index": index, "text": " Mark"} for index in range(len(sent["prompt"]))]
    }
    if sent.get("echo"):
        answer["prompt"] = []
        for prompt in sent["prompt"]:
            words = prompt.split(" ")
            tokens = ["<s>", words[0], *(f" {word}" for word in words[1:])]
            logprobs = [None, *([-0.5] * (len(tokens) - 1))]
            answer["prompt"].append(
                {"text": prompt, "logprobs": {"tokens": tokens, "token_logprobs": logprobs}}
            )
    return answer
