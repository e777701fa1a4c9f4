"""The store in a folder: a local disk, or a file system that all nodes share.

Files are written into a staging folder whose name begins with a dot, synced, moved to an attempt of their own, and only
then named by a record, which appears exclusively: whole, once, and by the first of two writers. Bytes that no record
names are left over from a crash and never read.
"""

import contextlib
import errno
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

from cluster.storage.digests import digest_as
from cluster.storage.disk_full import free, is_full
from cluster.storage.local_check import check_folder
from cluster.storage.local_layout import RECORD, addresses_in, home_of, refuse_links_to
from cluster.storage.quarantine import move_aside
from cluster.storage.records import changed_file, files_of, read_record, recorded_file, write_record
from cluster.storage.retry import is_outage
from cluster.storage.store import StoreCheck
from study.artifacts.address import Address, Record
from study.artifacts.atomic_write import name_exclusively, sync, write_bytes
from study.errors import PreflightError


class LocalStore:
    """A ``cluster.storage.store.Store`` in a folder. Making one touches nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def disk(self) -> Path:
        """See ``Store.disk``."""
        return self.folder

    @property
    def location(self) -> str:
        """The folder, absolute."""
        return str(self.folder.resolve())

    def prepare(self) -> None:
        """See ``Store.prepare``."""
        try:
            with self.staging() as folder:
                probes = [folder / "first", folder / "second"]
                for probe in probes:
                    probe.write_bytes(b"x" * 65536)
                    sync(probe)
                sync(folder)
                if [name_exclusively(probe, folder / "name") for probe in probes] != [True, False]:
                    raise OSError(
                        errno.EOPNOTSUPP, "two files were created under one name, each as the first"
                    )
        except OSError as error:
            if is_outage(error):
                raise
            remedy = "give another with --store" + (", or make room" if is_full(error) else "")
            raise PreflightError(
                f"the store {self.folder} cannot be written: {error.strerror or error} "
                f"({free(self.folder)}); {remedy}"
            ) from error

    def has(self, address: Address) -> bool:
        """See ``Store.has``."""
        return (home_of(self.folder, address) / RECORD).exists()

    def addresses(self) -> Iterator[Address]:
        """See ``Store.addresses``; in no particular order."""
        return addresses_in(self.folder)

    def steps(self, key: str, what: str) -> list[int]:
        """See ``Store.steps``."""
        records = (self.folder / "artifacts" / key[:2] / key).glob(f"*/{what}/{RECORD}")
        return sorted(int(record.parents[1].name) for record in records)

    def discard(self, address: Address) -> None:
        """See ``Store.discard``; the record goes first, so that no half of a state is ever read."""
        if address != Address.of_state(address.key, address.step):
            raise ValueError(f"{address} was accepted and stays; only a state is discarded")
        home = self._home(address)
        (home / RECORD).unlink(missing_ok=True)
        shutil.rmtree(home, ignore_errors=True)
        with contextlib.suppress(OSError):
            home.parent.rmdir()  # where weights or answers lie beside it, it stays

    def record(self, address: Address) -> Record:
        """See ``Store.record``."""
        path = home_of(self.folder, address) / RECORD
        refuse_links_to(path, self.folder)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise KeyError(f"{address} is not published in {self.folder}") from None
        return read_record(content, address, path)

    def file(self, address: Address, name: str) -> Path:
        """See ``Store.file``."""
        record = self.record(address)
        recorded = recorded_file(record, address, name)
        path = home_of(self.folder, address) / str(record["attempt"]) / name
        refuse_links_to(path, self.folder)
        try:
            found = digest_as(recorded, path)
        except FileNotFoundError:
            found = "no file"
        if found != recorded:
            raise changed_file(path, found, recorded)
        return path

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """See ``Store.staging``; on the store's own disk, so that publishing only moves files."""
        folder = self.folder / ".staging" / uuid.uuid4().hex
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, address: Address, folder: Path, facts: Mapping[str, Any]) -> bool:
        """See ``Store.publish``."""
        home = self._home(address)
        attempt = uuid.uuid4().hex
        for path in folder.iterdir():
            sync(path)
        files = files_of(folder)
        home.mkdir(parents=True, exist_ok=True)
        target = home / attempt
        target.mkdir()
        for name in files:
            (folder / name).replace(target / name)
        sync(target)
        pending = (
            home / f".{RECORD}.{attempt}"
        )  # beside the record: some file systems link within one folder only
        pending.write_bytes(write_record(address, attempt, files, facts))
        try:
            sync(pending)
            first = name_exclusively(pending, home / RECORD)
        finally:
            pending.unlink(missing_ok=True)
        if not first:
            shutil.rmtree(target, ignore_errors=True)
            return False
        sync(home)
        return True

    def read_text(self, name: str) -> str | None:
        """See ``Store.read_text``."""
        refuse_links_to(self.folder / name, self.folder)
        try:
            return (self.folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def create_text(self, name: str, text: str) -> bool:
        """See ``Store.create_text``."""
        refuse_links_to(self.folder / name, self.folder)
        return write_bytes(self.folder / name, text.encode(), replace=False)

    def text_names(self, folder: str) -> Iterator[str]:
        """See ``Store.text_names``."""
        for path in sorted((self.folder / folder).rglob("[!.]*")):
            if path.is_file():
                yield str(path.relative_to(self.folder))

    def check(self) -> StoreCheck:
        """See ``Store.check``."""
        return check_folder(self.folder, self)

    def put_aside(self, whole: PurePath, stamp: str) -> PurePath | None:
        """See ``Store.put_aside``."""
        return move_aside(Path(whole), self.folder.resolve(), stamp)

    def _home(self, address: Address) -> Path:
        home = home_of(self.folder, address)
        refuse_links_to(home, self.folder)
        return home
