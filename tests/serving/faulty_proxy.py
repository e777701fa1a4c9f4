"""Stands before a service and spoils some answers, each fault once, in the order in which they are given."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

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

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fault = proxy._fault(self.command, self.path)
                if fault == "429":
                    self._answer(429, {"error": {"message": "slower"}}, {"Retry-After": "0"})
                elif fault == "500":
                    self._answer(500, {"error": {"message": "broken"}})
                elif fault == "refused":
                    self._answer(400, {"error": {"message": "against our policy"}})
                elif fault == "gone":
                    self._answer(404, {"error": {"message": "no such model"}})
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
                    self._answer(status, answer, headers)

            def _answer(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
                body = json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_DELETE = _pass  # noqa: N815

            def log_message(self, *words: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

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
