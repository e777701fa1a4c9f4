"""A run warns where its processor only emulates the precision that is asked for."""

import platform

import pytest
import torch

from cluster.driver.preflight.checks import slow_precision


@pytest.mark.parametrize(
    ("machine", "capability", "precision", "warned"),
    [
        ("x86_64", "AVX2", "mixed", True),
        ("x86_64", "AVX2", "bfloat16", True),
        ("x86_64", "AVX2", "float32", False),
        ("x86_64", "AVX512", "mixed", False),
        ("arm64", "DEFAULT", "mixed", False),
    ],
)
def test_emulated(planned, monkeypatch, machine: str, capability: str, precision: str, warned: bool) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    words = slow_precision(planned(precision=precision))
    assert (words is not None) == warned
    if words:
        assert f"precision={precision}" in words
        assert "--set precision=float32" in words


def test_a_gpu_is_asked_for(planned, monkeypatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert slow_precision(planned(precision="mixed", execution={"gpus": 1})) is None


def test_the_names_that_torch_gives_are_those_that_are_looked_for() -> None:
    known = {"DEFAULT", "AVX2", "AVX512", "VSX", "Z VECTOR", "NO AVX", "SVE256", "NEON"}
    assert torch.backends.cpu.get_cpu_capability() in known
