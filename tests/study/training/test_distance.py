"""How far weights moved, against numpy on all of them at once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import study.models.weight_distance
from study.models.resident import Resident


@pytest.fixture
def resident(planned: Any) -> Resident:
    plan = planned()
    return Resident(next(iter(plan.stages.values())).node.source)


def of_all(weights: dict[str, torch.Tensor]) -> "np.ndarray[Any, Any]":
    return np.concatenate([weights[name].numpy().astype(np.float64).ravel() for name in sorted(weights)])


@pytest.mark.parametrize("chunk", [7, 1 << 16])
def test_in_chunks_of_any_size(
    resident: Resident, chunk: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(study.models.weight_distance.CHUNK, "cpu", chunk)
    before = {name: value.clone() for name, value in resident.weights().items()}
    resident.save(tmp_path / "before")
    torch.manual_seed(0)
    resident.put({name: value + 0.01 * torch.randn_like(value) for name, value in before.items()})
    start, now = of_all(load_file(tmp_path / "before")), of_all(resident.weights())
    expected = np.linalg.norm(now - start) / np.linalg.norm(start)
    assert expected > 0.01
    assert resident.distance(tmp_path / "before") == pytest.approx(expected, rel=1e-12)
    assert resident.distance() == pytest.approx(expected, rel=1e-12)
    resident.reset()
    assert resident.distance(tmp_path / "before") == 0
