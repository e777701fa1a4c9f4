"""The contract of a store; a second implementation runs through the same tests."""

import json
import multiprocessing
import os
from pathlib import Path

import pytest

from cluster.storage.local_store import LocalStore
from study.artifacts import Address
from study.errors import IntegrityError, PreflightError

ADDRESS = Address("ab" * 16, 3, "weights")


def publish(store: LocalStore, content: bytes, address: Address = ADDRESS) -> bool:
    with store.staging() as folder:
        (folder / "data.bin").write_bytes(content)
        return store.publish(address, folder, {"facts": {"from": content.decode()}})


def test_what_is_published_is_there(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    assert not store.has(ADDRESS)
    assert publish(store, b"one")
    assert store.has(ADDRESS)
    assert store.file(ADDRESS, "data.bin").read_bytes() == b"one"
    assert store.record(ADDRESS)["facts"] == {"from": "one"}
    assert list(store.addresses()) == [ADDRESS]


def test_the_first_writer_wins_and_nothing_of_the_second_stays(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    assert publish(store, b"one")
    before = sorted(path for path in tmp_path.rglob("*") if ".staging" not in str(path))
    assert not publish(store, b"two")
    assert store.file(ADDRESS, "data.bin").read_bytes() == b"one"
    assert sorted(path for path in tmp_path.rglob("*") if ".staging" not in str(path)) == before


def _race(folder: str, who: int, start, results) -> None:
    start.wait()
    results.put((who, publish(LocalStore(Path(folder)), str(who).encode())))


def test_of_writers_at_once_exactly_one_is_accepted(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    for round_ in range(3):
        folder = tmp_path / str(round_)
        start, results = context.Event(), context.Queue()
        writers = [context.Process(target=_race, args=(str(folder), who, start, results)) for who in range(4)]
        for writer in writers:
            writer.start()
        start.set()
        outcomes = dict(results.get(timeout=60) for _ in writers)
        for writer in writers:
            writer.join()
        (winner,) = [who for who, accepted in outcomes.items() if accepted]
        assert LocalStore(folder).file(ADDRESS, "data.bin").read_bytes() == str(winner).encode()


def test_bytes_without_a_record_are_not_published(tmp_path: Path) -> None:
    """A crash between the bytes and the record."""
    store = LocalStore(tmp_path)
    publish(store, b"one")
    (record,) = tmp_path.rglob("record.json")
    record.unlink()
    assert not store.has(ADDRESS)
    assert list(store.addresses()) == []
    assert publish(store, b"two")
    assert store.file(ADDRESS, "data.bin").read_bytes() == b"two"


@pytest.mark.parametrize("harm", ["flip", "truncate", "empty", "remove"])
def test_changed_bytes_are_refused(tmp_path: Path, harm: str) -> None:
    store = LocalStore(tmp_path)
    publish(store, b"some content")
    (path,) = tmp_path.rglob("data.bin")
    content = path.read_bytes()
    if harm == "remove":
        path.unlink()
    else:
        path.write_bytes(
            {"flip": bytes([content[0] ^ 1]) + content[1:], "truncate": content[:4], "empty": b""}[harm]
        )
    with pytest.raises(IntegrityError, match=r"not what its record says.*aside"):
        store.file(ADDRESS, "data.bin")


@pytest.mark.parametrize("content", ["", "{", "[]", json.dumps({"address": "other"})])
def test_an_unreadable_record_is_refused(tmp_path: Path, content: str) -> None:
    store = LocalStore(tmp_path)
    publish(store, b"one")
    (record,) = tmp_path.rglob("record.json")
    record.write_text(content)
    with pytest.raises(IntegrityError, match="aside"):
        store.record(ADDRESS)


def test_what_is_not_there_is_a_key_error(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    with pytest.raises(KeyError, match="not published"):
        store.file(ADDRESS, "data.bin")
    publish(store, b"one")
    with pytest.raises(KeyError, match="no file other"):
        store.file(ADDRESS, "other")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PreflightError, match=r"cannot be written.*bytes free"):
        LocalStore(tmp_path / "file" / "store").prepare()


@pytest.mark.skipif(not Path("/dev/full").exists() or os.getuid() != 0, reason="needs to mount a small disk")
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    import subprocess

    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("cannot mount a small disk here")
    try:
        with pytest.raises(PreflightError, match=r"No space left.*bytes free"):
            LocalStore(disk / "store").prepare()
    finally:
        subprocess.run(["umount", str(disk)], check=True)
