"""Nodes that do not share the store, seen before anything is computed; a token that is asked for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import started, wait_for
from tests.faults.checker import Fault
from tests.faults.conftest import GRID

RAY = str(Path(sys.executable).parent / "ray")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    # Ray's own Cluster leaves log files open.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


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


def test_a_cluster_with_a_token(relearn, space, monkeypatch, tmp_path: Path, cluster) -> None:
    """Lets in who has the token; who has not is told so in seconds."""
    token = "0123456789abcdef" * 4
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", token)
    found = cluster(1)
    environment = {"RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN": ""}
    code, output = relearn(
        "run", space(), "--study", "no", "--address", found.address, environment=environment
    ).finish(60)
    assert code == 3, output
    assert "RAY_AUTH_TOKEN" in output
    assert "Traceback" not in output
    code, output = relearn("run", space(), "--study", "s", "--address", found.address).finish()
    assert code == 0, output
    texts = [path.read_bytes() for path in (tmp_path / "s").rglob("*") if path.is_file()]
    assert not any(token.encode() in text for text in texts)


def test_a_local_cluster_is_closed(relearn, space, tmp_path: Path) -> None:
    """Its head lets nobody in without the token of the run, which no file holds; and it listens here only."""
    import psutil

    fields = {"finetune": {"steps": 400, "optimiser": {"learning_rate": 1e-3, "batch_size": 5}}}
    call = relearn("run", space(**fields), "--study", "s", environment={"HOME": str(tmp_path)})
    wait_for(lambda: started(tmp_path / "s", "finetune"))
    heads = [process for process in call.descendants() if "gcs_server" in process.name()]
    assert len(heads) == 1
    port = next(c.laddr.port for c in heads[0].net_connections("inet") if c.status == psutil.CONN_LISTEN)
    script = f"import ray; ray.init('127.0.0.1:{port}', log_to_driver=False, logging_level=50)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "RAY_AUTH_MODE": "disabled"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode != 0
    assert not (tmp_path / ".ray" / "auth_token").exists()
    assert call.finish()[0] == 0
