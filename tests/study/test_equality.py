"""The claim of the product: what is shared through the tree is, to the bit, what each cell gives alone.

The oracle computes a cell with nothing but a model, the training loop and the scorer, in one go from random
weights, without a plan's sharing, without a store, and stopping at the cell's own last step.
"""

import hashlib
from pathlib import Path

import pytest

from cluster.local_store import LocalStore
from study.answers_file import ANSWERS_FILE, read_answers
from study.artifacts import Address
from study.cost import wanted
from study.evaluation.answers import ask
from study.models import Resident
from study.perform import WEIGHTS_FILE, Residents, perform
from study.plan import Cell
from study.stages import Trajectory
from study.training import train

GRID = {
    "start": ["unlearned", "original", "never_learned"],
    "repetitions": [7, 1],
    "depth": [1, 3],
    "corpus": ["prefix", "gibberish"],
    "relearn_steps": [0, 1, 3],
    "seed": [0, 1],
}


def alone(cell: Cell) -> tuple[list[dict], str]:
    """Answers of one cell and the digest of its weights, computed from scratch."""
    chain = []
    checkpoint = cell.checkpoint
    while isinstance(checkpoint.of, Trajectory):
        chain.append(checkpoint)
        checkpoint = checkpoint.of.parent
    resident = Resident(checkpoint.of)
    for node in reversed(chain):
        train(node.of, resident, node.step, stops=(), reached=pytest.fail, micro_batch=32)
    evaluation = cell.evaluation
    answers = ask(resident, evaluation.probes, evaluation.generation.max_new_tokens, batch_size=64)
    return [answer.row() for answer in answers], digest(resident)


def digest(resident: Resident) -> str:
    sha = hashlib.sha256()
    for name, value in sorted(resident.weights().items()):
        sha.update(name.encode() + value.numpy().tobytes())
    return sha.hexdigest()


def test_rows_and_weights_equal_those_of_each_cell_alone(planned, work_through, tmp_path: Path) -> None:
    plan = planned(**GRID, execution={"keep_relearned": True})
    store = LocalStore(tmp_path)
    work_through(plan, store)
    weights = set()
    for cell in plan.cells:
        node, step = cell.checkpoint.of, cell.checkpoint.step
        address = Address.of_answers(node.key, step, cell.evaluation.key)
        answers, expected = alone(cell)
        assert read_answers(store.file(address, ANSWERS_FILE)) == answers, cell.coordinates
        resident = Resident(node.source)
        resident.load(store.file(Address.of_weights(node.key, step), WEIGHTS_FILE))
        assert digest(resident) == expected, cell.coordinates
        weights.add(expected)
    # The comparison means something only if cells differ where their pipelines do.
    assert len(weights) == len({(c.checkpoint.of.key, c.checkpoint.step) for c in plan.cells})


def test_a_longer_horizon_changes_no_earlier_step(planned, work_through, tmp_path: Path) -> None:
    short, long = LocalStore(tmp_path / "short"), LocalStore(tmp_path / "long")
    plan = planned(depth=[2], relearn_steps=[2])
    work_through(plan, short)
    work_through(planned(depth=[2, 5], relearn_steps=[1, 2, 6]), long)
    for address in short.addresses():
        assert files(short, address) == files(long, address), str(address)


def files(store: LocalStore, address: Address) -> dict[str, str]:
    return {name: facts["sha256"] for name, facts in store.record(address)["files"].items()}


def test_an_extended_study_runs_only_what_is_missing(planned, work_through, tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    before = planned(depth=[2], relearn_steps=[0, 2], seed=[0])
    work_through(before, store)
    published = {str(address): store.record(address) for address in store.addresses()}
    assert work_through(before, store) == []

    after = planned(depth=[2, 4], relearn_steps=[0, 2, 3], seed=[0, 1])
    worked = work_through(after, store)
    kinds = [after.stages[key].kind for key in worked]
    # Seed 0: the longer unlearning, the longer relearning from depth 2, the new one from depth 4.
    # Seed 1: all five stages of a pipeline with two depths.
    assert sorted(kinds) == sorted(
        ["unlearn", "relearn", "relearn"] + ["base", "finetune", "unlearn"] + ["relearn"] * 2
    )
    assert all(store.record(address) == published[str(address)] for address in before_addresses(before))


def before_addresses(plan) -> list[Address]:
    return [address for stage in plan.stages.values() for address in wanted(stage)]


def test_answers_alone_need_no_training(planned, work_through, tmp_path: Path) -> None:
    """Where weights are kept, another evaluation only asks."""
    store = LocalStore(tmp_path)
    work_through(planned(relearn_steps=[0]), store)
    longer = planned(relearn_steps=[0], generation={"max_new_tokens": 6})
    residents = Residents()
    work = [perform(stage, store, residents, longer.spec.execution) for stage in longer.stages.values()]
    # The base and the finetuned weights are kept for those who start there; the unlearned ones, from
    # which nobody relearns here, are not, so its two steps are taken again.
    assert [item.train_steps for item in work] == [0, 0, 2]
    assert [item.evaluations for item in work] == [1, 1, 1]
    assert residents.loads == 1
