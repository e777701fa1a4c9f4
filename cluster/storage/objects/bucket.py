"""Objects under one address: read, written, created exclusively, listed and deleted. All that knows fsspec.

Listings are never cached: what another node has just published must be seen. Every error is one of ``errors``.
"""

import logging
import os
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import fsspec

from cluster.storage.objects.errors import errors_in_words, kind_of
from cluster.storage.retry import StorageRefusedError, UnansweredError
from study.errors import PreflightError

EXTRAS = {"s3": "s3", "gs": "gs", "az": "azure"}
OPTIONS: dict[str, dict[str, Any]] = {
    # A lost answer is found out about by reading back, and an outage is waited for by ``with_retries``.
    "s3": {
        "config_kwargs": {
            "retries": {"mode": "standard", "max_attempts": 2},
            "connect_timeout": 10,
            "read_timeout": 60,
        }
    },
    "gs": {},
    "az": {},
}
CREATE_PAUSES = (0.1, 0.5, 2.0)
"""Seconds between two tries to create an object of which nobody knows whether it is there."""


class Bucket:
    """The objects under an address such as ``s3://bucket/folder``. Making one touches nothing."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def read(self, name: str) -> bytes | None:
        """An object's bytes; None where there is none."""
        with errors_in_words(f"{self.url}/{name}", "read"):
            try:
                return bytes(self._files.cat_file(self._path(name)))
            except FileNotFoundError as error:
                _raise_where_the_bucket_lacks(error)
                return None

    def download(self, name: str, to: Path) -> bool:
        """Writes an object into a file; False where there is none."""
        with errors_in_words(f"{self.url}/{name}", "read"):
            try:
                self._files.get_file(self._path(name), str(to))
            except FileNotFoundError as error:
                _raise_where_the_bucket_lacks(error)
                return False
            return True

    def upload(self, path: Path, name: str) -> None:
        """Writes a file into an object, which may be there."""
        with errors_in_words(f"{self.url}/{name}", "write"):
            self._writing(lambda: self._files.put_file(str(path), self._path(name)))

    def create(self, name: str, body: bytes, mine: Callable[[bytes], bool]) -> bool:
        """Creates an object, unless there is one; False where another writer's is there.

        A client that repeats a request whose answer was lost is told that the object exists, which may be its own. So
        after anything but a clear success the object is read back.

        Args:
            mine: whether an object that is there is the one that this call wrote.
        """
        for pause in (*CREATE_PAUSES, None):
            try:
                self.create_blindly(name, body)
                return True
            except FileExistsError:
                trouble: UnansweredError | None = None
            except UnansweredError as error:
                trouble = error
            found = self.read(name)
            if found is not None:
                return mine(found)
            if pause is None:
                raise trouble or UnansweredError("said to exist, and is not there", f"{self.url}/{name}")
            time.sleep(max(pause, trouble.wait if trouble is not None else 0.0))
        raise AssertionError("unreachable")

    def create_blindly(self, name: str, body: bytes) -> None:
        """One request to create an object.

        Raises:
            FileExistsError: one is there, perhaps this call's own.
        """
        with errors_in_words(f"{self.url}/{name}", "write"):
            try:
                self._writing(lambda: self._files.pipe_file(self._path(name), body, mode="create"))
            except OSError as error:
                if "412" in str(error) or "PreconditionFailed" in repr(error.__cause__):
                    raise FileExistsError(name) from error
                raise

    def move(self, name: str, to: str) -> bool:
        """Gives an object another name; False where there is none."""
        with errors_in_words(f"{self.url}/{name}", "write"):
            try:
                self._files.cp_file(self._path(name), self._path(to))
            except FileNotFoundError as error:
                _raise_where_the_bucket_lacks(error)
                return False
        self.delete(name)
        return True

    def delete(self, name: str) -> None:
        """Deletes an object, if there is one."""
        with errors_in_words(f"{self.url}/{name}", "delete"):
            try:
                self._files.rm_file(self._path(name))
            except FileNotFoundError as error:
                _raise_where_the_bucket_lacks(error)

    def names(self, folder: str) -> list[str]:
        """The names of all objects in a folder and below it, in order."""
        with errors_in_words(f"{self.url}/{folder}", "list"):
            try:
                found = self._files.find(self._path(folder))
            except FileNotFoundError as error:
                _raise_where_the_bucket_lacks(error)
                return []
        return sorted(path[len(self._root) + 1 :] for path in found)

    def _writing(self, write: Callable[[], object]) -> None:
        try:
            write()
        except FileNotFoundError as error:  # nothing else can be missing where one writes
            raise StorageRefusedError(
                f"{self.url}: there is no such bucket: make it first, or give another address with --store"
            ) from error

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        kind = kind_of(self.url)
        for client in ("gcsfs", "azure"):  # which print their own tracebacks and hints beside our words
            logging.getLogger(client).setLevel(logging.CRITICAL)
        # gcsfs' second implementation needs gRPC, which no emulator speaks; it is chosen when gcsfs is imported.
        os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        try:
            with errors_in_words(self.url, "open"):
                files, root = fsspec.core.url_to_fs(self.url, use_listings_cache=False, **OPTIONS[kind])
        except ImportError as error:
            raise PreflightError(
                f"--store {self.url}: its client is not installed here ({error}); pip install 'relearn[{EXTRAS[kind]}]'"
            ) from error
        return files, str(root).rstrip("/")

    @property
    def _files(self) -> Any:
        return self._opened[0]

    @property
    def _root(self) -> str:
        return self._opened[1]


def _raise_where_the_bucket_lacks(error: FileNotFoundError) -> None:
    """A missing bucket is no missing object; ``errors_in_words`` tells them apart by the code."""
    if any(word in repr(error.__cause__) for word in ("NoSuchBucket", "ContainerNotFound")):
        raise error
