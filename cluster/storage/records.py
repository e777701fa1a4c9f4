"""The record of an artifact: what it holds, how it is sealed, and how it is read back. The same in every store."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

from cluster.storage.digests import FORM, digest_of
from study.artifacts.address import Address, Record
from study.errors import IntegrityError

RECORD_FORMAT = 3
REMEDY = "move it aside with `relearn verify STUDY --repair`, and run again"


def files_of(folder: Path) -> dict[str, dict[str, Any]]:
    """What a record says of each file of a folder: its digest and its size in bytes."""
    return {
        path.name: {"sha256": digest_of(path), "bytes": path.stat().st_size}
        for path in sorted(folder.iterdir())
    }


def write_record(address: Address, attempt: str, files: Mapping[str, Any], facts: Mapping[str, Any]) -> bytes:
    """A sealed record as JSON.

    Args:
        attempt: the writer's own, by which it finds out whether the record that is kept is its own.
    """
    record: dict[str, Any] = {
        "format": RECORD_FORMAT,
        "address": str(address),
        "attempt": attempt,
        "files": dict(files),
        "published": datetime.now(UTC).isoformat(timespec="seconds"),
        **facts,
    }
    return json.dumps({**record, "seal": _checksum(record)}, indent=1, sort_keys=True).encode()


def read_record(content: bytes, address: Address, place: object) -> Record:
    """A record as it was written.

    Args:
        place: where it lies, for messages.

    Raises:
        IntegrityError: it cannot be read, was changed, or is that of another artifact.
    """
    try:
        record = json.loads(content.decode())
    except ValueError as error:  # of JSON or of UTF-8
        raise IntegrityError(f"{place} is no readable record: {REMEDY}") from error
    if not isinstance(record, dict) or record.get("seal") != _checksum(record):
        raise IntegrityError(f"{place} is not the record that was written: {REMEDY}")
    if record.get("address") != str(address):
        raise IntegrityError(
            f"{place} is the record of {record.get('address')}, expected {address}: {REMEDY}"
        )
    if any(PurePath(name).name != name for name in (str(record.get("attempt")), *record.get("files", {}))):
        raise IntegrityError(f"{place} names files outside of its folder: {REMEDY}")
    return record


def recorded_file(record: Record, address: Address, name: str) -> str:
    """The digest that a record has for a file.

    Raises:
        KeyError: the artifact has no such file.
        IntegrityError: it is none.
    """
    if name not in record["files"]:
        raise KeyError(f"{address} has no file {name}; it has {', '.join(record['files'])}")
    digest = str(record["files"][name]["sha256"])
    if not FORM.fullmatch(digest):  # it names a file of the node's cache
        raise IntegrityError(f"the record of {address} has no hash of {name}: {REMEDY}")
    return digest


def changed_file(place: object, found: str, recorded: str) -> IntegrityError:
    """The error for bytes that are not the recorded ones."""
    return IntegrityError(
        f"{place} is not what its record says (sha256 {found[:12]}, recorded {recorded[:12]}): {REMEDY}"
    )


def _checksum(record: Mapping[str, Any]) -> str:
    """A hash over everything else in a record, so that a changed fact is noticed as a changed file is."""
    plain = json.dumps({name: value for name, value in record.items() if name != "seal"}, sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()
