"""Why bfloat16 weights are not trained, and adapters over them not merged: what is left of the change in them."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cluster.driver.preflight.checks import check_plan
from study.errors import PreflightError
from study.models.pretrained import fingerprint
from study.planning.materials import read_materials
from study.planning.plan import Plan
from study.planning.planner import make_plan
from study.spec import StudySpec
from tests.conftest import TINY
from tests.study.test_pretrained import make_folder

WEIGHTS = 100_000
SPREAD = 0.02
"""The standard deviation of a language model's weights."""


def noise(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def trained(dtype: torch.dtype, learning_rate: float, steps: int = 12) -> torch.Tensor:
    """How far each weight has moved, float64."""
    start = (SPREAD * noise(WEIGHTS, seed=0)).bfloat16()
    weights = torch.nn.Parameter(start.to(dtype, copy=True))
    adamw = torch.optim.AdamW([weights], lr=learning_rate, fused=True)
    for step in range(steps):
        weights.grad = (0.5 * noise(WEIGHTS, seed=1) + noise(WEIGHTS, seed=2 + step)).to(dtype)
        adamw.step()
    return weights.detach().double() - start.double()


@pytest.mark.parametrize(
    ("learning_rate", "moves", "error"), [(1e-5, 0.15, 0.93), (3e-5, 0.30, 0.84), (1e-4, 0.87, 0.40)]
)
def test_twelve_steps_in_bfloat16(learning_rate: float, moves: float, error: float) -> None:
    true, rounded = trained(torch.float32, learning_rate), trained(torch.bfloat16, learning_rate)
    assert float((rounded != 0).double().mean()) == pytest.approx(moves, abs=0.03)
    assert float((rounded - true).norm() / true.norm()) == pytest.approx(error, abs=0.03)


@pytest.mark.parametrize(
    ("steps", "learning_rate", "unchanged", "error"), [(8, 1e-4, 0.59, 0.61), (15, 2e-4, 0.22, 0.22)]
)
def test_an_adapter_merged_into_bfloat16(
    steps: int, learning_rate: float, unchanged: float, error: float
) -> None:
    """Of rank 16, on some rows of a layer as wide as Llama-2-7b's."""
    rows, width, rank = 128, 4096, 16
    generator = torch.Generator().manual_seed(0)
    down = torch.nn.Parameter(torch.empty(rank, width))
    torch.nn.init.kaiming_uniform_(down, a=math.sqrt(5), generator=generator)
    up = torch.nn.Parameter(torch.zeros(rows, rank))
    adamw = torch.optim.AdamW([down, up], lr=learning_rate, fused=True)
    for step in range(steps):
        gradient = noise(rows, width, seed=1) + noise(rows, width, seed=2 + step)
        down.grad, up.grad = up.detach().T @ gradient, gradient @ down.detach().T
        adamw.step()
    product = 2 * (up @ down).detach()
    weights = (SPREAD * noise(rows, width, seed=0)).bfloat16()
    moved = (weights + product.bfloat16()).double() - weights.double()
    assert float((moved == 0).double().mean()) == pytest.approx(unchanged, abs=0.04)
    assert float((moved - product).norm() / product.norm()) == pytest.approx(error, abs=0.04)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, "base"),
        ({"relearn": {"learning_rate": 1e-4, "batch_size": 3, "lora": {"rank": 4}}}, "base"),
    ],
)
def test_training_bfloat16_weights_is_refused(
    planned: Callable[..., Plan], changes: dict[str, object], named: str
) -> None:
    with pytest.raises(PreflightError, match=rf"precision=bfloat16.*{named}.*--set precision=mixed"):
        check_plan(planned(precision="bfloat16", **changes), local=False)
    check_plan(planned(precision="mixed", **changes), local=False)


def test_an_adapter_over_bfloat16_weights_is_not(tiny: Callable[..., StudySpec], tmp_path: Path) -> None:
    adapters = {
        "finetune": {"steps": 3, "optimiser": {**TINY["finetune"]["optimiser"], "lora": {}}},
        **{name: {**TINY[name], "lora": {}} for name in ("unlearn", "relearn")},
    }
    spec = tiny(model=[str(make_folder(tmp_path))], precision="bfloat16", **adapters)
    check_plan(make_plan(read_materials(spec), fingerprint), local=False)
