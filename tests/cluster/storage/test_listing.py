"""What a store in a bucket has is known from one listing, however much it is."""

import time
import uuid

import pytest

from cluster.storage.objects.layout import record_of
from cluster.storage.open_store import open_store
from study.artifacts.address import Address


@pytest.mark.parametrize("count", [2_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_hundred_thousand_artifacts_are_listed_and_none_is_opened(
    bucket, object_server, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    from moto.core import DEFAULT_ACCOUNT_ID  # type: ignore[attr-defined]
    from moto.s3.models import s3_backends

    location = bucket("s3")
    name, _, folder = location.removeprefix("s3://").partition("/")
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    there = {Address.of_answers(uuid.uuid4().hex, 3, "e") for _ in range(count)}
    for address in there:  # past HTTP, which would take a quarter of an hour
        backend.put_object(name, f"{folder}/{record_of(address)}", b"{}")
    storage = object_server("s3").disturbance
    storage.quiet()
    before, began = storage.cpu_seconds, (time.monotonic(), time.process_time())
    store = open_store(location)
    assert set(store.addresses()) == there
    assert all(store.has(address) for address in there)
    wall, cpu = time.monotonic() - began[0], time.process_time() - began[1]
    moto = storage.cpu_seconds - before
    with capsys.disabled():
        print(f"\n{count:,} artifacts: {wall:.1f} s; CPU {cpu:.1f} s, of it {moto:.1f} s moto's")  # noqa: T201
    assert storage.counts == {"GET": count // 1000}
