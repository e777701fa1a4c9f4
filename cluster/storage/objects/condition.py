"""The proof that a bucket can carry a store: what is created there once cannot be created again.

Acceptance rests on that alone. Some storages that speak the protocol ignore the condition, and would accept every
writer; so each run proves it on its own bucket.
"""

import uuid

from cluster.storage.objects.bucket import Bucket
from study.errors import PreflightError

PROBES = "probes"


def prove(bucket: Bucket) -> None:
    """Creates, creates again, reads, lists and deletes an object of its own.

    Raises:
        PreflightError: the storage does not keep what is needed; the message says which.
        StorageRefusedError: no credentials, no bucket, or no right.
        OSError: it does not answer; may be called again.
    """
    name = f"{PROBES}/{uuid.uuid4().hex}"
    bucket.names(PROBES)  # a storage that is silent is heard of by one request, not by the many of a create
    first, second = (uuid.uuid4().hex.encode() for _ in range(2))
    created = bucket.create(name, first, lambda found: found == first)
    again = bucket.create(name, second, lambda found: found == second)
    found = bucket.read(name)
    listed = bucket.names(PROBES)
    bucket.delete(name)
    if found not in (first, second):
        raise PreflightError(
            f"{bucket.url}: what was written is not what is read: no object storage answers there; look at the "
            "endpoint (AWS_ENDPOINT_URL, STORAGE_EMULATOR_HOST or AZURE_STORAGE_CONNECTION_STRING) and at proxies, or "
            "give another --store"
        )
    if not created or again or found != first:
        raise PreflightError(
            f"{bucket.url}: this storage ignores the condition that an object is created only where there is none "
            "(If-None-Match, ifGenerationMatch): two writers would overwrite each other. Give a --store whose storage "
            "keeps it: Amazon S3, Google Cloud Storage, Azure Blob Storage, recent MinIO or Ceph, or a shared folder"
        )
    if name not in listed:
        raise PreflightError(
            f"{bucket.url}: an object that was just written is not listed: such a storage cannot carry a store; give "
            "another --store"
        )
    if bucket.read(name) is not None:
        raise PreflightError(f"{bucket.url}: an object that was deleted is still read; give another --store")
