"""Speaks Together's dialect from its documentation, and trains nothing: what is sent to it is kept, and looked at."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class TogetherStandIn:
    """``posted``: path and body of everything that was posted. Jobs are done when they are first read."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, Any]] = []
        self.jobs: dict[str, dict[str, Any]] = {}
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def _say(self, answer: Any, status: int = 200) -> None:
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path == "/v1/models":
                    self._say([{"id": "acme/model", "created": 7}])
                elif path == "/v1/fine-tunes":
                    self._say({"data": list(stand_in.jobs.values())})
                elif path.endswith("/checkpoints"):
                    self._say({"data": [{"step": 2}, {"step": 4}]})
                elif path.startswith("/v1/fine-tunes/"):
                    job = stand_in.jobs[path.rpartition("/")[2]]
                    job["status"] = "completed"
                    self._say(job)
                else:
                    self._say({"error": {"message": "no such route"}}, 404)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sent = {} if self.path.endswith("/upload") else json.loads(body)
                stand_in.posted.append((self.path, sent or body))
                if self.path.endswith("/upload"):
                    self._say({"id": "file-1"})
                elif self.path.endswith("/fine-tunes"):
                    known = f"ft-{len(stand_in.jobs)}"
                    name = f"acme/{sent['model']}-{sent['suffix']}"
                    stand_in.jobs[known] = {"id": known, "status": "pending", "model_output_name": name}
                    self._say(stand_in.jobs[known])
                else:
                    self._say(_completed(sent))

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
