"""A study as a job of a real Ray head with its jobs server: submitted twice, it runs once."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.storage.open_store import open_store
from tests.commands import call, rows_of, wait_for
from tests.stand_ins.object_servers import free_port

TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4}
LONG = {"finetune": {"steps": 100_000, "optimiser": {"learning_rate": 1e-3, "batch_size": 12}}}


@pytest.fixture
def dashboard(bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """The address of a head's dashboard, and a store."""
    pytest.importorskip("aiohttp_cors", reason="needs the jobs server of Ray: pip install 'ray[default]'")
    location = bucket("s3")
    for name, value in TOKEN.items():
        monkeypatch.setenv(name, value)
    port, shown = free_port(), free_port()
    binaries = Path(sys.executable).parent
    options = [f"--port={port}", "--dashboard-host=127.0.0.1", f"--dashboard-port={shown}", "--num-cpus=2"]
    environment = {
        **os.environ,
        "RAY_USAGE_STATS_ENABLED": "0",
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "PYTHONPATH": "",  # the code has to travel
    }
    with (tmp_path / "head.log").open("w") as log:
        head = subprocess.Popen(
            [str(binaries / "ray"), "start", "--head", "--block", *options],
            stdout=log,
            stderr=log,
            env=environment,
        )

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", shown)) == 0

    try:
        wait_for(listens, 180)
        yield f"http://127.0.0.1:{shown}", location
    finally:
        head.terminate()
        head.wait(60)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_study_is_submitted_twice_and_runs_once(
    dashboard, relearn, space, undisturbed, tmp_path: Path
) -> None:
    address, location = dashboard
    path = space(depth=[1, 2])
    words = ("submit", path, "--address", address, "--store", location)
    at_once = [each.finish() for each in (relearn(*words), relearn(*words))]
    assert [code for code, _ in at_once] == [0, 0], at_once
    said = sorted("submitted already as job tiny," in output for _, output in at_once)
    assert said == [False, True], at_once
    code, output = call(*words, "--set", "depth=3", cwd=tmp_path)
    assert (code, "runs there already, with another spec" in output) == (2, True), output
    code, output = call(*words, "--follow", cwd=tmp_path)
    assert (code, "submitted already as job tiny" in output) == (0, True), output
    assert "cells;" in output  # what the driver said at its end
    code, output = call("status", "tiny", "--address", address, "--json", cwd=tmp_path)
    found = json.loads(output)
    assert (code, found["job"], found["status"], found["exit_code"]) == (0, "tiny", "SUCCEEDED", 0)

    # It has ended: the same command goes on, and finds nothing to do.
    code, output = call(*words, "--follow", cwd=tmp_path)
    assert (code, "submitted as job tiny~2" in output, "0 stages run now" in output) == (0, True, True)

    # The laptop has the rows by the bucket alone.
    code, output = call("resume", "tiny", "--store", location, cwd=tmp_path)
    assert (code, "0 stages run now" in output) == (0, True), output
    expected = undisturbed(depth=[1, 2])
    assert all(rows.equals(expected[dataset]) for dataset, rows in rows_of(tmp_path / "tiny").items())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_submitted_study_is_ended_from_here(dashboard, space, tmp_path: Path) -> None:
    """First the stage that runs would be finished, which takes long; then at once."""
    address, location = dashboard
    path = space(**LONG, name="long", execution={"checkpoint_every_steps": 20})
    code, output = call("submit", path, "--address", address, "--store", location, cwd=tmp_path)
    assert code == 0, output
    wait_for(lambda: list(open_store(location).addresses()), 400)
    code, output = call("stop", "long", "--address", address, cwd=tmp_path)
    assert (code, "stop: received by" in output) == (0, True), output
    code, output = call("cancel", "long", "--address", address, cwd=tmp_path)
    assert (code, "stopped" in output) == (0, True), output
    code, output = call("stop", "long", "--address", address, cwd=tmp_path)
    assert (code, "has ended" in output) == (2, True), output
    code, output = call("status", "longer", "--address", address, cwd=tmp_path)
    assert (code, "no such job" in output) == (2, True), output


WRONG = [
    (["submit", "names", "--address", "127.0.0.1:1"], 2, ["give --store s3://"]),
    (["submit", "names", "--address", "head", "--store", "s3://b/c"], 2, ["--address head", "http://HEAD:8265"]),
    (["submit", "names", "--address", "http://head", "--store", "s3://b/c"], 2, ["http://HEAD:8265"]),
    (["submit", "names", "--address", "http://127.0.0.1:1", "--store", "s3://b/c"], 3, ["nobody listens there"]),
    (["submit", "names", "--address", "http://127.0.0.1:1", "--store", "s5://b/c"], 2, ["s5://b/c"]),
    (["submit", "names", "--address", "http://127.0.0.1:1", "--study", "/x/a b"], 2, ["a job is called by"]),
    (["submit", "nmaes", "--address", "http://127.0.0.1:1", "--store", "s3://b/c"], 2, ["did you mean 'names'"]),
    (["submit", "names", "--address", "http://127.0.0.1:1", "--study", "/x/a", "--store", "here"], 2, ["path of this"]),
    (["status", "names", "--address", "http://127.0.0.1:1"], 3, ["nobody listens there"]),
    (["stop", "names", "--address", "ray://127.0.0.1:1"], 2, ["http://HEAD:8265"]),
    (["cancel", "names", "--address", "http://no.such.host.invalid:8265"], 3, ["nobody listens there"]),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "words"), WRONG, ids=lambda value: str(value)[:80])
def test_wrong_jobs(tmp_path: Path, arguments: list[str], code: int, words: list[str]) -> None:
    found, output = call(*arguments, cwd=tmp_path)
    assert (found, "Traceback" in output) == (code, False), output
    for word in words:
        assert word in output
    assert list(tmp_path.iterdir()) == []
