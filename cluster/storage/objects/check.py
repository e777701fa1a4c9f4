"""The check of a store in a bucket: every record, every object that one names, and what does not belong there.

Every file is downloaded and hashed, never taken from a cache: what is checked is what the bucket has.
"""

import tempfile
from pathlib import Path, PurePosixPath

from cluster.storage.chains import Chains
from cluster.storage.digests import digest_as
from cluster.storage.objects.bucket import Bucket
from cluster.storage.objects.layout import ARTIFACTS, RECORDS, address_of, home_of, record_of
from cluster.storage.records import read_record
from cluster.storage.store import Damage, StoreCheck
from study.artifacts.address import Address
from study.errors import IntegrityError


def check_bucket(bucket: Bucket, disk: Path) -> StoreCheck:
    """Compares every artifact with its record, also while others publish.

    Args:
        disk: a folder of this machine, with room for one file.
    """
    found, chains = StoreCheck(), Chains()
    objects = set(bucket.names(ARTIFACTS))
    named: set[str] = set()
    disk.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=disk) as scratch:
        for name in bucket.names(RECORDS):
            address = address_of(name)
            if address is None:
                found.damages.append(_damage(name, "no part of any artifact", name))
            else:
                named |= _check_artifact(bucket, address, Path(scratch) / "file", found, chains)
    found.damages += chains.broken()
    homes = {str(PurePosixPath(name).parent) for name in named}
    for name in sorted(objects - named):
        if str(PurePosixPath(name).parent) in homes:
            found.damages.append(_damage(name, "its record does not name it", name))
        elif len(name.split("/")) == 7:
            found.leftovers.append(PurePosixPath(name))
        else:
            found.damages.append(_damage(name, "no part of any artifact", name))
    return found


def _check_artifact(
    bucket: Bucket, address: Address, scratch: Path, found: StoreCheck, chains: Chains
) -> set[str]:
    """The names of the objects that belong to it."""
    found.artifacts += 1
    name = record_of(address)
    content = bucket.read(name)
    if content is None:  # a state that its stage has just discarded
        return set()
    try:
        record = read_record(content, address, name)
        attempt, files = str(record["attempt"]), dict(record["files"])
        chains.note(address, record, PurePosixPath(name))
    except IntegrityError:
        found.damages.append(_damage(name, "no readable record of this artifact", name))
        return set()
    except KeyError as error:
        found.damages.append(_damage(name, f"a record without {error}", name))
        return set()
    named = set()
    for file, facts in files.items():
        source = f"{home_of(address)}/{attempt}/{file}"
        named.add(source)
        found.files += 1
        there = bucket.download(source, scratch)
        if there and digest_as(str(facts.get("sha256")), scratch) == facts.get("sha256"):
            found.bytes += scratch.stat().st_size
            continue
        if bucket.read(name) is None:
            return named  # a state again
        size = f"has {scratch.stat().st_size:,} bytes and another hash" if there else "is missing"
        words = f"{size}; its record says {facts.get('bytes'):,} bytes"
        found.damages.append(_damage(source, words, name))
    return named


def _damage(path: str, what: str, whole: str) -> Damage:
    return Damage(PurePosixPath(path), what, PurePosixPath(whole))
