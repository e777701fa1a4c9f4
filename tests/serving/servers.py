"""``relearn serve`` in a process of its own, and clients of it."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from openai import OpenAI

from tests.commands import ROOT, wait_for


class Server:
    """A server over a study or a model folder; its state is kept when it is begun again."""

    def __init__(self, what: Path, state: Path, *options: object) -> None:
        self.state = state
        self._errors = state.parent / f"{state.name}.stderr"
        self._command = [
            sys.executable,
            "-m",
            "relearn",
            "serve",
            what,
            "--state",
            state,
            "--port",
            0,
            *options,
        ]
        self.begin()

    def begin(self) -> None:
        """Starts it, and waits until it listens."""
        self._errors.write_text("")
        with self._errors.open("w") as errors:
            self.process = subprocess.Popen(
                [str(word) for word in self._command],
                stderr=errors,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                start_new_session=True,
            )
        wait_for(lambda: "/v1; " in self.said() or self.process.poll() is not None, 120)
        found = re.search(r"http://\S+/v1", self.said())
        assert found is not None, self.said()
        self.url = found[0]

    def said(self) -> str:
        """What it wrote on its standard error."""
        return self._errors.read_text()

    @property
    def token(self) -> str:
        return (self.state / "token").read_text().strip()

    def client(self, **options: Any) -> OpenAI:
        """OpenAI's own client, as it comes."""
        return OpenAI(base_url=self.url, api_key=self.token, **options)

    def call(
        self, method: str, route: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any, Any]:
        """Status, JSON and headers of one request, whatever they are."""
        given = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
            **(headers or {}),
        }
        request = urllib.request.Request(f"{self.url}{route}", data=body, method=method, headers=given)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read() or b"null"), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null"), error.headers

    def kill(self) -> None:
        """At once, as a power cut does."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def stop(self) -> int:
        """As Ctrl-C does; its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


def as_lines(*rows: dict[str, Any]) -> bytes:
    """JSONL."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def wait_for_job(client: OpenAI, job: str, seconds: float = 120) -> Any:
    """The job, once it has ended."""
    wait_for(lambda: client.fine_tuning.jobs.retrieve(job).finished_at is not None, seconds)
    return client.fine_tuning.jobs.retrieve(job)
