"""What the numbers were measured on."""

import os
import platform
from pathlib import Path
from typing import Any

from study.performing.provenance import environment


def gpus() -> int:
    """How many accelerators this machine has."""
    import torch

    return torch.cuda.device_count()


def accelerator() -> str | None:
    """The first one's name."""
    import torch

    return torch.cuda.get_device_name(0) if gpus() else None


def cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0))


def described() -> dict[str, Any]:
    """Processor, cores, memory, accelerator, versions."""
    import psutil

    info = Path("/proc/cpuinfo")
    models = [
        line.split(":")[1].strip()
        for line in info.read_text(encoding="utf-8").splitlines()
        if "model name" in line
    ]
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": cores(),
        "memory_bytes": psutil.virtual_memory().total,
        "accelerator": accelerator(),
        "versions": environment()["packages"],
        "python": platform.python_version(),
    }
