"""Two and four processes that train one model together: the bits of one process that cuts its batches in the same way.

Over gloo, on the CPU. The rest (reading, evaluating, publishing) is rank 0's, and what it is in one process.
"""

from pathlib import Path

import psutil
import pytest
import torch

from cluster.storage.local_store import LocalStore
from study.errors import DivergedError, GangError
from study.models.pretrained import fingerprint
from study.performing.perform import perform
from study.performing.residents import Residents
from study.planning.materials import read_materials
from study.planning.plan import Plan
from study.planning.planner import make_plan
from study.planning.stages import Trajectory
from study.settings.execution import Execution
from study.training.gang.orders import MEMBER
from study.training.loop import train
from study.training.training_state import Resumption
from study.unlearning import METHODS
from tests.study.test_pretrained import make_folder
from tests.study.test_resumption import CUT, LAST

BATCH = 8
CLIPPED = 0.05
"""A norm that every gradient of the tiny model passes."""


def changes(clip: float | None = None) -> dict:
    optimiser = {"learning_rate": 1e-3, "batch_size": BATCH, "gradient_clip": clip}
    return {
        "embedded": {
            # of a width that four processes cannot cut alike
            "architecture": {"layers": 2, "width": 18, "heads": 3},
            "pretraining": {"steps": 2, "optimiser": optimiser},
        },
        "finetune": {"steps": LAST, "optimiser": optimiser},
        "unlearn": optimiser,
        "relearn": {**optimiser, "warmup_steps": 2},
    }


def digests(store: LocalStore) -> dict[str, dict[str, str]]:
    return {str(each): dict(store.record(each)["files"]) for each in store.addresses()}


def performed(plan: Plan, store: LocalStore, residents: Residents) -> LocalStore:
    for stage in plan.stages.values():
        perform(stage, store, residents, plan.spec.execution)
    return store


@pytest.fixture
def residents():
    found = Residents()
    yield found
    found.release()


def test_a_study_of_two_processes_has_the_bits_of_one(planned, residents, tmp_path: Path) -> None:
    """With clipping, a frozen reference, states on the way, and two micro-batches of each process in every step."""
    grid = {**changes(CLIPPED), "method": ["kl_minimisation"], "depth": [2, 5]}
    execution = {"micro_batch": 2, "checkpoint_every_steps": 2, "checkpoint_share": None}
    one = performed(planned(**grid, execution=execution), LocalStore(tmp_path / "one"), residents)
    plan = planned(**grid, execution={**execution, "processes": 2})
    two = performed(plan, LocalStore(tmp_path / "two"), residents)
    assert digests(one) == digests(two)
    recorded = {two.record(each)["processes"] for each in two.addresses()}
    assert recorded == {2}
    assert {one.record(each)["processes"] for each in one.addresses()} == {1}
    assert residents.loads == 1


@pytest.mark.slow
@pytest.mark.parametrize("clip", [None, CLIPPED])
@pytest.mark.parametrize("processes", [2, 4])
def test_every_method(planned, residents, tmp_path: Path, processes: int, clip: float | None) -> None:
    """One process of the same cut has the same bits."""
    grid = {**changes(clip), "method": list(METHODS), "depth": [3], "relearn_steps": [0]}
    of = {"processes": processes}
    gang = performed(planned(**grid, execution=of), LocalStore(tmp_path / "gang"), residents)
    cut = {"micro_batch": BATCH // processes}
    one = performed(planned(**grid, execution=cut), LocalStore(tmp_path / "one"), residents)
    assert digests(gang) == digests(one)


def moved(plan: Plan, micro_batch: int, processes: int, residents: Residents) -> tuple[dict, dict]:
    """The weights before and after the finetuning of a plan."""
    node = next(stage.node for stage in plan.stages.values() if stage.kind == "finetune")
    assert isinstance(node, Trajectory)
    resident = residents.get(node.source)
    resident.reset()
    before = {name: value.clone() for name, value in resident.weights().items()}
    if processes == 1:
        train(node, resident, LAST, (), pytest.fail, micro_batch)
    else:
        gang = residents.gang(processes)
        gang.train(node, LAST, (), pytest.fail, micro_batch, Resumption(None, pytest.fail, None))
    return before, {name: value.clone() for name, value in resident.weights().items()}


def way(before: dict, after: dict) -> torch.Tensor:
    return torch.cat([(after[name] - before[name]).double().flatten() for name in sorted(before)])


@pytest.mark.slow
@pytest.mark.parametrize("clip", [None, CLIPPED])
def test_a_batch_that_is_not_cut_moves_the_weights_almost_the_same_way(planned, residents, clip) -> None:
    """Within 1e-5 of the way, as a smaller micro-batch does."""
    plan = planned(**changes(clip))
    whole = way(*moved(plan, BATCH, 1, residents))
    for processes in (2, 4):
        together = way(*moved(plan, BATCH, processes, residents))
        assert 0 < (together - whole).norm() / whole.norm() < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("other", [1, 2, 4])
def test_another_number_of_processes_goes_on_from_a_state(
    planned, residents, tmp_path: Path, other: int
) -> None:
    """States are whole: four processes that are cut off are followed by others, to the bit."""
    grid = {**changes(CLIPPED), "method": ["npo"], "depth": [1, LAST]}
    states = {"checkpoint_every_steps": 2, "checkpoint_share": None, "micro_batch": 2}
    plan = planned(**grid, execution={**states, "processes": 4})
    whole = performed(planned(**grid, execution=states), LocalStore(tmp_path / "whole"), residents)
    cut = LocalStore(tmp_path / "cut")
    follows = planned(**grid, execution={**states, "processes": other})
    for key, stage in plan.stages.items():
        interrupted(stage, cut, plan, residents)
        done = perform(follows.stages[key], cut, residents, follows.spec.execution)
        assert done.train_steps in (0, stage.last_step, stage.last_step - CUT)
    assert digests(whole) == digests(cut)


class CutError(Exception):
    """As if storage had failed."""


def interrupted(stage, store, plan, residents) -> None:
    def tell(event: str, **facts: object) -> None:
        if event == "state left" and facts["step"] == CUT:
            raise CutError

    if stage.last_step > CUT:
        with pytest.raises(CutError):
            perform(stage, store, residents, plan.spec.execution, tell)


@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_attempt_and_leaves_none_behind(
    planned, residents, tmp_path: Path
) -> None:
    """It is named, with its signal; the attempt after it goes on from the last state, to the same bits."""
    grid = changes(CLIPPED)
    states = {"checkpoint_every_steps": 2, "checkpoint_share": None, "micro_batch": 2}
    plan = planned(**grid, execution={**states, "processes": 4})
    whole = performed(planned(**grid, execution=states), LocalStore(tmp_path / "whole"), residents)
    store = LocalStore(tmp_path / "killed")
    killed: list[psutil.Process] = []

    def tell(event: str, **facts: object) -> None:
        if event == "state left" and not killed:
            killed.extend(members())
            killed[1].kill()

    for stage in plan.stages.values():
        if stage.kind == "finetune":
            with pytest.raises(GangError, match=r"process 3 of 4 .* was ended by SIGKILL"):
                perform(stage, store, residents, plan.spec.execution, tell)
            assert len(killed) == 3
            assert not any(process.is_running() for process in killed)
        done = perform(stage, store, residents, plan.spec.execution)
        assert done.train_steps == (LAST - 2 if stage.kind == "finetune" else stage.last_step)
    assert digests(whole) == digests(store)
    residents.release()
    assert members() == []


@pytest.mark.slow
def test_an_error_in_another_process_is_that_of_the_stage(planned, residents, tmp_path: Path) -> None:
    """What cannot be computed ends all of them, each by itself, with one cause."""
    plan = planned(
        **{**changes(), "finetune": {"steps": 3, "optimiser": {"learning_rate": 1e30, "batch_size": 8}}}
    )
    store = LocalStore(tmp_path)
    execution = Execution(processes=2)
    with pytest.raises(DivergedError, match="finetune diverged"):
        for stage in plan.stages.values():
            perform(stage, store, residents, execution)
    assert members() == []


def members() -> list[psutil.Process]:
    """The processes that train with this one."""
    children = psutil.Process().children(recursive=True)
    return sorted((each for each in children if MEMBER in each.cmdline()), key=lambda each: each.pid)


@pytest.mark.slow
def test_a_pretrained_model_whose_output_layer_is_its_embedding(tiny, residents, tmp_path: Path) -> None:
    """In mixed precision, from a folder; activations are computed twice."""
    model = str(make_folder(tmp_path / "model"))
    grid = {**changes(CLIPPED), "model": [model], "precision": "mixed", "method": ["rmu"]}
    for name, execution in {
        "one": {"micro_batch": 2},
        "gang": {"micro_batch": 2, "activation_checkpointing": True, "processes": 2},
    }.items():
        plan = make_plan(read_materials(tiny(**grid, execution=execution)), fingerprint)
        performed(plan, LocalStore(tmp_path / name), residents)
    one, gang = (digests(LocalStore(tmp_path / name)) for name in ("one", "gang"))
    assert one == gang
