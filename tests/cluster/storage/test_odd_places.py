"""Stores that cannot be one: addresses with a password, servers that are no storage, caches that cannot be written."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import s3fs

from cluster.storage.open_store import open_store
from cluster.storage.retry import StorageRefusedError, UnansweredError
from study.errors import PreflightError, SpecError
from tests.commands import call
from tests.stand_ins.object_servers import SECRETS, free_port


class Welcome(BaseHTTPRequestHandler):
    """Answers every request with a page, as a proxy or a login does."""

    protocol_version = "HTTP/1.1"  # clients wait for its "100 Continue"

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b"<html><body>Sign in</body></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_HEAD = do_DELETE = answer  # noqa: N815

    def log_message(self, *words: object) -> None:
        """Nothing."""


@pytest.fixture
def secrets(node: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An endpoint that nobody answers at; clients are kept by address, and one of another endpoint has this one's."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    s3fs.S3FileSystem.clear_instance_cache()
    yield
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def website(secrets: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Welcome)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    yield
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("website")
def test_a_website_is_no_storage() -> None:
    with pytest.raises(PreflightError, match=r"no object storage answers there.*AWS_ENDPOINT_URL"):
        open_store("s3://bucket/website").prepare()


@pytest.mark.usefixtures("secrets")
def test_what_cannot_be_asked_is_no_outage() -> None:
    with pytest.raises(StorageRefusedError, match="Invalid bucket name"):
        open_store("s3://a bucket/x").prepare()


@pytest.mark.parametrize(
    "url", ["s3://me:pass-word@bucket/x", "az://me:pass-word/x@bucket", "x9://me:pass-word@b"]
)
def test_a_password_in_an_address_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    with pytest.raises(SpecError, match="in the environment") as found:
        open_store(url)
    assert "pass-word" not in str(found.value)
    code, output = call("run", "names", "--store", url, cwd=tmp_path)
    assert (code, "pass-word" in output, list(tmp_path.iterdir())) == (2, False, []), output


def test_an_at_sign_is_no_password() -> None:
    assert open_store("abfss://files@account.dfs.core.windows.net/x").location.endswith("/x")


@pytest.mark.usefixtures("secrets")
def test_a_cache_that_cannot_be_written_is_told_before_the_bucket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    for place in ("/proc/none", str(tmp_path / "file")):
        monkeypatch.setenv("RELEARN_CACHE", place)
        with pytest.raises(PreflightError, match=rf"{place} cannot be written.*RELEARN_CACHE"):
            open_store("s3://bucket/x").prepare()


@pytest.mark.parametrize("size", ["lots", "nan", "-1"])
def test_a_size_of_the_cache_that_is_none(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELEARN_CACHE_GB", size)
    with pytest.raises(PreflightError, match=f"RELEARN_CACHE_GB={size}: expected"):
        open_store("s3://bucket/x")


@pytest.mark.further  # gcsfs tries for half a minute
def test_a_client_prints_no_traceback_of_its_own(
    tmp_path: Path, node: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{free_port()}")
    code, output = call("plan", "names", "--store", "gs://bucket/x", cwd=tmp_path)
    assert (code, "Traceback" in output, "when it answers" in output) == (3, False, True), output


@pytest.mark.usefixtures("secrets")
def test_a_dead_endpoint_is_an_outage() -> None:
    with pytest.raises(UnansweredError):
        list(open_store("s3://bucket/dead").addresses())
