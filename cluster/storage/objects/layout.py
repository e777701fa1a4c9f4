"""Where the artifacts of a store in a bucket lie.

    records/KEY[:2]/KEY/STEP/WHAT.json             the record: complete, and accepted
    artifacts/KEY[:2]/KEY/STEP/WHAT/ATTEMPT/FILE   the bytes that it names

Records stand apart from the bytes, so that one listing of them, a thousand names a request, says what a store has.
"""

from cluster.storage.objects.bucket import Bucket
from study.artifacts.address import Address, step_of

RECORDS = "records"
ARTIFACTS = "artifacts"


def records_of(key: str) -> str:
    """The folder of all records of a trajectory."""
    return f"{RECORDS}/{key[:2]}/{key}"


def record_of(address: Address) -> str:
    """The name of an artifact's record."""
    return f"{records_of(address.key)}/{address.step}/{address.what}.json"


def home_of(address: Address) -> str:
    """The folder of an artifact's bytes."""
    return f"{ARTIFACTS}/{address.key[:2]}/{address.key}/{address.step}/{address.what}"


def address_of(name: str) -> Address | None:
    """The address of a record by its name; None where it is no record's."""
    parts = name.split("/")
    if len(parts) != 5 or parts[0] != RECORDS or not parts[4].endswith(".json"):
        return None
    step = step_of(parts[3])
    if step is None or parts[1] != parts[2][:2]:
        return None
    return Address(parts[2], step, parts[4].removesuffix(".json"))


def addresses_in(bucket: Bucket, folder: str = RECORDS) -> list[Address]:
    """Of every record in a folder, in the order of their names."""
    return [address for name in bucket.names(folder) if (address := address_of(name)) is not None]
