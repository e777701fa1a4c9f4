"""What a node has downloaded: one copy for all of its processes, checked by its hash each time it is used.

Files are named by their digests, so that a changed object is never mistaken for an old one. ``RELEARN_CACHE`` names
the folder (~/.cache/relearn without it), ``RELEARN_CACHE_GB`` how many units of 10⁹ bytes are kept.
"""

import contextlib
import fcntl
import math
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from cluster.storage.digests import TREE, digest_as
from cluster.storage.disk_full import full, is_full
from study.errors import PreflightError
from study.models.known_hashes import cache_folder

KEPT_GB = 50.0
SPARED_SECONDS = 3600.0
"""A file that was used so recently may be open: it stays, also where the cache is full."""


class NodeCache:
    """The downloads of one node."""

    def __init__(self) -> None:
        """Raises PreflightError where no folder is named and the user has no home, or the limit is no number."""
        folder = cache_folder()
        if folder is None:
            raise PreflightError(
                "what is downloaded from the store has no place: this user has no home; name a folder in RELEARN_CACHE"
            )
        self.folder = folder
        given = os.environ.get("RELEARN_CACHE_GB") or str(KEPT_GB)
        try:
            self._limit = float(given) * 1e9
        except ValueError:
            self._limit = math.nan
        if not self._limit >= 0:
            raise PreflightError(
                f"RELEARN_CACHE_GB={given}: expected how many units of 10⁹ bytes of downloads are kept, such as 50"
            )

    def prepare(self) -> None:
        """Raises PreflightError where files cannot be kept on this node."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            if is_full(error):
                raise full(self.folder) from error
            raise PreflightError(
                f"{self.folder} cannot be written ({error.strerror or error}), and what is downloaded from the store "
                "is kept there: name another folder in RELEARN_CACHE, on every node"
            ) from error

    def file(self, recorded: str, suffix: str, download: Callable[[Path], bool]) -> tuple[Path, str]:
        """A file of these bytes, downloaded where the cache has none that is sound.

        Args:
            suffix: of the file's name.
            download: writes the bytes into a path; False where there are none.

        Returns:
            The path, and the digest that was found: another than ``recorded``, or "no file", where the source has other
            bytes; such a file is not kept.
        """
        path = self.folder / "files" / recorded.removeprefix(TREE)[:2] / f"{recorded}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_name(f".{recorded}.lock")):
            if path.exists() and digest_as(recorded, path) == recorded:
                os.utime(path)
                return path, recorded
            temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
            try:
                found = digest_as(recorded, temporary) if download(temporary) else "no file"
                if found == recorded:
                    temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
        self._prune()
        return path, found

    def _prune(self) -> None:
        found = []
        for path in self.folder.glob("files/*/[!.]*"):
            with contextlib.suppress(FileNotFoundError):
                found.append((path.stat().st_mtime, path.stat().st_size, path))
        total = sum(size for _, size, _ in found)
        for used, size, path in sorted(found):
            if total <= self._limit or time.time() - used < SPARED_SECONDS:
                return
            path.unlink(missing_ok=True)
            total -= size


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
