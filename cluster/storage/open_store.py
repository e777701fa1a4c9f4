"""A location becomes a store."""

from pathlib import Path

from cluster.storage.local_store import LocalStore
from cluster.storage.objects.object_store import ObjectStore
from cluster.storage.store import Store
from study.errors import SpecError, did_you_mean

BUCKETS = ("s3", "gs", "gcs", "az", "abfs", "abfss")
EXPECTED = "a folder, s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or az://CONTAINER/FOLDER"


def open_store(location: str) -> Store:
    """Opens a store without touching it.

    Args:
        location: a folder, an address that begins with ``file://``, or a place in a bucket.

    Raises:
        SpecError: an address of another kind, or without a bucket or a folder in it.
    """
    scheme, separator, rest = location.partition("://")
    if not location.removeprefix("file://").strip():  # what a variable that is not set leaves
        raise SpecError(f"--store {location!r}: expected {EXPECTED}")
    if not separator or scheme == "file":
        return LocalStore(Path(location.removeprefix("file://")))
    if scheme not in BUCKETS:
        raise SpecError(f"--store {location}: expected {EXPECTED}{did_you_mean(scheme, BUCKETS)}")
    parts = rest.rstrip("/").split("/")
    if not all(parts) or {".", ".."} & set(parts) or set("?#*[]") & set(rest):
        raise SpecError(
            f"--store {location}: expected {EXPECTED}, with names that are not empty and have none of ? # * [ ]"
        )
    return ObjectStore(location)


def is_remote(location: str) -> bool:
    """Whether a store lies in a bucket, so that nodes need share no folder."""
    return "://" in location and not location.startswith("file://")
