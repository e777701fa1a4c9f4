"""Stands before a service and spoils some answers, each fault once, in the order in which they are given."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from tests.serving.loopback import JsonHandler, Loopback

HIDDEN = ("answers_targets", "snapshot", "logprobs", "target")


class FaultyProxy:
    """``rules``: the end of a route that is posted to (``/models``: any that is read) → the faults to come.

    ``lost``: passed on, and its answer never comes back. ``429``, ``500``: not passed on. ``refused``, ``gone``: as a
    service refuses content, or has lost a model. ``hides likelihoods``: a service that gives texts alone.

    ``lag``: so many times from the next creation, the list of jobs is read as it was before it.

    ``kill_after``: so many requests from now, who asks is killed by ``kill``; the service has done what was asked.
    """

    def __init__(self, behind: str) -> None:
        self.rules: dict[str, list[str]] = {}
        self.kill_after = 0
        self.lag = 0
        self._listed: Any = None
        self.kill: Callable[[], object] = lambda: None
        self._lock = threading.Lock()
        proxy = self

        class Handler(JsonHandler):
            def _pass(self) -> None:
                body = self.body()
                fault = proxy._fault(self.command, self.path)
                if fault == "429":
                    self.say(429, {"error": {"message": "slower"}}, {"Retry-After": "0"})
                elif fault == "500":
                    self.say(500, {"error": {"message": "broken"}})
                elif fault == "refused":
                    self.say(400, {"error": {"message": "against our policy"}})
                elif fault == "gone":
                    self.say(404, {"error": {"message": "no such model"}})
                else:
                    status, answer, headers = _asked(
                        f"{behind[:-3]}{self.path}", self.command, body, self.headers
                    )
                    answer = proxy._as_listed(self.command, self.path, answer)
                    if fault == "killed":
                        proxy.kill()
                    if fault in ("lost", "killed"):
                        self.close_connection = True
                        return
                    if "hides likelihoods" in proxy.rules:
                        if b'"echo"' in body:
                            status, answer = 400, {"error": {"message": "echo is not taken"}}
                        answer = _without_likelihoods(answer)
                    self.say(status, answer, headers)

            got = posted = _pass

        self._server = Loopback(Handler)
        self.url = f"{self._server.address}/v1"
        self.close = self._server.close

    def _as_listed(self, method: str, path: str, answer: Any) -> Any:
        """A list of jobs that lags behind what was created."""
        if method != "GET" or not path.partition("?")[0].endswith("/fine_tuning/jobs"):
            return answer
        with self._lock:
            if self._listed is not None and self.lag > 0 and answer != self._listed:
                self.lag -= 1
                return self._listed
            self._listed = answer
            return answer

    def _fault(self, method: str, path: str) -> str | None:
        with self._lock:
            self.kill_after -= 1
            if self.kill_after == 0:
                return "killed"
            for route, faults in self.rules.items():
                reads = route == "/models" and method == "GET" and "/models/" in path
                if faults and (reads or (method == "POST" and path.endswith(route))):
                    return faults.pop(0)
        return None


def _asked(url: str, method: str, body: bytes, headers: Any) -> tuple[int, Any, dict[str, str]]:
    kept = {name: headers[name] for name in ("Authorization", "Content-Type") if headers[name]}
    request = urllib.request.Request(url, data=body or None, method=method, headers=kept)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read()), {}
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read()), {}


def _without_likelihoods(answer: Any) -> Any:
    if isinstance(answer, dict):
        return {name: _without_likelihoods(each) for name, each in answer.items() if name not in HIDDEN}
    return [_without_likelihoods(each) for each in answer] if isinstance(answer, list) else answer
