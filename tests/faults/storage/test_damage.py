"""Every kind of file of a study, damaged after the fact: found, named, repaired, computed again; and nothing else."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cluster.rows.recorder import Recorder
from cluster.storage.local_store import LocalStore
from cluster.study_folder.event_log import EventLog
from cluster.study_folder.lease import hold
from cluster.study_folder.study_folder import StudyFolder
from cluster.verification.verify import verify_study
from study.performing.perform import perform
from study.performing.residents import Residents
from study.planning.plan import Plan
from study.results.merged_cells import merge_cells
from tests.commands import call, rows_of
from tests.faults.checker import Fault

KINDS = {
    "record": "store/artifacts/*/*/*/*/record.json",
    "weights": "store/artifacts/*/*/*/weights/*/weights.safetensors",
    "answers": "store/artifacts/*/*/*/answers-*/*/answers.parquet",
    "rows of probes": "results/probes/*.parquet",
    "rows of cells": "results/cells/*.parquet",
    "rows of all cells": "cells.parquet",
    "planned cells": "planned.parquet",
    "corpora": "corpora.parquet",
}
HARMS: dict[str, Callable[[bytes], bytes]] = {
    "a bit flipped in the middle": lambda data: flipped(data, len(data) // 2),
    "a bit flipped at the start": lambda data: flipped(data, 5),
    "truncated": lambda data: data[: len(data) // 2],
    "emptied": lambda data: b"",
}
RARE = dict.fromkeys(("a bit flipped at the start", "truncated", "emptied"), pytest.mark.slow)
CHANGES = {"start": ["unlearned"], "depth": [1, 2], "relearn_steps": [0, 2]}


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A whole study, made once."""
    yield tmp_path_factory.mktemp("original")


def work_through(plan: Plan, folder: Path) -> None:
    """What a run does, without Ray."""
    store, log = LocalStore(folder / "store"), EventLog(folder / "log")
    with hold(folder) as lease:
        recorder, residents = Recorder(lease, plan, store), Residents()
        for key, stage in plan.stages.items():
            log.write("stage started", stage=key, kind=stage.kind)
            perform(stage, store, residents, plan.spec.execution)
            recorder.record(key)


@pytest.fixture
def study(original: Path, planned, tmp_path: Path) -> tuple[Path, Plan]:
    plan = planned(**CHANGES)
    if not (original / "study.json").exists():
        claim(original, plan)
        work_through(plan, original)
        merge_cells(original)
    shutil.copytree(original, tmp_path / "s")
    return tmp_path / "s", plan


def claim(folder: Path, plan: Plan) -> None:
    facts: dict[str, Any] = {"models": {}, "inputs": {}, "store": "store", "space": "tiny"}
    with hold(folder) as lease:
        StudyFolder(folder).claim(lease, plan.spec, plan, **facts, overrides=[], command=["test"])


def contents(folder: Path) -> dict[str, str]:
    paths = [path for path in folder.rglob("*") if path.is_file() and "quarantine" not in path.parts]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
        if path.parent.name not in ("log", ".driver") and path.name != "study.json"
    }


def repaired(study: Path, plan: Plan, damaged: Path, expected: dict[str, pa.Table], fault: Fault) -> None:
    """Found by name, repaired, computed again; the rows are those of before."""
    store = LocalStore(study / "store")
    found = verify_study(study, store, lambda: plan, repair=False)
    assert [problem.path for problem in found.problems] == [damaged]
    assert found.exit_code == 5
    code, output = call("verify", "s", cwd=study.parent)
    assert code == 5, output
    assert damaged.name in output
    code, output = call("verify", "s", "--repair", cwd=study.parent)
    assert code == 0, output
    assert "quarantine" in output
    assert verify_study(study, store, lambda: plan, repair=False).problems == []
    claim(study, plan)
    work_through(plan, study)
    fault.inject()
    fault.check(study, expected, code=0, repeated=len(plan.stages))


@pytest.mark.parametrize("harm", [pytest.param(harm, marks=RARE.get(harm, ())) for harm in HARMS])
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.fault(f"damaged after the fact: {kind}")) for kind in KINDS]
)
def test_damage_is_found_and_repaired(
    study: tuple[Path, Plan], undisturbed, fault: Fault, kind: str, harm: str
) -> None:
    folder, plan = study
    damaged = sorted(folder.glob(KINDS[kind]))[0]
    damaged.write_bytes(HARMS[harm](damaged.read_bytes()))
    repaired(folder, plan, damaged, undisturbed(**CHANGES), fault)


def test_a_changed_question_is_seen(study: tuple[Path, Plan]) -> None:
    """One that can be read and is another's: nothing can be computed again from it, so it stays where it is."""
    folder, _ = study
    path = folder / "study.json"
    path.write_text(path.read_text().replace('"seed": [', '"seed": [7, ', 1))
    for words in (["verify", "s"], ["verify", "s", "--repair"]):
        code, output = call(*words, cwd=folder.parent)
        assert code == 5, output
        assert "study.json" in output
        assert "--store" in output
    assert path.exists()


@pytest.mark.parametrize(
    "place",
    [
        "store/artifacts/*/*/*/weights/*/",
        "store/artifacts/*/*/*/answers-*/*/",
        "store/artifacts/*/*/*/",
        "results/cells/",
        "results/probes/",
    ],
)
@pytest.mark.fault("a file added after the fact")
def test_a_file_that_does_not_belong_there(
    study: tuple[Path, Plan], undisturbed, fault: Fault, place: str
) -> None:
    folder, plan = study
    stranger = sorted(folder.glob(place.rstrip("/")))[0] / "stranger.pkl"
    stranger.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    repaired(folder, plan, stranger, undisturbed(**CHANGES), fault)


@pytest.mark.fault("a file removed after the fact")
@pytest.mark.parametrize("kind", ["weights", "answers"])
def test_a_file_that_is_gone(study: tuple[Path, Plan], undisturbed, fault: Fault, kind: str) -> None:
    folder, plan = study
    gone = sorted(folder.glob(KINDS[kind]))[0]
    gone.unlink()
    repaired(folder, plan, gone, undisturbed(**CHANGES), fault)


@pytest.mark.fault("a row file copied, so that its rows stand twice")
def test_rows_that_stand_twice(study: tuple[Path, Plan], undisturbed, fault: Fault) -> None:
    folder, plan = study
    first = sorted(folder.glob("results/cells/*.parquet"))[0]
    copy = first.with_name("z" + first.name)
    shutil.copy(first, copy)
    repaired(folder, plan, copy, undisturbed(**CHANGES), fault)


def test_a_sound_study_is_left_as_it_is(study: tuple[Path, Plan]) -> None:
    folder, _ = study
    before = contents(folder)
    code, output = call("verify", "s", "--repair", cwd=folder.parent)
    assert (code, contents(folder)) == (0, before)
    assert "0 problems" in output
    assert rows_of(folder)["cells"].num_rows > 0
