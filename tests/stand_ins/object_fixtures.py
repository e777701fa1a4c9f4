"""Fixtures of servers of object storage; apart from the others, since they need no torch."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import cache
from pathlib import Path

import pytest

from tests.stand_ins.object_servers import ObjectServer, azurite, fake_gcs, moto

os.environ.setdefault(
    "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false"
)  # as the store sets it before gcsfs is imported


@pytest.fixture(scope="session")
def object_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], ObjectServer]]:
    """``object_server("s3")``: a server of that kind, started once for all tests."""
    starts: dict[str, Callable[[Path], AbstractContextManager[ObjectServer]]] = {
        "s3": lambda folder: moto(),
        "az": azurite,
        "gs": fake_gcs,
    }
    with ExitStack() as stack:
        yield cache(lambda kind: stack.enter_context(starts[kind](tmp_path_factory.mktemp(kind))))


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has a cache of its own."""
    monkeypatch.setenv("RELEARN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def bucket(
    object_server: Callable[[str], ObjectServer], node: None, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], str]:
    """``bucket("s3")``: a folder in a new bucket of a real server, whose address the environment has."""

    def make(kind: str) -> str:
        server = object_server(kind)
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        if server.disturbance is not None:
            server.disturbance.quiet()
        name = f"relearn-{uuid.uuid4().hex[:12]}"
        server.files().mkdir(name)
        return f"{kind}://{name}/studies"

    return make
