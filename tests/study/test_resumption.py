"""A trajectory cut off in its middle goes on from the last state, and ends as if it had not been, to the bit."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from safetensors.torch import load_file
from torch.optim.optimizer import register_optimizer_step_post_hook

from cluster.storage.local_store import LocalStore
from study.artifacts.address import STATE_FILE, Address
from study.performing.perform import perform
from study.performing.residents import Residents
from study.planning.plan import Plan
from study.unlearning import METHODS

EVERY, CUT, LAST = 2, 4, 7
SPACES = {
    **{name: {"method": [name], "depth": [1, LAST]} for name in METHODS},
    "relearn, full": {"relearn_steps": [0, 1, LAST]},
    "relearn, LoRA": {
        "relearn_steps": [0, 1, LAST],
        "relearn": {"learning_rate": 3e-4, "batch_size": 3, "warmup_steps": 5, "lora": {"rank": 2}},
    },
}


class CutError(Exception):
    """As if the process had been killed."""


def work(plan: Plan, store: LocalStore, cut_at: int | None) -> dict[str, int]:
    """Performs every stage; training steps by stage. Cut once, at a state of each of the longest stages."""
    steps: dict[str, int] = {}
    for key, stage in plan.stages.items():

        def tell(event: str, key: str = key, **facts: object) -> None:
            if event == "state left" and facts["step"] == cut_at:
                steps[key] = 0
                raise CutError

        try:
            done = perform(stage, store, Residents(), plan.spec.execution, tell)
        except CutError:
            done = perform(stage, store, Residents(), plan.spec.execution)
        steps[key] = done.train_steps
    return steps


@pytest.mark.parametrize("space", SPACES)
def test_equal_to_the_bit(planned, tmp_path: Path, space: str) -> None:
    changes = {"finetune": {"steps": LAST, "optimiser": {"learning_rate": 1e-3, "batch_size": 5}}} | SPACES[
        space
    ]
    plan = planned(**changes, execution={"checkpoint_every_steps": EVERY, "checkpoint_share": None})
    whole, cut = LocalStore(tmp_path / "whole"), LocalStore(tmp_path / "cut")
    steps = work(plan, whole, None)
    steps_after_the_cut = work(plan, cut, CUT)
    long = [key for key, count in steps.items() if count > CUT]
    assert len(long) >= 2
    assert all(steps_after_the_cut[key] == steps[key] - CUT for key in long)
    assert {key for key, count in steps.items() if count != steps_after_the_cut[key]} == set(long)

    addresses = set(whole.addresses())
    assert addresses == set(cut.addresses()), "states are gone, and everything else is there"
    for address in addresses:
        if address.what == "weights":
            (name,) = whole.record(address)["files"]
            one, other = (load_file(store.file(address, name)) for store in (whole, cut))
            assert one.keys() == other.keys()
            assert all((one[tensor] == other[tensor]).all() for tensor in one), address
        else:
            names = list(whole.record(address)["files"].values())
            assert names == list(cut.record(address)["files"].values()), address


def test_a_spoilt_state_only_costs_its_steps(planned, tmp_path: Path) -> None:
    plan = planned(depth=[LAST], execution={"checkpoint_every_steps": EVERY, "checkpoint_share": None})
    (stage,) = [stage for stage in plan.stages.values() if stage.kind == "unlearn"]
    store = LocalStore(tmp_path)
    for key, each in plan.stages.items():
        if key == stage.key:
            break
        perform(each, store, Residents(), plan.spec.execution)
    events: list[tuple[str, object]] = []

    def tell(event: str, **facts: object) -> None:
        events.append((event, facts.get("step")))
        if event == "state left" and facts["step"] == CUT:
            raise CutError

    with pytest.raises(CutError):
        perform(stage, store, Residents(), plan.spec.execution, tell)
    path = store.file(Address.of_state(stage.key, CUT), STATE_FILE)
    path.write_bytes(path.read_bytes()[:-1])
    events.clear()
    done = perform(
        stage,
        store,
        Residents(),
        plan.spec.execution,
        lambda event, **facts: events.append((event, facts.get("step"))),
    )
    assert ("state spoilt", CUT) in events
    assert done.train_steps == LAST - EVERY, "from the state before"
    assert store.steps(stage.key, "state") == []


def test_states_keep_within_their_share_of_the_time(
    planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step takes a second and a state two, by a clock that nothing else moves: each 40 steps pay for one."""
    now = [0.0]
    left: list[int] = []

    class Slow(LocalStore):
        def publish(self, address: Address, folder: Path, facts: Mapping[str, Any]) -> bool:
            if address.what == "state":
                now[0] += 2.0
                left.append(address.step)
            return super().publish(address, folder, facts)

    def a_second(*step: object) -> None:
        now[0] += 1.0

    monkeypatch.setattr("study.performing.perform.time", SimpleNamespace(perf_counter=lambda: now[0]))
    plan = planned(relearn_steps=[0], depth=[130], execution={"checkpoint_every_steps": 5})
    (stage,) = [stage for stage in plan.stages.values() if stage.kind == "unlearn"]
    store = Slow(tmp_path)
    for key, each in plan.stages.items():
        if key != stage.key:
            perform(each, store, Residents(), plan.spec.execution)
    left.clear()
    hook = register_optimizer_step_post_hook(a_second)
    try:
        done = perform(stage, store, Residents(), plan.spec.execution)
    finally:
        hook.remove()
    assert left == [5, 80, 120]
    assert done.train_seconds == 130, "without what the states took"
