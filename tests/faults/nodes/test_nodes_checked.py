"""Nodes that do not share the store, seen before anything is computed; a token that is asked for."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.commands import LOOPBACK, listening, ray_head, started, wait_for
from tests.faults.checker import Fault
from tests.faults.conftest import GRID

RAY = str(Path(sys.executable).parent / "ray")
pytestmark = [
    pytest.mark.timeout(300),
    # Ray's own Cluster leaves log files open.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.slow
@pytest.mark.usefixtures("root")
@pytest.mark.fault("a node that does not share the study's folder")
def test_a_node_with_a_disk_of_its_own(
    cluster, relearn, space, undisturbed, fault: Fault, tmp_path: Path
) -> None:
    """A mount of its own hides the study's folder from one node, as a local disk of that name would."""
    found = cluster(1)
    (tmp_path / "s").mkdir()
    start = f"mount -t tmpfs tmpfs {tmp_path / 's'} && exec {RAY} start --block --address {found.address} --num-cpus 1"
    with (tmp_path / "node.log").open("w") as log:
        node = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", start],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_for(lambda: "Ray runtime started" in (tmp_path / "node.log").read_text(), 60)
            fault.inject()
            call = relearn("run", space(**GRID), "--study", "s", "--address", found.address)
            code, output = call.finish(120)
            assert code == 3, output
            assert "does not see" in output
            assert str(tmp_path / "s") in output
            assert "Traceback" not in output
            assert started(tmp_path / "s") == [], "nothing was begun"
        finally:
            node.terminate()
            node.wait(30)
    code, output = relearn("resume", "s").finish()
    assert code == 0, output
    fault.check(tmp_path / "s", undisturbed(**GRID), code=code)


@pytest.mark.slow
def test_a_cluster_with_a_token(relearn, space, tmp_path: Path) -> None:
    """Lets in who has the token; who has not is told so in seconds."""
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4}
    without = {"RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN": ""}
    with ray_head(tmp_path / "head.log", **token) as address:
        words = ("run", space(), "--address", address, "--study")
        code, output = relearn(*words, "no", environment=without).finish(120)
        assert code == 3, output
        assert "RAY_AUTH_TOKEN" in output
        assert "Traceback" not in output
        code, output = relearn(*words, "s", environment=token).finish()
        assert code == 0, output
    texts = [path.read_bytes() for path in (tmp_path / "s").rglob("*") if path.is_file()]
    assert not any(token["RAY_AUTH_TOKEN"].encode() in text for text in texts)


@pytest.mark.slow
def test_a_local_cluster_is_closed(relearn, space, tmp_path: Path) -> None:
    """It listens on loopback, lets nobody in without the token of the run, which no file holds, and shares no file."""
    fields = {"finetune": {"steps": 6000, "optimiser": {"learning_rate": 1e-3, "batch_size": 5}}}
    call = relearn("run", space(**fields), "--study", "s", environment={"HOME": str(tmp_path)})
    wait_for(lambda: started(tmp_path / "s", "finetune"))
    (head,) = [process for process in call.descendants() if "gcs_server" in process.name()]
    port = next(c.laddr.port for c in head.net_connections("inet") if c.status == psutil.CONN_LISTEN)
    ours = {name: head.environ()[name] for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN")}
    assert listening(call) <= LOOPBACK
    (session,) = [word for word in head.cmdline() if word.startswith("--session-dir=")]
    folder = Path(session.partition("=")[2]).parents[1]
    assert folder.stat().st_mode & 0o077 == 0, "nobody else looks into Ray's logs, or connects to its sockets"
    assert lets_in(port, ours)
    assert not lets_in(port, {"RAY_AUTH_MODE": "disabled"})
    assert not lets_in(port, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "f" * 64})
    assert not (tmp_path / ".ray" / "auth_token").exists()
    call.process.send_signal(signal.SIGTERM)
    assert call.finish()[0] == 130
    assert not folder.exists()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(ours["RAY_AUTH_TOKEN"].encode() in path.read_bytes() for path in files)


def lets_in(port: int, environment: dict[str, str]) -> bool:
    """Whether a client reads the cluster's nodes."""
    script = (
        "from ray._raylet import GcsClient\n"
        f"print(len(GcsClient(address='127.0.0.1:{port}').get_all_node_info(timeout=10)))"
    )
    without = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    try:
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**without, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0 and int(done.stdout) == 1
