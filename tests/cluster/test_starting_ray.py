"""What keeps Ray from starting is refused in words with a remedy; here as far as no Ray is started."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.ray_tune import environment
from cluster.ray_tune.environment import prepare_environment
from cluster.ray_tune.session import ray_session
from study.errors import PreflightError


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test sets is gone after it."""
    monkeypatch.setattr(os, "environ", os.environ.copy())


def test_a_setting_that_ends_whoever_imports_ray_is_named() -> None:
    """Ray's parser of its settings ends the process with a signal, and says nothing."""
    os.environ |= {"RAY_worker_niceness": "much", "RAY_event_stats": "true"}
    with pytest.raises(
        PreflightError, match=r"with RAY_worker_niceness=much in the environment.*take the variable"
    ):
        prepare_environment(None, gpus=False)


def test_a_machine_that_does_not_reach_itself() -> None:
    """In a network of its own, whose loopback is down; Ray would try for minutes."""
    alone = ["unshare", "--map-root-user", "--net"]
    if not shutil.which("unshare") or subprocess.run([*alone, "true"], check=False).returncode:
        pytest.skip("no network of one's own here")
    code = "from cluster.ray_tune.environment import prepare_environment as p; p(None, gpus=False)"
    done = subprocess.run([*alone, sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "PreflightError: this machine does not reach itself at 127.0.0.1" in done.stderr
    assert "ip link set lo up" in done.stderr


@pytest.mark.parametrize(
    "address", ["", "local", "head", "127.0.0.1", "ray://127.0.0.1:10001", "http://head:8265"]
)
def test_an_address_is_that_of_a_head(address: str) -> None:
    with pytest.raises(
        PreflightError, match=r"--address .*: expected HOST:PORT of a Ray head, `auto`, or no"
    ):
        prepare_environment(address, gpus=False)


@pytest.mark.parametrize(
    ("theirs", "words"),
    [("head", "expected HOST:PORT of a Ray head"), ("127.0.0.1:9", "nobody listens there")],
)
def test_an_address_of_the_environment_is_that_of_a_head(theirs: str, words: str) -> None:
    """Ray takes it for ``auto``, and waited there for over 170 s."""
    os.environ["RAY_ADDRESS"] = theirs
    with pytest.raises(PreflightError, match=f"^RAY_ADDRESS={theirs} in the environment: {words}"):
        prepare_environment("auto", gpus=False)


def test_what_listens_and_is_no_head(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray waited for it for over 170 s."""
    monkeypatch.setattr(environment, "HEALTH_SECONDS", 5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(
            PreflightError, match=f"{address}: what listens there does not answer as a Ray head"
        ):
            prepare_environment(address, gpus=False)


@pytest.mark.parametrize(("name", "words"), [("über", "beyond ASCII"), ("file", "cannot be written")])
def test_a_temporary_folder_that_ray_cannot_use(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "file").touch()
    os.environ["RAY_TMPDIR"] = str(tmp_path / name)
    with pytest.raises(PreflightError, match=f"{words}.*name another in RAY_TMPDIR"), ray_session(None, int):
        pytest.fail("connected")


def test_settings_that_ray_reads_are_left_alone() -> None:
    ours = {"RAY_worker_niceness": "3"}
    os.environ |= ours
    prepare_environment(None, gpus=True)
    assert ours.items() <= os.environ.items()
