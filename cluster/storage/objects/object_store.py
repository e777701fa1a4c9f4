"""The store in a bucket. What a listing says is remembered, since what was accepted stays; all else is asked for.

A node keeps what it downloads (``NodeCache``). Bytes that no record names are left over from a crash or a second
writer and never read.
"""

import contextlib
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from cluster.storage.objects.bucket import Bucket
from cluster.storage.objects.check import check_bucket
from cluster.storage.objects.condition import prove
from cluster.storage.objects.layout import ARTIFACTS, RECORDS, addresses_in, home_of, record_of, records_of
from cluster.storage.objects.node_cache import NodeCache
from cluster.storage.records import changed_file, files_of, read_record, recorded_file, write_record
from cluster.storage.retry import StorageRefusedError
from cluster.storage.store import QUARANTINE, StoreCheck
from study.artifacts.address import Address, Record
from study.errors import IntegrityError

STATE = "state"


class ObjectStore:
    """A ``cluster.storage.store.Store`` in a bucket. Making one touches nothing."""

    def __init__(self, url: str) -> None:
        self._bucket = Bucket(url)
        self._cache = NodeCache()
        self._accepted: set[Address] = set()

    @property
    def location(self) -> str:
        """The address, without a slash at its end."""
        return self._bucket.url

    @property
    def disk(self) -> Path:
        """See ``Store.disk``: the node's cache."""
        return self._cache.folder

    def prepare(self) -> None:
        """See ``Store.prepare``; proves that the bucket keeps the condition which acceptance rests on."""
        self._cache.prepare()
        prove(self._bucket)

    def has(self, address: Address) -> bool:
        """See ``Store.has``; one listing answers for the whole trajectory."""
        return address in self._accepted or address in self._list(records_of(address.key))

    def addresses(self) -> Iterator[Address]:
        """See ``Store.addresses``; one listing, and no record is opened."""
        yield from self._list(RECORDS)

    def steps(self, key: str, what: str) -> list[int]:
        """See ``Store.steps``."""
        return sorted(address.step for address in self._list(records_of(key)) if address.what == what)

    def discard(self, address: Address) -> None:
        """See ``Store.discard``; the record goes first, so that no half of a state is ever read."""
        if address != Address.of_state(address.key, address.step):
            raise ValueError(f"{address} was accepted and stays; only a state is discarded")
        self._bucket.delete(record_of(address))
        for name in self._bucket.names(home_of(address)):
            self._bucket.delete(name)

    def record(self, address: Address) -> Record:
        """See ``Store.record``."""
        name = record_of(address)
        content = self._bucket.read(name)
        if content is None:
            raise KeyError(f"{address} is not published in {self.location}")
        return read_record(content, address, f"{self.location}/{name}")

    def file(self, address: Address, name: str) -> Path:
        """See ``Store.file``; from the node's cache, where it is."""
        record = self.record(address)
        recorded = recorded_file(record, address, name)
        source = f"{home_of(address)}/{record['attempt']}/{name}"
        path, found = self._cache.file(
            recorded, PurePath(name).suffix, lambda to: self._bucket.download(source, to)
        )
        if found != recorded:
            raise changed_file(f"{self.location}/{source}", found, recorded)
        return path

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """See ``Store.staging``; on this node's disk."""
        folder = self._cache.folder / "staging" / uuid.uuid4().hex
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, address: Address, folder: Path, facts: Mapping[str, Any]) -> bool:
        """See ``Store.publish``."""
        attempt = uuid.uuid4().hex
        files = files_of(folder)
        place = f"{home_of(address)}/{attempt}"
        for name in files:
            self._bucket.upload(folder / name, f"{place}/{name}")
        body = write_record(address, attempt, files, facts)
        accepted = self._bucket.create(record_of(address), body, lambda found: attempt.encode() in found)
        if not accepted:
            with contextlib.suppress(OSError, StorageRefusedError):  # left over, and never read
                for name in files:
                    self._bucket.delete(f"{place}/{name}")
        return accepted

    def read_text(self, name: str) -> str | None:
        """See ``Store.read_text``."""
        content = self._bucket.read(name)
        try:
            return None if content is None else content.decode()
        except UnicodeDecodeError as error:
            raise IntegrityError(f"{self.location}/{name} is no text in UTF-8") from error

    def create_text(self, name: str, text: str) -> bool:
        """See ``Store.create_text``; of two equal texts it does not matter whose is kept."""
        return self._bucket.create(name, text.encode(), lambda found: False)

    def text_names(self, folder: str) -> Iterator[str]:
        """See ``Store.text_names``."""
        yield from self._bucket.names(folder)

    def check(self) -> StoreCheck:
        """See ``Store.check``."""
        return check_bucket(self._bucket, self._cache.folder)

    def put_aside(self, whole: PurePath, stamp: str) -> PurePath | None:
        """See ``Store.put_aside``; of an artifact, the record goes first and its bytes after it."""
        name = str(whole)
        names = [name, *self._bucket.names(name)]
        if name.startswith(f"{RECORDS}/"):
            home = ARTIFACTS + name.removeprefix(RECORDS).removesuffix(".json")
            names += self._bucket.names(home)
        moved = [
            each for each in dict.fromkeys(names) if self._bucket.move(each, f"{QUARANTINE}/{stamp}/{each}")
        ]
        self._accepted.clear()
        return PurePosixPath(QUARANTINE, stamp, name) if moved else None

    def _list(self, folder: str) -> list[Address]:
        found = addresses_in(self._bucket, folder)
        self._accepted.update(address for address in found if address.what != STATE)
        return found
