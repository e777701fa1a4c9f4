"""A model or a data file that is changed while a study runs: never one study of two of them.

A worker compares a model with its recorded identity whenever it loads it. Data are read once, before the first stage.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.performing.perform import perform
from study.performing.residents import Residents
from tests.commands import call, rows_of
from tests.faults.checker import Fault
from tests.front_door.mistakes.test_bad_texts import GOOD, OTHER, TOFU, model, place, write

__all__ = ["model", "place"]  # fixtures
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_ray")]
SMALL = {
    "start": "unlearned",
    "depth": "[1,2]",
    "corpus": "gibberish",
    "relearn_steps": "[0,1]",
    "seed": "[0,1]",
    "finetune.steps": 2,
}


def words(model: Path, study: str) -> list[str]:
    sets = [
        word for name, value in {**SMALL, "model": model}.items() for word in ("--set", f"{name}={value}")
    ]
    return ["run", *TOFU, *GOOD, *sets, "--study", study]


@pytest.fixture
def after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], object]], None]:
    """``after(2, change)``: done once, when so many stages have ended; each loads its model, as a new worker does."""

    def put(stages: int, change: Callable[[], object]) -> None:
        ended: list[str] = []

        def performed(stage: Any, store: Any, residents: Residents, *more: Any) -> Any:
            work = perform(stage, store, Residents(), *more)
            ended.append(stage.key)
            if len(ended) == stages:
                change()
            return work

        monkeypatch.setattr("tests.without_ray.perform", performed)

    return put


@pytest.mark.fault("a model's file changed while the study runs")
def test_a_model_changes(
    place: Path, model: Path, after: Callable[..., None], fault: Fault, turn: int
) -> None:
    path = model / "model.safetensors"
    original = path.read_bytes()
    code, output = call(*words(model, "undisturbed"), "--store", "one", cwd=place)
    assert code == 0, output
    after(turn + 1, lambda: path.write_bytes(original[:-4] + b"\0\0\0\1"))
    code, output = call(*words(model, "s"), cwd=place)
    fault.inject()
    assert (code, "changed since the study began" in output) == (3, True), output
    assert "Traceback" not in output
    after(0, lambda: None)
    code, output = call("resume", "s", cwd=place)
    assert (code, "changed since the study began" in output) == (3, True), output
    path.write_bytes(original)
    ends_as(place, fault)


@pytest.mark.fault("a data file changed while the study runs")
def test_data_change(place: Path, model: Path, after: Callable[..., None], fault: Fault, turn: int) -> None:
    path = place / "other.jsonl"
    original = path.read_bytes()
    code, output = call(*words(model, "undisturbed"), "--store", "one", cwd=place)
    assert code == 0, output
    after(turn + 1, lambda: write(path, [*OTHER, {"question": "New?", "answer": "New."}]))
    code, output = call(*words(model, "s"), cwd=place)
    fault.inject()
    assert code == 0, output
    after(0, lambda: None)
    code, output = call(*words(model, "s"), cwd=place)
    assert (code, "changed since the study began" in output) == (3, True), output
    path.write_bytes(original)
    ends_as(place, fault)


def ends_as(place: Path, fault: Fault) -> None:
    """The study gone on with has the rows of the undisturbed one."""
    code, output = call("resume", "s", cwd=place)
    assert code == 0, output
    for dataset, wanted in rows_of(place / "undisturbed").items():
        found = rows_of(place / "s")[dataset]
        fault.lost += max(0, len(wanted) - len(found))
        fault.duplicated += max(0, len(found) - len(wanted))
        assert found.equals(wanted), dataset
    code, output = call("verify", "s", cwd=place)
    assert (code, "0 problems" in output) == (0, True), output
