"""A location becomes a store."""

from pathlib import Path

from cluster.storage.local_store import LocalStore
from cluster.storage.store import Store
from study.errors import SpecError


def open_store(location: str) -> Store:
    """Opens a store without touching it.

    Args:
        location: a folder, or an address that begins with ``file://``.

    Raises:
        SpecError: an address of another kind.
    """
    if "://" in location and not location.startswith("file://"):
        raise SpecError(
            f"--store {location}: this version keeps artifacts in folders (a local disk, or one that all "
            "nodes share); give a folder"
        )
    return LocalStore(Path(location.removeprefix("file://")))
