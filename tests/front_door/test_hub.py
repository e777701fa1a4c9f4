"""Models of the hub, from a server on loopback that speaks its protocol: pinned, cached, and refused in words."""

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.commands import OneByOne
from tests.conftest import TINY
from tests.study.test_pretrained import make_folder

FIRST, SECOND = "a" * 40, "b" * 40


class Hub:
    """Repositories by name: a folder, or a refusal. ``revision`` is what main points to."""

    def __init__(self, folders: dict[str, Path]) -> None:
        self.folders = folders
        self.revision = FIRST
        self.asked: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self._answer(body=False)

            def do_GET(self) -> None:
                self._answer(body=True)

            def _answer(self, body: bool) -> None:
                hub.asked.append(self.path)
                status, headers, content = hub.answer(self.path.split("?")[0])
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if body:
                    self.wfile.write(content)

            def log_message(self, *arguments: object) -> None:
                """Not on the tests' output."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        parts = path.removeprefix("/api/models").strip("/").split("/")
        name = "/".join(parts[:2])
        if name == "someone/gated":
            return (
                403,
                {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to this is restricted"},
                b"{}",
            )
        if name not in self.folders:
            return 404, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}, b"{}"
        folder = self.folders[name]
        files = sorted(file for file in folder.iterdir() if file.is_file())
        if path.startswith("/api/models") and "tree" in parts:
            tree = [
                {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": self._etag(file)}
                for file in files
            ]
            return 200, {"Content-Type": "application/json"}, json.dumps(tree).encode()
        if path.startswith("/api/models"):
            siblings = [{"rfilename": file.name} for file in files]
            facts = {"_id": "0", "id": name, "modelId": name, "sha": self.revision, "siblings": siblings}
            return 200, {"Content-Type": "application/json"}, json.dumps(facts).encode()
        file = folder / parts[-1]
        headers = {"X-Repo-Commit": parts[3], "ETag": f'"{self._etag(file)}"', "Accept-Ranges": "bytes"}
        return 200, headers, file.read_bytes()

    @staticmethod
    def _etag(file: Path) -> str:
        import hashlib

        return hashlib.sha256(file.read_bytes()).hexdigest()[:40]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hub")


@pytest.fixture(scope="module")
def hub(place: Path) -> Iterator[Hub]:
    good = make_folder(place / "good")
    pickled = place / "pickled"
    shutil.copytree(good, pickled)
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    own_code = place / "own-code"
    shutil.copytree(good, own_code)
    config = json.loads((own_code / "config.json").read_text())
    config |= {"model_type": "wondrous", "auto_map": {"AutoModelForCausalLM": "modeling.Wondrous"}}
    (own_code / "config.json").write_text(json.dumps(config))
    (own_code / "modeling.py").write_text("raise SystemExit('ran')")
    made = Hub({"someone/good": good, "someone/pickled": pickled, "someone/own-code": own_code})
    yield made
    made.server.shutdown()
    made.server.server_close()


def commands(hub: Hub, place: Path, offline: str = "0") -> OneByOne:
    """The libraries read the hub's address and whether they are offline when they are imported."""
    environment = {
        "HF_ENDPOINT": hub.address,
        "HF_HOME": str(place / "hub-cache"),
        "HF_HUB_OFFLINE": offline,
        "HF_HUB_DISABLE_XET": "1",
        "HF_TOKEN": "",
    }
    return OneByOne(place, environment)


@pytest.fixture(scope="module")
def online(hub: Hub, place: Path) -> Iterator[OneByOne]:
    """One process for all tests: its imports take longer than its commands."""
    with commands(hub, place) as relearn:
        yield relearn


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("someone/gated", ["gated on the hub", "hf auth login"]),
        ("someone/missing", ["neither a folder here nor a model on the hub"]),
        ("someone/pickled", ["only as pickles", "pytorch_model.bin"]),
        ("someone/own-code", ["code of its own", "wondrous"]),
    ],
)
def test_what_cannot_be_loaded_is_told_apart(
    online: OneByOne, place: Path, name: str, words: list[str]
) -> None:
    (place / "refused.json").write_text(json.dumps({**TINY, "model": [name]}))
    code, output = online("run", "refused.json", "--study", "refused")
    assert code == 3, output
    assert f"model={name}" in output
    for word in words:
        assert word in output
    assert "Traceback" not in output
    assert not (place / "refused").exists()


@pytest.mark.further
def test_a_model_stays_at_the_revision_it_began_with(online: OneByOne, hub: Hub, place: Path) -> None:
    (place / "space.json").write_text(json.dumps({**TINY, "model": ["someone/good"]}))
    to_grow = ("run", "space.json", "--study", "s", "--set")
    code, output = online("run", "space.json", "--study", "s")
    assert code == 0, output
    assert json.loads((place / "s" / "study.json").read_text())["models"] == {"someone/good": FIRST}
    hub.revision = SECOND
    code, output = online(*to_grow, "relearn_steps=[0,2,3]")
    assert code == 0, output
    assert json.loads((place / "s" / "study.json").read_text())["models"] == {"someone/good": FIRST}
    # Offline, from the cache: nobody is asked.
    hub.asked.clear()
    with commands(hub, place, offline="1") as relearn:
        code, output = relearn(*to_grow, "relearn_steps=[0,2,3,4]")
        assert code == 0, output
        assert hub.asked == []
        code, output = relearn("run", "space.json", "--study", "new")
        assert hub.asked == []
        assert code == 0, output  # main as the cache last saw it
