"""``--address``: a running cluster is joined and left running; where none answers is told at once."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import rows_of, wait_for

RAY = str(Path(sys.executable).parent / "ray")


@pytest.fixture
def head(tmp_path: Path) -> Iterator[str]:
    """The address of a head node of our own, as ``ray start --head`` makes it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        RAY,
        "start",
        "--head",
        "--block",
        f"--port={port}",
        "--num-cpus=2",
        "--include-dashboard=false",
    ]
    with (tmp_path / "head.log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
        )
        try:
            yield f"127.0.0.1:{port}"
            assert process.poll() is None, "the study took the cluster down"
        finally:
            process.terminate()
            process.wait(60)


def test_a_running_cluster_is_used_and_left_running(head: str, relearn, space, undisturbed, tmp_path) -> None:
    host, _, port = head.rpartition(":")

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((host, int(port))) == 0

    wait_for(listens, 60)
    code, output = relearn("run", space(), "--study", "s", "--address", head).finish()
    assert code == 0, output
    assert rows_of(tmp_path / "s")["cells"].equals(undisturbed()["cells"])


def test_nobody_there(relearn, space) -> None:
    code, output = relearn("run", space(), "--study", "s", "--address", "127.0.0.1:1").finish(60)
    assert code == 3
    assert "nobody listens there" in output
    assert "Traceback" not in output
