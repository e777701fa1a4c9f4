"""A parent's file is hashed once a process for all siblings that start from it, and again when anything touched it."""

import os
from pathlib import Path
from typing import Any

import pytest

import cluster.storage.digests
from cluster.storage.local_store import LocalStore
from study.artifacts.address import WEIGHTS_FILE, Address
from study.errors import IntegrityError
from study.identity import file_sha256
from study.performing.perform import perform
from study.performing.residents import Residents


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The weights that the store hashes to read them."""
    found: list[Path] = []

    def noted(path: Path) -> str:
        if path.name == WEIGHTS_FILE and ".staging" not in path.parts:
            found.append(path)
        return file_sha256(path)

    monkeypatch.setattr(cluster.storage.digests, "file_sha256", noted)
    return found


def test_siblings(planned: Any, tmp_path: Path, hashed: list[Path]) -> None:
    plan, store, residents = (
        planned(corpus=["prefix", "gibberish", "direct"]),
        LocalStore(tmp_path),
        Residents(),
    )
    relearnings = [stage for stage in plan.stages.values() if stage.kind == "relearn"]
    above = [stage for stage in plan.stages.values() if stage.kind != "relearn"]
    for stage in above:
        perform(stage, store, residents, plan.spec.execution)
    hashed.clear()
    perform(relearnings[0], store, residents, plan.spec.execution)
    first = list(hashed)
    perform(relearnings[1], store, residents, plan.spec.execution)
    assert hashed == first
    parent = relearnings[2].node.parent
    path = store.file(parent.address, WEIGHTS_FILE)
    hashed.clear()
    bits, times = path.read_bytes(), path.stat()
    path.write_bytes(bits[:-1] + bytes([bits[-1] ^ 1]))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # as a copy that keeps its time
    with pytest.raises(IntegrityError):
        perform(relearnings[2], store, residents, plan.spec.execution)
    path.write_bytes(bits)
    perform(relearnings[2], store, residents, plan.spec.execution)
    assert hashed.count(path) == 2
    assert store.has(Address.of_answers(relearnings[2].key, 2, relearnings[2].evaluate[0][1].key))


def test_another_store_is_another_file(
    planned: Any, work_through: Any, tmp_path: Path, hashed: list[Path]
) -> None:
    plan, residents = planned(), Residents()
    for name in ("one", "other"):
        store = LocalStore(tmp_path / name)
        for stage in plan.stages.values():
            perform(stage, store, residents, plan.spec.execution)
    below = [path for path in hashed if (tmp_path / "other") in path.parents]
    assert len(below) == len(hashed) / 2 > 0
