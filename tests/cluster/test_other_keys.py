"""Stages that another version left in a store under keys of its own are told, and nothing else is."""

from typing import Any

import pytest

from cluster.driver.other_keys import under_other_keys
from cluster.storage.local_store import LocalStore
from study.identity import NUMERICS
from study.identity import canonical as canonical_now
from study.performing.provenance import environment
from tests.conftest import TINY

ADAPTED = {"relearn": {**TINY["relearn"], "lora": {"rank": 2}}}


def _records(store: LocalStore) -> list[Any]:
    return [store.record(address) for address in store.addresses()]


def test_a_default_of_before_is_told(planned, work_through, tmp_path, monkeypatch) -> None:
    """As `lora={rank: 2}` was keyed once: its dropout an int, where the spec that is read again holds a float."""

    def canonical_then(value: Any) -> Any:
        found = canonical_now(value)
        if type(value).__name__ == "LoRA":
            pairs = found["LoRA"]
            return {"LoRA": [[name, {"int": "0"} if name == "dropout" else it] for name, it in pairs]}
        return found

    store = LocalStore(tmp_path / "store")
    with monkeypatch.context() as then:
        then.setattr("study.identity.canonical", canonical_then)
        work_through(planned(**ADAPTED), store)
    now = planned(**ADAPTED)
    keys = {address.key for address in store.addresses()}
    assert under_other_keys(now, _records(store)) == len(keys - set(now.stages)) == 1
    assert under_other_keys(planned(), _records(store)) == 0  # another question, and no adapter in it
    work_through(now, store)
    assert under_other_keys(now, _records(store)) == 1


@pytest.mark.parametrize("numerics", [NUMERICS - 1, NUMERICS + 1])
def test_other_numerics_are_told(planned, work_through, tmp_path, monkeypatch, numerics: int) -> None:
    store = LocalStore(tmp_path / "store")
    with monkeypatch.context() as then:
        then.setattr("study.identity.NUMERICS", numerics)
        then.setattr("study.performing.provenance.NUMERICS", numerics)
        environment.cache_clear()
        before = planned()
        work_through(before, store)
    environment.cache_clear()
    assert under_other_keys(planned(), _records(store)) == len(before.stages)


def test_the_stages_of_this_version_are_not(planned, work_through, tmp_path) -> None:
    store = LocalStore(tmp_path / "store")
    work_through(planned(seed=[0, 1]), store)
    assert under_other_keys(planned(depth=[3], seed=[1, 2]), _records(store)) == 0
