"""A stage computes where its resources say, and its rows name it; CUDA's answers are faked where torch gives them."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from cluster.storage.local_store import LocalStore
from cluster.study_folder.failures import Cause, Failure
from study.errors import DeviceError, SpecError
from study.models import hardware
from study.performing.perform import perform
from study.performing.residents import Residents
from study.results.files import read_dataset

SHARES: list[float] = []


@pytest.fixture
def visible(monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA is there, as far as anybody asks."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    card = SimpleNamespace(name="NVIDIA H100 80GB HBM3", total_memory=80 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: card)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", SHARES.append)


@pytest.mark.usefixtures("visible")
def test_a_stage_that_asks_for_no_gpu_computes_on_the_cpu(planned, tmp_path: Path) -> None:
    plan = planned(relearn_steps=[0])
    store, residents = LocalStore(tmp_path), Residents()
    stage = next(iter(plan.stages.values()))
    perform(stage, store, residents, plan.spec.execution)
    records = [store.record(address) for address in store.addresses()]
    assert {record["device"] for record in records} == {"cpu"}
    assert not any("accelerator" in record for record in records)


def test_a_stage_that_asks_for_a_gpu_never_computes_on_the_cpu(planned, tmp_path: Path, monkeypatch) -> None:
    def no_driver() -> None:
        raise RuntimeError("Found no NVIDIA driver on your system.\nPlease check it")

    plan = planned(execution={"of_kind": {"base": {"gpus": 0.5}}})
    stage = next(iter(plan.stages.values()))
    monkeypatch.setattr(torch.cuda, "init", no_driver)
    with pytest.raises(DeviceError, match=r"gpus=0.5.*Found no NVIDIA driver") as caught:
        perform(stage, LocalStore(tmp_path), Residents(), plan.spec.execution)
    failure = Failure.of_error(caught.value, str(tmp_path))
    assert (failure.cause, failure.tried_again) == (Cause.NO_GPU, True)


@pytest.mark.usefixtures("visible")
def test_a_stage_that_asks_for_a_gpu_computes_there(monkeypatch) -> None:
    assert hardware.device_of(1) == torch.device("cuda")
    assert hardware.device_of(0.25) == torch.device("cuda")
    whole, quarter = SHARES[-2:]
    assert whole == 1.0
    assert quarter == pytest.approx(0.25 - 0.7 / 80)  # CUDA's own memory is within the share
    driver = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.10  Release Build\n"
    monkeypatch.setattr(hardware, "DRIVER_FILE", SimpleNamespace(read_text=lambda: driver))
    found = hardware.describe_device(torch.device("cuda"))
    assert found["device"] == found["accelerator"]["card"] == "NVIDIA H100 80GB HBM3"
    assert found["accelerator"]["driver"] == "570.86.10"
    assert {"cuda", "cudnn", "memory"} < set(found["accelerator"])


def test_deterministic_kernels_for_a_stage_on_a_gpu(planned, tmp_path: Path) -> None:
    """Every operation of a training step and an evaluation has one; afterwards all is as before."""
    seen: list[bool] = []
    plan = planned(relearn_steps=[0], execution={"deterministic": True})
    with hardware.kernels(torch.device("cuda"), deterministic=True):
        stage = next(iter(plan.stages.values()))
        tell = lambda *what, **facts: seen.append(torch.are_deterministic_algorithms_enabled())  # noqa: E731
        perform(stage, LocalStore(tmp_path), Residents(), plan.spec.execution, tell)
    assert seen
    assert all(seen)
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(("gpus", "fits"), [(0, True), (0.25, True), (1, True), (2, True), (1.5, False)])
def test_gpus_are_a_share_or_whole(tiny, gpus: float, fits: bool) -> None:
    if fits:
        assert tiny(execution={"gpus": gpus}).execution.gpus == gpus
    else:
        with pytest.raises(SpecError, match=r"execution.gpus.*whole number of them, got 1.5"):
            tiny(execution={"gpus": gpus})


def test_rows_name_the_device(finished) -> None:
    rows = read_dataset(finished(), "cells")
    assert set(rows.column("device").to_pylist()) == {"cpu"}


def test_a_gpu_has_one_process(tiny) -> None:
    """Each process takes its cores; a kind that trains nothing is one process on the CPU."""
    execution = tiny(execution={"gpus": 2, "cpus": 3}).execution
    assert (execution.members, execution.cores) == (2, 6)
    execution = tiny(execution={"processes": 2, "cpus": 3}).execution
    assert (execution.members, execution.cores, execution.resources("embedded").cores) == (2, 6, 3)
    assert tiny(execution={"gpus": 0.5}).execution.members == 1
    with pytest.raises(SpecError, match=r"processes=2 .*gpus=2 .*leave processes out"):
        tiny(execution={"gpus": 2, "processes": 2})
