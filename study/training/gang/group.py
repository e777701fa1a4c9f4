"""The process group of a gang: who meets, where, and over which library."""

from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from study.training.gang.orders import Place

PATIENCE = timedelta(days=30)
"""Of one meeting: rank 0 evaluates and publishes while the others wait. Whoever is gone is noticed otherwise."""


def meet(place: Place) -> DeviceMesh:
    """Joins the group; returns when all members have."""
    if place.on_gpu:
        torch.cuda.set_device(place.device)
    # A file in a folder that is ours alone, and not a port: everybody on the machine could join there.
    store = dist.FileStore(  # type: ignore[attr-defined]  # torch does not list it
        str(Path(place.folder) / "meeting"), place.size
    )
    backend = "cpu:gloo,cuda:nccl" if place.on_gpu else "gloo"
    dist.init_process_group(backend, store=store, rank=place.rank, world_size=place.size, timeout=PATIENCE)
    return init_device_mesh(place.device.type, (place.size,))


def part() -> None:
    """Leaves the group, whatever state it is in."""
    if dist.is_initialized():
        dist.destroy_process_group()
