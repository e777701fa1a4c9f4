"""Whole studies over a bucket on a real Ray: the driver killed, its folder deleted, the nodes sharing nothing."""

import csv
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from cluster.storage.open_store import open_store
from tests.commands import Call, call, published, rows_of, started, wait_for
from tests.faults.checker import Fault
from tests.faults.conftest import GRID, LONG

RAY = str(Path(sys.executable).parent / "ray")
pytestmark = [
    pytest.mark.timeout(900),
    # Ray's own Cluster leaves log files open.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def killed(run: Call, fault: Fault) -> None:
    """As the machine of the driver is lost: no process of it says a word any more."""
    os.killpg(run.process.pid, signal.SIGKILL)
    run.process.communicate()
    fault.inject()


def in_the_bucket(location: str) -> int:
    return len(list(open_store(location).addresses()))


@pytest.mark.slow
@pytest.mark.fault("S3, a local Ray: driver SIGKILL and its folder deleted")
def test_a_study_goes_on_in_an_empty_folder(
    bucket, relearn, space, undisturbed, fault: Fault, tmp_path: Path
) -> None:
    location = bucket("s3")
    study = tmp_path / "s"
    run = relearn("run", space(**LONG), "--study", "s", "--store", location)
    wait_for_artifacts(location, 4, run)
    killed(run, fault)
    shutil.rmtree(study)
    code, output = relearn("resume", "s", "--store", location).finish()
    assert code == 0, output
    fault.check(study, undisturbed(**LONG), code=code)
    code, output = call("verify", "s", cwd=tmp_path)
    assert (code, "0 problems" in output) == (0, True), output
    for words in (
        ("report", "s"),
        ("export", "s", "--format", "csv"),
        ("checkpoints", "s", "--to", "models"),
    ):
        code, output = call(*words, cwd=tmp_path)
        assert code == 0, output
    with (study / "export" / "cells.csv").open() as handle:
        assert len(list(csv.DictReader(handle))) == rows_of(study)["cells"].num_rows
    assert (study / "report" / "index.html").stat().st_size > 50_000
    assert list((tmp_path / "models").rglob("model.safetensors"))


@contextmanager
def node_of_its_own(place: Path, address: str, hidden: Path) -> Iterator[None]:
    """A node that does not see the study's folder, with a cache and a temporary folder of its own."""
    place.mkdir()
    log = place / "node.log"
    start = f"mount -t tmpfs tmpfs {hidden} && exec {RAY} start --block --address {address} --num-cpus 1"
    own = {"RELEARN_CACHE": str(place / "cache"), "TMPDIR": str(place)}
    with log.open("w") as output:
        node = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", start],
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **own},
        )
    try:
        wait_for(lambda: "Ray runtime started" in log.read_text(), 90)
        yield
    finally:
        node.terminate()
        node.wait(30)


@pytest.mark.slow
@pytest.mark.usefixtures("root")
@pytest.mark.fault("S3, nodes that share nothing: driver SIGKILL and its folder deleted")
def test_nodes_share_nothing_but_a_bucket(
    cluster, bucket, relearn, space, undisturbed, fault: Fault, tmp_path: Path
) -> None:
    location = bucket("s3")
    found = cluster(0)
    hidden = tmp_path / "studies"
    hidden.mkdir()
    study = hidden / "s"
    with ExitStack() as nodes:
        for number in range(2):
            nodes.enter_context(node_of_its_own(tmp_path / f"n{number}", found.address, hidden))
        where = ("--store", location, "--address", found.address)
        run = relearn("run", space(**LONG), "--study", study, *where)
        for kill in range(3):
            wait_for_artifacts(location, 4 * kill + 3, run)
            killed(run, fault)
            shutil.rmtree(study)
            run = relearn("resume", study, *where)
        code, output = run.finish(600)
        assert code == 0, output
        assert {event["node"] for event in started(study)}
    fault.check(study, undisturbed(**LONG), code=code)
    assert not (tmp_path / "studies" / "s" / "store").exists()


def wait_for_artifacts(location: str, count: int, run: Call) -> None:
    """Until the bucket has so many; fails where the run ends before."""

    def there() -> bool:
        assert run.process.poll() is None, run.process.communicate()[0]
        return in_the_bucket(location) >= count

    wait_for(there, 240)


@pytest.mark.slow
@pytest.mark.usefixtures("root")
def test_a_worker_that_gives_up_is_heard(cluster, bucket, relearn, space, tmp_path: Path) -> None:
    """The watchdog's word comes to the driver by its desk."""
    location, found = bucket("s3"), cluster(0)
    hidden = tmp_path / "studies"
    hidden.mkdir()
    fields = {**GRID, "start": ["unlearned"], "repetitions": [7], "execution": {"time_limit_seconds": 2}}
    fields["finetune"] = {"steps": 100_000, "optimiser": {"learning_rate": 1e-3, "batch_size": 12}}
    with node_of_its_own(tmp_path / "n", found.address, hidden):
        where = ("--store", location, "--address", found.address)
        code, output = relearn("run", space(**fields), "--study", hidden / "s", *where).finish(400)
    assert code == 1, output
    code, output = call("status", hidden / "s", cwd=tmp_path)
    assert "took longer than execution.time_limit_seconds=2" in output


@pytest.mark.slow
@pytest.mark.parametrize("with_ray", [False, True])
@pytest.mark.fault("S3: two drivers over one bucket at once, each with a folder of its own")
def test_two_drivers_over_one_bucket(
    request: pytest.FixtureRequest,
    bucket,
    relearn,
    space,
    undisturbed,
    fault: Fault,
    tmp_path: Path,
    with_ray: bool,
) -> None:
    """Both compute, each artifact is accepted once, and both end with all rows."""
    location, changes = bucket("s3"), {"depth": [1, 2], "relearn_steps": [0, 2, 4]}
    folders = [tmp_path / name / "s" for name in ("a", "b")]
    where = ["--store", location]
    if with_ray:
        where += ["--address", request.getfixturevalue("cluster")(2).address]
    runs = [
        relearn("run", space(**changes), "--study", folder, *where, with_ray=with_ray) for folder in folders
    ]
    for run in runs:
        code, output = run.finish(400)
        assert code == 0, output
    fault.inject(2)
    accepted = [artifact for folder in folders for artifact in published(folder)]
    assert len(accepted) == len(set(accepted)) == in_the_bucket(location)
    for folder in folders:
        fault.check(folder, undisturbed(**changes), code=0)
