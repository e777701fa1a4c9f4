"""A guard that counts work, not time: what a tiny study costs in steps, forward passes, loads, hashes and processes.

Every number is exact. One that grows has a reason or is a fault; one that falls is lowered here, so that it stays.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase

import study.training.batches
import study.training.trained
from cluster.storage.local_store import LocalStore
from study.models.resident import Resident
from study.performing.perform import perform
from study.performing.residents import Residents
from study.training.encoding import encode

GRID = {"depth": [2, 4], "relearn_steps": [0, 1, 3], "corpus": ["prefix", "gibberish"]}
STEPS = 2 + 3 + 4 + 4 * 3
"""Base, finetuning, one unlearning to its deepest, and four relearnings to their longest."""
EVALUATIONS = 2 + 2 + 4 * 2
"""The two reference models, two depths, and two step counts of each relearning."""
STAGES = 1 + 1 + 1 + 4


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Counts calls of what is expensive, where it is done."""
    counts: Counter[str] = Counter()

    def count(owner: Any, name: str, what: str) -> None:
        real = getattr(owner, name)

        def counting(*arguments: Any, **named: Any) -> Any:
            counts[what] += 1
            return real(*arguments, **named)

        monkeypatch.setattr(owner, name, counting)

    monkeypatch.setattr(study.training.batches, "encode", encode)  # not the tests' own, which does it once
    forward = LlamaForCausalLM.forward

    @wraps(forward)  # the model is asked which arguments it takes
    def counting_forward(model: Any, *arguments: Any, **named: Any) -> Any:
        purpose = "training" if torch.is_grad_enabled() else "evaluation"
        counts[f"forward passes, {purpose}"] += 1
        counts[f"token places, {purpose}"] += named["input_ids"].numel()
        return forward(model, *arguments, **named)

    monkeypatch.setattr(LlamaForCausalLM, "forward", counting_forward)
    count(torch.Tensor, "backward", "backward passes")
    count(torch.optim.AdamW, "step", "optimiser steps")
    count(torch.optim.AdamW, "__init__", "optimisers")
    count(Resident, "__init__", "models built")
    count(Resident, "put", "weights put into the model")
    count(Resident, "save", "weights saved")
    count(LocalStore, "publish", "artifacts published")
    count(LocalStore, "file", "files hashed to be read")
    count(study.training.trained, "frozen_copy", "copies of the model")
    count(PreTrainedTokenizerBase, "__call__", "texts tokenised")
    count(torch, "manual_seed", "seeds sent to every device")
    count(os, "fsync", "syncs to disk")
    yield counts


def test_a_tiny_study_takes_exactly_this_work(planned, tmp_path: Path, counted: Counter[str]) -> None:
    plan = planned(**GRID)
    residents, store = Residents(), LocalStore(tmp_path)
    work = [perform(stage, store, residents, plan.spec.execution) for stage in plan.stages.values()]
    assert len(work) == STAGES
    assert sum(item.train_steps for item in work) == STEPS
    assert sum(item.evaluations for item in work) == EVALUATIONS
    assert residents.loads == 1
    assert counted == {
        "optimiser steps": STEPS,
        "forward passes, training": STEPS,
        "backward passes": STEPS,
        "token places, training": 2_092,  # with padding
        "optimisers": STAGES,
        # Of 30 probes 16 and 14 are read, then 3 more tokens of all.
        "forward passes, evaluation": 5 * EVALUATIONS,
        "token places, evaluation": 10_440,
        "texts tokenised": 4_158,  # 4,096 of them once, to pretrain
        "models built": 1,
        "seeds sent to every device": 1,  # for the weights of the one model
        "weights put into the model": STAGES,
        "weights saved": 4,
        "artifacts published": EVALUATIONS + 4,
        "files hashed to be read": 4,  # each of the weights, once a process
        "syncs to disk": 64,
    }


def test_a_study_that_is_there_takes_none(planned, tmp_path: Path, counted: Counter[str]) -> None:
    plan = planned(**GRID)
    store = LocalStore(tmp_path)
    for stage in plan.stages.values():
        perform(stage, store, Residents(), plan.spec.execution)
    counted.clear()
    residents = Residents()
    for stage in plan.stages.values():
        perform(stage, store, residents, plan.spec.execution)
    assert dict(counted) == {"models built": 1, "seeds sent to every device": 1}


def test_a_longer_horizon_and_more_looks_cost_what_they_add(planned, tmp_path: Path) -> None:
    """More step counts on a trajectory cost only their evaluations."""

    def forward_passes(**changes: Any) -> tuple[int, int]:
        plan = planned(**changes)
        store = LocalStore(tmp_path / str(len(list(tmp_path.iterdir()))))
        residents = Residents()
        work = [perform(stage, store, residents, plan.spec.execution) for stage in plan.stages.values()]
        return sum(item.train_steps for item in work), sum(item.evaluations for item in work)

    few = forward_passes(relearn_steps=[0, 6])
    many = forward_passes(relearn_steps=[0, 1, 2, 3, 4, 5, 6])
    assert many == (few[0], few[1] + 5)


HEAVY = (
    "torch",
    "transformers",
    "ray",
    "pandas",
    "matplotlib",
    "datasets",
    "openai",
    "statsmodels",
    "optuna",
)


def heavy_after(statement: str) -> list[str]:
    code = f"import json, sys\n{statement}\nprint(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.further
def test_a_worker_imports_what_computing_needs_and_no_more() -> None:
    assert heavy_after("import study.performing.perform") == ["torch", "transformers"]


def test_planning_and_scoring_import_nothing_heavy() -> None:
    assert (
        heavy_after(
            "import study.planning.planner, study.evaluation.rows, study.planning.cost, cluster.rows.recorder"
        )
        == []
    )
