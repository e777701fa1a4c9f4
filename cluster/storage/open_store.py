"""A location becomes a store."""

import re
from pathlib import Path

from cluster.storage.local_store import LocalStore
from cluster.storage.objects.object_store import ObjectStore
from cluster.storage.store import Store
from study.errors import SpecError, did_you_mean

BUCKETS = ("s3", "gs", "gcs", "az", "abfs", "abfss")
EXPECTED = "a folder, s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or az://CONTAINER/FOLDER"

ALMOST = rf"(arn:|(file|{'|'.join(BUCKETS)}):(?!//))"
"""A slip in an address, which would be a folder of that name on each machine."""


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
    if not location.isprintable():
        raise SpecError(
            f"--store {location!r}: expected {EXPECTED}, without a line break or another control character"
        )
    if re.search(r"://[^/@]*:.*@", location):
        raise SpecError(
            f"--store {scheme}://…: expected {EXPECTED}, without a user and a password: credentials are those of the "
            "provider's own tools, in the environment, and stand in no address (it is kept with the study)"
        )
    if re.match(ALMOST, location) or (scheme == "file" and not rest.startswith("/")):
        raise SpecError(f"--store {location}: expected {EXPECTED}")
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
