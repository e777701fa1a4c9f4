"""A stage whose GPU's memory is full is tried once more with half the batches, and then given up."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cluster.storage.local_store import LocalStore
from cluster.study_folder.event_log import read_events
from cluster.worker.stage_actor import StageActor
from study.performing.perform import perform
from study.performing.residents import Residents
from study.planning.plan import Plan
from study.unlearning.gradient_ascent import GradientAscent
from study.unlearning.objective import Step

ROOM = 1
"""Sequences that the card takes at a time."""


@pytest.fixture
def small_card(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = GradientAscent.loss

    def with_little_room(self: GradientAscent, step: Step) -> torch.Tensor:
        if len(step.data.tokens.input_ids) > ROOM:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return loss(self, step)

    monkeypatch.setattr(GradientAscent, "loss", with_little_room)


@pytest.fixture
def unlearn(planned: Callable[..., Plan], small_card: None, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """The result of the worker that performs the unlearning of a study."""

    def run(**execution: Any) -> dict[str, Any]:
        plan = planned(relearn_steps=[0], execution=execution)
        store, residents = LocalStore(tmp_path / "store"), Residents()
        *above, stage = plan.stages.values()
        for each in above:
            perform(each, store, residents, plan.spec.execution)

        class Actor(StageActor):
            def setup(self, config: dict[str, Any]) -> None:  # type: ignore[override]
                super().setup(
                    config,
                    plan=plan,
                    store_location=store.location,
                    log_folder=str(tmp_path / "log"),
                    attempts_folder=str(tmp_path / "attempts"),
                    working_folder=str(Path.cwd()),
                )

        (tmp_path / "attempts").mkdir()
        return Actor({"stage": stage.key}).step()

    return run


def test_half_the_batches_are_enough(unlearn, tmp_path: Path) -> None:
    assert unlearn(micro_batch=2, evaluation_batch=5)["cause"] is None
    events = [
        event
        for event in read_events(tmp_path / "log")
        if "memory" in event["event"] or "half" in event["event"]
    ]
    assert [event["event"] for event in events] == [
        "stage out of memory",
        "stage tried with half the batches",
    ]
    assert (events[1]["micro_batch"], events[1]["evaluation_batch"]) == (1, 2)


def test_half_the_batches_are_still_too_much(unlearn, tmp_path: Path) -> None:
    result = unlearn(micro_batch=32)
    assert result["cause"] == "out of memory"
    assert "Tried to allocate" in result["message"]
    tried = [event for event in read_events(tmp_path / "log") if "half" in event["event"]]
    assert len(tried) == 1
