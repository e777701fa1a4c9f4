"""The claim of the product: what is shared through the tree is, to the bit, what each cell gives alone.

The oracle computes a cell with nothing but a model, the training loop and the scorer, in one go from random
weights, without a plan's sharing, without a store, and stopping at the cell's own last step.
"""

import hashlib
from pathlib import Path

import pytest
import torch

from cluster.storage.local_store import LocalStore
from study.artifacts.address import Address
from study.evaluation.answering.generation import answer_probes
from study.evaluation.answers_file import ANSWERS_FILE, read_answers
from study.models.resident import Resident
from study.performing.perform import perform
from study.performing.residents import Residents
from study.planning.chains import chain_files
from study.planning.plan import Cell
from study.planning.stages import Trajectory
from study.training.loop import train
from study.unlearning import METHODS
from tests.conftest import TINY

GRID = {
    "start": ["unlearned", "original", "never_learned"],
    "repetitions": [7, 1],
    "depth": [1, 3],
    "corpus": ["prefix", "gibberish"],
    "relearn_steps": [0, 1, 3],
    "seed": [0, 1],
}


def reinforced(node: Trajectory, resident: Resident, folder: Path) -> list[Path]:
    """The helper's weights, and the resident back where it was."""
    before, helper = folder / "before", folder / "helper"
    resident.save(before)
    train(node.helper.of, resident, node.helper.step, stops=(), reached=pytest.fail, micro_batch=32)
    resident.save(helper)
    resident.load(before)
    return [helper]


def alone(cell: Cell, folder: Path) -> tuple[list[dict], str]:
    """Answers of one cell and the digest of its weights, computed from scratch."""
    chain = []
    checkpoint = cell.checkpoint
    while isinstance(checkpoint.of, Trajectory):
        chain.append(checkpoint)
        checkpoint = checkpoint.of.parent
    resident = Resident(checkpoint.of)
    for node in reversed(chain):
        helper = reinforced(node.of, resident, folder) if node.of.helper is not None else None
        train(node.of, resident, node.step, stops=(), reached=pytest.fail, micro_batch=32, helper=helper)
    evaluation = cell.evaluation
    answers = answer_probes(resident, evaluation.probes, evaluation.generation.max_new_tokens, batch_size=64)
    return [answer.row() for answer in answers], digest(resident)


def digest(resident: Resident) -> str:
    sha = hashlib.sha256()
    weights = {
        **resident.weights(),
        **{
            f"{name} {place} {letter}": each
            for place, product in enumerate(resident.beside)
            for name, factors in product.factors.items()
            for letter, each in zip("BA", factors, strict=True)
        },
    }
    for name, value in sorted(weights.items()):
        sha.update(name.encode() + value.contiguous().view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()


LORA = {"rank": 4, "alpha": 8}
ON_ADAPTERS = {
    "finetune": {"steps": 3, "optimiser": {"learning_rate": 1e-2, "batch_size": 5, "lora": LORA}},
    "unlearn": {"learning_rate": 1e-2, "batch_size": 3, "lora": {**LORA, "targets": ["q_proj", "v_proj"]}},
    "relearn": {"learning_rate": 1e-2, "batch_size": 3, "lora": {**LORA, "dropout": 0.2}},
}
LEFT = {"learning_rate": 1e-2, "batch_size": 3, "lora": {}}
SMALLER = {**GRID, "repetitions": [7], "seed": [0], "start": ["unlearned"]}
CHANGES = {
    "full": {**GRID, "seed": [0]},
    "two seeds": GRID,
    "lora": {**SMALLER, **ON_ADAPTERS},
    "lora, two threads": {**SMALLER, **ON_ADAPTERS, "execution": {"cpus": 2}},
    "lora, with a helper and a reference": {**SMALLER, **ON_ADAPTERS, "method": ["whp", "kl_minimisation"],
                                            "corpus": ["prefix"]},
    "lora below and above all weights": {**SMALLER, **ON_ADAPTERS, "unlearn": TINY["unlearn"], "corpus": ["prefix"]},
    "lora left to its defaults": {**SMALLER, "corpus": ["prefix"], "finetune": {"steps": 3, "optimiser": LEFT},
                                  "unlearn": LEFT, "relearn": LEFT},
    "lora, bfloat16": {**SMALLER, **ON_ADAPTERS, "precision": "bfloat16",
                       "method": ["gradient_ascent", "kl_minimisation"], "corpus": ["prefix"]},
    "every method": {**SMALLER, "method": list(METHODS), "corpus": ["prefix"]},
    "mixed": {**SMALLER, "precision": "mixed", "corpus": ["prefix"]},
    "bfloat16": {**SMALLER, "precision": "bfloat16", "corpus": ["prefix"]},
    "texts with an end": {**SMALLER, "scenario": {"name": "tofu", "retain_pairs": 20}, "repetitions": [1],
                          "corpus": ["same_author", "gibberish"]},
}  # fmt: skip


LATER = ("two seeds", "lora, two threads")
"""What `make test-all` asks: the rest again with another value, in as long as all others take."""


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(changes, id=name, marks=[pytest.mark.slow] if name in LATER else [])
        for name, changes in CHANGES.items()
    ],
)
def test_rows_and_weights_equal_those_of_each_cell_alone(planned, work_through, tmp_path, changes) -> None:
    plan = planned(**{**changes, "execution": {"keep_relearned": True, **changes.get("execution", {})}})
    store = LocalStore(tmp_path / "store")
    work_through(plan, store)
    weights = set()
    for cell in plan.cells:
        node, step = cell.checkpoint.of, cell.checkpoint.step
        address = Address.of_answers(node.key, step, cell.evaluation.key)
        answers, expected = alone(cell, tmp_path)
        assert read_answers(store.file(address, ANSWERS_FILE)) == answers, cell.coordinates
        resident = Resident(node.source)
        resident.load(*chain_files(cell.checkpoint, store))
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
    return [address for stage in plan.stages.values() for address in stage.publishes]


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


def test_an_interrupted_stage_goes_on_to_the_same_bits(planned, work_through, tmp_path: Path) -> None:
    """Weights on adapters are evaluated the same on the way and after they were loaded again."""
    changes = {**SMALLER, **ON_ADAPTERS}
    plan = planned(**changes, execution={"keep_relearned": True})
    whole, half = LocalStore(tmp_path / "whole"), LocalStore(tmp_path / "half")
    work_through(plan, whole)
    work_through(
        planned(**{**changes, "generation": {"max_new_tokens": 2}}, execution={"keep_relearned": True}), half
    )
    work = work_through(plan, half)
    assert work
    for address in whole.addresses():
        assert files(whole, address) == files(half, address), str(address)


def test_activation_checkpointing_is_execution(planned, work_through, tmp_path: Path) -> None:
    plain, again = LocalStore(tmp_path / "plain"), LocalStore(tmp_path / "again")
    work_through(planned(), plain)
    work_through(planned(execution={"activation_checkpointing": True}), again)
    for address in plain.addresses():
        assert files(plain, address) == files(again, address), str(address)
