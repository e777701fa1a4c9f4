"""Object storage that fails, over a real S3 server: nothing is lost or doubled, and the rows are those of a disk."""

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import s3fs

from cluster.storage.open_store import open_store
from cluster.storage.retry import StorageRefusedError
from cluster.study_folder.study_folder import store_of
from tests.commands import call, rows_of
from tests.faults.checker import Fault
from tests.faults.operations import FIELDS
from tests.stand_ins.object_servers import Answer, Disturbance, ObjectServer

CHANGES = {name: FIELDS[name] for name in ("depth", "execution")}


@pytest.fixture
def storage(object_server: Callable[[str], ObjectServer]) -> Iterator[Disturbance]:
    found = object_server("s3").disturbance
    assert found is not None
    yield found
    found.quiet()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.storage.retry.PAUSES", (0.0,) * 5)
    monkeypatch.setattr("cluster.storage.objects.bucket.CREATE_PAUSES", (0.0,) * 3)
    # The client's own, up to two seconds before it asks again.
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)


@pytest.mark.repeats
@pytest.mark.slow  # CI has a crash over a local store, and requests that fail
@pytest.mark.parametrize("step", [61, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
@pytest.mark.parametrize(
    "mode",
    [
        pytest.param(
            "crash",
            marks=[
                pytest.mark.fault("S3: a crash at the N-th storage operation, folder deleted"),
            ],
        ),
        pytest.param(
            "report", marks=pytest.mark.fault("S3: the N-th operation takes effect and reports an error")
        ),
    ],
)
def test_a_fault_at_every_operation(
    bucket, undisturbed, fault: Fault, tmp_path: Path, mode: str, step: int
) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.faults.bucket_operations",
            mode,
            tmp_path / mode,
            str(step),
            bucket("s3"),
        ],
        capture_output=True,
        text=True,
        timeout=3500,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found) > 2
    for at in found:
        fault.inject(at != found[-1])  # the last one had no such operation any more
        fault.check(tmp_path / mode / str(at), undisturbed(**CHANGES), code=0, repeated=1)


def every(
    count: int, answer: Answer, methods: str = "GET PUT DELETE HEAD"
) -> Callable[[str, str], Answer | None]:
    """Answers so each request of which the number is divided by ``count``."""
    numbers = itertools.count(1)
    return lambda method, path: answer if method in methods and next(numbers) % count == 0 else None


FAULTS = {
    "503": ("before", ("503 Slow Down", "SlowDown")),
    "500 after effect": ("after", ("500 Internal Server Error", "InternalError")),
    "lost answer": ("after", ("lost", "")),
}

RARE = {"500 after effect": [pytest.mark.slow]}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.fault(f"S3: every fifth request: {name}"), *RARE.get(name, [])])
        for name in FAULTS
    ],
)
@pytest.mark.usefixtures("without_ray")
def test_requests_that_fail(
    bucket, storage, space, undisturbed, fault: Fault, tmp_path: Path, name: str
) -> None:
    location = bucket("s3")
    moment, answer = FAULTS[name]
    setattr(storage, moment, every(5, answer))
    code, output = call("run", space(**CHANGES), "--study", "s", "--store", location, cwd=tmp_path)
    assert code == 0, output
    fault.inject(sum(storage.counts.values()) // 5)
    storage.quiet()
    fault.check(tmp_path / "s", undisturbed(**CHANGES), code=0)


@pytest.mark.further
@pytest.mark.fault("S3: every second record meets a conflict (409)")
@pytest.mark.usefixtures("without_ray")
def test_conflicts(bucket, storage, space, undisturbed, fault: Fault, tmp_path: Path) -> None:
    """Which S3 answers to conditional writes at the same moment: nobody has won, and both try again."""
    location = bucket("s3")
    numbers = itertools.count()

    def conflict(method: str, path: str) -> Answer | None:
        if method != "PUT" or "/records/" not in path or next(numbers) % 2:
            return None
        fault.inject()
        return "409 Conflict", "ConditionalRequestConflict"

    storage.before = conflict
    code, output = call("run", space(**CHANGES), "--study", "s", "--store", location, cwd=tmp_path)
    assert code == 0, output
    storage.quiet()
    fault.check(tmp_path / "s", undisturbed(**CHANGES), code=0)


@pytest.mark.further
@pytest.mark.parametrize(
    ("name", "when", "code"),
    [
        pytest.param(
            "expired", 30, "ExpiredToken", marks=pytest.mark.fault("S3: credentials expire in the middle")
        ),
        pytest.param(
            "outage", 30, "InternalError", marks=pytest.mark.fault("S3: an outage from the middle on")
        ),
    ],
)
@pytest.mark.usefixtures("without_ray")
def test_what_ends_a_run_is_told_and_gone_on_with(
    bucket, storage, space, undisturbed, fault: Fault, tmp_path: Path, name: str, when: int, code: str
) -> None:
    location = bucket("s3")
    numbers = itertools.count()
    status = "400 Bad Request" if name == "expired" else "500 Internal Server Error"
    storage.before = lambda method, path: (status, code) if next(numbers) >= when else None
    found, output = call("run", space(**CHANGES), "--study", "s", "--store", location, cwd=tmp_path)
    fault.inject()
    assert found == 3, output
    assert ("credentials" in output) == (name == "expired"), output
    assert "does not answer" in output or name == "expired"
    assert "Traceback" not in output
    storage.quiet()
    shutil.rmtree(tmp_path / "s")  # its folder is lost, too
    found, output = call("resume", "s", "--store", location, cwd=tmp_path)
    assert found == 0, output
    rows, expected = rows_of(tmp_path / "s"), undisturbed(**CHANGES)
    assert all(rows[name].equals(expected[name]) for name in rows)
    fault.check(tmp_path / "s", expected, code=0, repeated=1)


@pytest.mark.fault("S3: no right to delete")
def test_a_bucket_without_the_right_to_delete_is_refused(
    bucket, storage, space, fault: Fault, tmp_path: Path
) -> None:
    location = bucket("s3")
    storage.before = every(1, ("403 Forbidden", "AccessDenied"), "DELETE POST")
    fault.inject()
    code, output = call("run", space(), "--study", "s", "--store", location, cwd=tmp_path)
    assert code == 3, output
    assert "may not delete" in output
    assert "Traceback" not in output
    assert not (tmp_path / "s").exists()


@pytest.mark.slow
@pytest.mark.fault("S3: the right to delete is lost in the middle")
@pytest.mark.usefixtures("without_ray")
def test_the_right_to_delete_is_lost(
    bucket, storage, space, undisturbed, fault: Fault, tmp_path: Path
) -> None:
    location = bucket("s3")
    deletions = itertools.count()
    storage.before = lambda method, path: (
        ("403 Forbidden", "AccessDenied") if method == "DELETE" and next(deletions) > 0 else None
    )
    fault.inject()
    code, output = call("run", space(**CHANGES), "--study", "s", "--store", location, cwd=tmp_path)
    assert (code, "may not delete" in output) == (3, True), output
    storage.quiet()
    code, output = call("resume", "s", cwd=tmp_path)
    assert code == 0, output
    fault.check(tmp_path / "s", undisturbed(**CHANGES), code=0, repeated=1)


@pytest.mark.slow
@pytest.mark.fault("S3: 1 s latency on every request")
@pytest.mark.usefixtures("without_ray")
def test_latency(bucket, storage, space, undisturbed, fault: Fault, tmp_path: Path) -> None:
    location = bucket("s3")
    storage.latency = 1.0
    code, output = call("run", space(**CHANGES), "--study", "s", "--store", location, cwd=tmp_path)
    assert code == 0, output
    fault.inject()
    storage.quiet()
    fault.check(tmp_path / "s", undisturbed(**CHANGES), code=0)


def test_a_storage_that_ignores_the_condition_is_refused(bucket, storage) -> None:
    store = open_store(bucket("s3"))
    storage.ignores_conditions = True
    with pytest.raises(Exception, match=r"ignores the condition.*Give a --store"):
        store.prepare()


def test_a_wait_that_the_storage_asks_for_is_kept(bucket, storage, monkeypatch: pytest.MonkeyPatch) -> None:
    from cluster.storage.retry import with_retries

    store = open_store(bucket("s3"))
    storage.before = every(1, ("503 Slow Down", "SlowDown"))
    storage.retry_after = "7"
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", lambda seconds: None)

    def failed(error: OSError, pause: float) -> None:
        waits.append(pause)
        storage.quiet()

    assert with_retries(lambda: list(store.addresses()), failed) == []
    assert waits == [7.0]


def test_a_resumed_study_asks_for_no_record(
    bucket, storage, space, undisturbed, tmp_path: Path, without_ray
) -> None:
    location = bucket("s3")
    assert call("run", space(**CHANGES), "--study", "s", "--store", location, cwd=tmp_path)[0] == 0
    storage.quiet()
    store = store_of(tmp_path / "s")
    there = list(store.addresses())
    assert (len(there), storage.counts) == (7, {"GET": 1})
    assert all(store.has(address) for address in there)
    assert storage.counts == {"GET": 1}


def test_no_bucket_is_told(bucket, tmp_path: Path, space) -> None:
    location = bucket("s3").replace("relearn-", "other-")
    code, output = call("run", space(), "--study", "s", "--store", location, cwd=tmp_path)
    assert (code, "no such bucket" in output, "Traceback" in output) == (3, True, False), output
    with pytest.raises(StorageRefusedError, match="no such bucket"):
        list(open_store(location).addresses())


def test_missing_credentials_are_told(bucket, tmp_path: Path, space, monkeypatch: pytest.MonkeyPatch) -> None:
    location = bucket("s3")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        code, output = call("run", space(), "--study", "s", "--store", location, cwd=tmp_path)
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
    assert (code, "credentials are missing" in output, "AWS_PROFILE" in output) == (3, True, True), output
    assert "Traceback" not in output


def test_an_endpoint_that_is_dead_is_told(
    bucket, tmp_path: Path, space, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = bucket("s3")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        code, output = call("plan", space(), "--study", "s", "--store", location, cwd=tmp_path)
        assert (code, location in output) == (3, True), output
        code, output = call("run", space(), "--study", "s", "--store", location, cwd=tmp_path)
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
    assert (code, "does not answer" in output) == (3, True), output
    assert "Traceback" not in output
    assert not (tmp_path / "s").exists()
