"""The contract of a store, over every implementation there is; another one is a parameter of ``location``."""

import hashlib
import json
import multiprocessing
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pytest

import cluster.storage.digests
from cluster.storage.open_store import open_store
from cluster.storage.store import Store
from study.artifacts.address import Address, step_of
from study.errors import IntegrityError

ADDRESS = Address("ab" * 16, 3, "weights")
STATE = Address.of_state("ab" * 16, 3)


def _folder(place: Path) -> str:
    return str(place / "store")


def _linked_folder(place: Path) -> str:
    (place / "target").mkdir()
    (place / "link").symlink_to(place / "target")
    return str(place / "link" / "store")


def _file_address(place: Path) -> str:
    return f"file://{place / 'store'}"


FOLDERS = [
    pytest.param(make, id=make.__name__.strip("_")) for make in (_folder, _linked_folder, _file_address)
]
SERVERS = [
    pytest.param("s3"),
    pytest.param("az", marks=pytest.mark.slow),
    pytest.param("gs", marks=pytest.mark.slow),
]


@pytest.fixture(params=[*FOLDERS, *SERVERS])
def location(request: pytest.FixtureRequest, tmp_path: Path, bucket: Callable[[str], str]) -> str:
    return bucket(request.param) if isinstance(request.param, str) else str(request.param(tmp_path))


@pytest.fixture
def store(location: str) -> Store:
    made = open_store(location)
    made.prepare()
    return made


@dataclass(frozen=True)
class Stored:
    """One file or object of a store, past the store; for tests that damage one."""

    files: Any
    path: str

    def read(self) -> bytes:
        return bytes(self.files.cat_file(self.path))

    def write(self, content: bytes) -> None:
        self.files.pipe_file(self.path, content)

    def remove(self) -> None:
        self.files.rm_file(self.path)


def stored(store: Store) -> list[Stored]:
    """Every file or object of a store."""
    files, root = fsspec.core.url_to_fs(store.location, use_listings_cache=False)
    return [Stored(files, path) for path in sorted(files.find(root))]


def stored_as(store: Store, name: str) -> Stored:
    """The only one whose name ends so."""
    (found,) = [each for each in stored(store) if each.path.endswith(name)]
    return found


def the_record(store: Store) -> Stored:
    return stored_as(store, ".json")


def publish(store: Store, content: bytes, address: Address = ADDRESS) -> bool:
    with store.staging() as folder:
        (folder / "data.bin").write_bytes(content)
        return store.publish(address, folder, {"facts": {"from": content.decode()}})


def test_what_is_published_is_there(store: Store) -> None:
    assert not store.has(ADDRESS)
    assert publish(store, b"one")
    assert store.has(ADDRESS)
    assert store.file(ADDRESS, "data.bin").read_bytes() == b"one"
    assert store.record(ADDRESS)["facts"] == {"from": "one"}
    assert list(store.addresses()) == [ADDRESS]


def test_another_process_opens_it_by_its_location(store: Store, monkeypatch, tmp_path: Path) -> None:
    publish(store, b"one")
    monkeypatch.chdir(tmp_path)
    again = open_store(store.location)
    assert again.location == store.location
    assert again.file(ADDRESS, "data.bin").read_bytes() == b"one"


def test_the_first_writer_wins_and_nothing_of_the_second_stays(store: Store) -> None:
    assert publish(store, b"one")
    before = stored(store)
    assert not publish(store, b"two")
    assert store.file(ADDRESS, "data.bin").read_bytes() == b"one"
    assert stored(store) == before


def test_a_large_file_is_hashed_in_pieces_and_one_of_before_as_it_was(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store, b"one whole", ADDRESS)
    monkeypatch.setattr(cluster.storage.digests, "PIECE", 4)
    other = Address("cd" * 16, 3, "weights")
    publish(store, b"in pieces", other)
    plain, tree = (store.record(each)["files"]["data.bin"]["sha256"] for each in (ADDRESS, other))
    pieces = [hashlib.sha256(piece).digest() for piece in (b"in p", b"iece", b"s")]
    assert plain == hashlib.sha256(b"one whole").hexdigest()
    assert tree == "tree-" + hashlib.sha256(b"".join(pieces)).hexdigest()
    monkeypatch.setattr(cluster.storage.digests, "MOST_THREADS", 1)
    for address, content in ((ADDRESS, b"one whole"), (other, b"in pieces")):
        assert store.file(address, "data.bin").read_bytes() == content
    assert store.check().damages == []
    (bytes_of_other,) = [each for each in stored(store) if "cdcd" in each.path and "data.bin" in each.path]
    bytes_of_other.write(b"in pieceS")
    (damage,) = store.check().damages
    assert "another hash" in damage.what
    fresh = open_store(store.location)
    shutil.rmtree(fresh.disk / "files", ignore_errors=True)  # what a node has downloaded
    with pytest.raises(IntegrityError, match="not what its record says"):
        fresh.file(other, "data.bin")


@pytest.mark.parametrize("step", ["²", "007", "9" * 5000, "-1"])
def test_a_folder_that_is_no_step_is_told_and_not_read(tmp_path: Path, bucket, step: str) -> None:
    """Python takes the first for a digit; the second would be step 7, whose record lies elsewhere."""
    assert step_of(step) is None
    if len(step) < 255:
        for location in (bucket("s3"), str(tmp_path / "store")):
            store = open_store(location)
            publish(store, b"pieces", ADDRESS)
            folder, file = f"{ADDRESS.key[:2]}/{ADDRESS.key}/{step}", ("x.json", "x/record.json")
            names = f"records/{folder}/{file[0]}", f"artifacts/{folder}/{file[1]}"
            files, root = fsspec.core.url_to_fs(location, use_listings_cache=False)
            name = f"{root}/{names['://' not in location]}"
            files.makedirs(name.rpartition("/")[0], exist_ok=True)
            files.pipe_file(name, b"{}")
            assert list(open_store(location).addresses()) == [ADDRESS]
            assert [step in str(damage.path) for damage in store.check().damages] == [True]


WRITERS, KEYS = 6, 30


def _race(location: str, environment: dict[str, str], who: int, start, results) -> None:
    os.environ.update(
        environment
    )  # the server of processes may have been started before the one of the storage
    store = open_store(location)
    start.wait()
    won = [
        key for key in range(KEYS) if publish(store, str(who).encode(), Address.of_weights(ADDRESS.key, key))
    ]
    results.put((who, won))


def test_of_writers_at_once_exactly_one_is_accepted(store: Store) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["s3fs", "tests.cluster.storage.test_store_contract"])
    start, results = context.Event(), context.Queue()
    arguments = [(store.location, dict(os.environ), who, start, results) for who in range(WRITERS)]
    writers = [context.Process(target=_race, args=each) for each in arguments]
    for writer in writers:
        writer.start()
    start.set()
    outcomes = dict(results.get(timeout=240) for _ in writers)
    for writer in writers:
        writer.join()
    assert sorted(key for won in outcomes.values() for key in won) == list(range(KEYS))
    for who, won in outcomes.items():
        for key in won:
            assert (
                store.file(Address.of_weights(ADDRESS.key, key), "data.bin").read_bytes() == str(who).encode()
            )


def test_the_steps_of_a_trajectory_ascend(store: Store) -> None:
    for step in (10, 9, 100):
        publish(store, b"x", Address.of_weights(ADDRESS.key, step))
    publish(store, b"x", Address.of_answers(ADDRESS.key, 7, "e"))
    publish(store, b"x", Address.of_weights("cd" * 16, 5))
    assert store.steps(ADDRESS.key, "weights") == [9, 10, 100]
    assert store.steps("ef" * 16, "weights") == []


def test_only_a_state_is_discarded(store: Store) -> None:
    publish(store, b"one")
    publish(store, b"two", STATE)
    store.discard(STATE)
    store.discard(STATE)
    assert (store.has(STATE), store.has(ADDRESS)) == (False, True)
    assert publish(store, b"three", STATE)
    with pytest.raises(ValueError, match="only a state"):
        store.discard(ADDRESS)
    assert store.has(ADDRESS)


def test_bytes_without_a_record_are_not_published(store: Store) -> None:
    """A crash between the bytes and the record."""
    publish(store, b"one")
    the_record(store).remove()
    store = open_store(store.location)  # a crash: another process goes on
    assert not store.has(ADDRESS)
    assert list(store.addresses()) == []
    assert publish(store, b"two")
    assert store.file(ADDRESS, "data.bin").read_bytes() == b"two"
    assert (store.check().damages, len(store.check().leftovers)) == ([], 1)


HARMS: dict[str, Callable[[bytes], bytes]] = {
    "flip": lambda content: bytes([content[0] ^ 1]) + content[1:],
    "truncate": lambda content: content[:4],
    "empty": lambda content: b"",
}


@pytest.mark.parametrize("harm", [*HARMS, "remove"])
def test_changed_bytes_are_refused(store: Store, harm: str) -> None:
    publish(store, b"some content")
    found = stored_as(store, "data.bin")
    if harm == "remove":
        found.remove()
    else:
        found.write(HARMS[harm](found.read()))
    with pytest.raises(IntegrityError, match=r"not what its record says.*aside"):
        store.file(ADDRESS, "data.bin")
    (damage,) = store.check().damages
    assert damage.path.name == "data.bin"


@pytest.mark.parametrize("content", ["", "{", "[]", json.dumps({"address": "other"})])
def test_an_unreadable_record_is_refused(store: Store, content: str) -> None:
    publish(store, b"one")
    the_record(store).write(content.encode())
    with pytest.raises(IntegrityError, match="aside"):
        store.record(ADDRESS)
    (damage,) = store.check().damages
    assert damage.path.suffix == ".json"


def test_a_changed_fact_is_refused(store: Store) -> None:
    publish(store, b"one")
    found = the_record(store)
    found.write(found.read().replace(b'"from": "one"', b'"from": "two"'))
    with pytest.raises(IntegrityError, match="aside"):
        store.record(ADDRESS)


def test_a_record_of_another_artifact_is_refused(store: Store) -> None:
    publish(store, b"one")
    other = Address.of_weights(ADDRESS.key, 4)
    publish(store, b"two", other)
    first, second = (each for each in stored(store) if each.path.endswith(".json"))
    second.write(first.read())
    with pytest.raises(IntegrityError, match=r"is the record of .*@3/weights, expected .*@4/weights"):
        store.record(other)


def test_what_is_not_there_is_a_key_error(store: Store) -> None:
    with pytest.raises(KeyError, match="not published"):
        store.file(ADDRESS, "data.bin")
    publish(store, b"one")
    with pytest.raises(KeyError, match="no file other"):
        store.file(ADDRESS, "other")


def test_a_check_counts_what_is_sound(store: Store) -> None:
    publish(store, b"one")
    publish(store, b"three", Address.of_weights(ADDRESS.key, 4))
    found = store.check()
    assert (found.artifacts, found.files, found.bytes) == (2, 2, 8)
    assert (found.damages, found.leftovers) == ([], [])


def test_a_text_is_kept_once(store: Store) -> None:
    assert store.read_text("judge/ab/one.json") is None
    assert store.create_text("judge/ab/one.json", "Zoë said")
    assert not store.create_text("judge/ab/one.json", "another")
    assert store.create_text("judge/cd/two.json", "two")
    assert store.read_text("judge/ab/one.json") == "Zoë said"
    assert list(store.text_names("judge")) == ["judge/ab/one.json", "judge/cd/two.json"]
    assert list(store.text_names("other")) == []
    assert list(store.addresses()) == []


@pytest.mark.parametrize("harm", ["data.bin", ".json"])
def test_what_is_put_aside_counts_as_missing(store: Store, harm: str) -> None:
    publish(store, b"one")
    stored_as(store, harm).write(b"spoilt")
    (damage,) = store.check().damages
    moved = store.put_aside(damage.whole, "now")
    assert moved is not None
    assert "quarantine" in moved.parts
    assert store.put_aside(damage.whole, "now") is None
    assert not store.has(ADDRESS)
    assert publish(store, b"two")
    assert store.file(ADDRESS, "data.bin").read_bytes() == b"two"
    assert store.check().damages == []
