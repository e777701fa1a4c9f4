"""What a stage computes with: the device that it asked for, what is known of a card, and what the processor can.

A stage that asks for no GPU computes on the CPU, also where CUDA is visible (Ray hides the cards of a node only from
workers that asked for some). A stage that asks for one computes there or not at all: on a CPU it would take days.
"""

import gc
import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from study.errors import DeviceError
from study.models.memory import CONTEXT_BYTES

GPU = "cuda"
"""What torch calls the device of a stage that asked for one; also AMD's."""

DRIVER_FILE = Path("/proc/driver/nvidia/version")
WITHOUT_BFLOAT16 = ("AVX2", "DEFAULT")
"""What torch calls x86 processors on which it emulates bfloat16."""


def use_threads(count: int) -> None:
    """Of the calling thread's forward and backward passes; sums in another order differ in the last bit."""
    torch.set_num_threads(count)


def device_of(gpus: float) -> torch.device:
    """Where a stage computes that asks for so many GPUs.

    Raises:
        DeviceError: it asks for some, and this process can use none.
    """
    if not gpus:
        return torch.device("cpu")
    problem = gpu_problem()
    if problem is not None:
        raise DeviceError(f"a stage asks for a GPU (gpus={gpus:g}), and {problem}")
    total = torch.cuda.get_device_properties(0).total_memory
    # Of a shared card, so that a stage that takes too much fails itself and not its neighbour. A process's context
    # comes on top of what torch counts.
    torch.cuda.set_per_process_memory_fraction(max(0.0, gpus - CONTEXT_BYTES / total) if gpus < 1 else 1.0)
    return torch.device(GPU)


def devices_of(gpus: float) -> tuple[torch.device, ...]:
    """All devices of a stage that computes in one process, the first of ``device_of``.

    Raises:
        DeviceError: as ``device_of``; or this process sees fewer GPUs.
    """
    first = device_of(gpus)
    if gpus <= 1:
        return (first,)
    if (there := gpu_count()) < gpus:
        raise DeviceError(
            f"a stage asks for gpus={gpus:g}, and this process sees {there} on {platform.node()}"
        )
    return tuple(torch.device(GPU, index) for index in range(int(gpus)))


@contextmanager
def kernels(device: torch.device, *, deterministic: bool) -> Iterator[None]:
    """In the block a GPU computes with deterministic kernels alone, if asked to; a CPU does so anyway.

    torch raises a RuntimeError at an operation that has no such kernel. cuBLAS reads its variable when a process first
    multiplies matrices.
    """
    if device.type == "cpu" or not deterministic:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def release_memory() -> None:
    """Gives back what torch keeps of a GPU's memory; on a CPU there is nothing of the kind."""
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def gpu_problem() -> str | None:
    """Why this process can use no GPU, in words; None where it can."""
    try:
        torch.cuda.init()
        torch.cuda.get_device_properties(0)
    except (RuntimeError, AssertionError) as error:  # AssertionError: torch was built without CUDA
        words = next(iter(str(error).splitlines()), type(error).__name__)
        return f"torch {torch.__version__} cannot use one on {platform.node()} ({words})"
    return None


def gpu_count() -> int:
    """How many GPUs this process sees."""
    return int(torch.cuda.device_count())


def gpu_bytes() -> int | None:
    """Memory of the first GPU; None without one."""
    return int(torch.cuda.get_device_properties(0).total_memory) if torch.cuda.is_available() else None


def card() -> dict[str, Any]:
    """The card that this process computes on, its memory in bytes, and the versions between it and torch."""
    properties = torch.cuda.get_device_properties(0)
    return {
        "card": str(properties.name),
        "memory": int(properties.total_memory),
        "driver": _driver(),
        "cuda": torch.version.cuda or torch.version.hip,
        "cudnn": torch.backends.cudnn.version(),
    }


def describe_device(device: torch.device) -> dict[str, Any]:
    """For records: ``device``, the kind that a row names (``cpu``, or the card's name), and all about a card."""
    if device.type == "cpu":
        return {"device": "cpu"}
    found = card()
    return {"device": found["card"], "accelerator": found}


def _driver() -> str | None:
    """The release of NVIDIA's driver; None where the machine does not say."""
    try:
        found = re.search(r"\s(\d+\.\d+(\.\d+)?)\s", DRIVER_FILE.read_text())
    except OSError:
        return None
    return found[1] if found else None


def emulates_bfloat16() -> str | None:
    """The processor's instructions in torch's words, where torch emulates bfloat16 with them; None elsewhere."""
    capability: str = torch.backends.cpu.get_cpu_capability()
    known = platform.machine() in ("x86_64", "AMD64")
    return capability if known and capability in WITHOUT_BFLOAT16 else None


def has_flash_attention() -> bool:
    """Whether the package flash-attn and a GPU for it are here."""
    from transformers.utils.import_utils import is_flash_attn_2_available

    return bool(is_flash_attn_2_available())
