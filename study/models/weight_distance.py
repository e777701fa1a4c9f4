"""How far weights have moved: the norm of the difference to the original ones, over the original ones' norm."""

from collections.abc import Iterable

import torch
from torch import Tensor

CHUNK = {"cpu": 1 << 16}
CHUNK_ELSEWHERE = 1 << 24
"""Elements that are compared at once, by kind of device."""


def relative_distance(pairs: Iterable[tuple[Tensor, Tensor]], device: torch.device) -> float:
    """‖current − original‖ / ‖original‖ over all tensors together; 0 where the original ones are all 0.

    In float64, on one device, and chunk by chunk: whole tensors in float64 do not stay in a processor's cache,
    which takes ten times as long, and beside a large model they may not fit at all.

    Args:
        pairs: a current and an original tensor of one shape each.
        device: where to compute.
    """
    difference = torch.zeros((), dtype=torch.float64, device=device)
    norm = torch.zeros_like(difference)
    size = CHUNK.get(device.type, CHUNK_ELSEWHERE)
    for current, original in pairs:
        chunks = current.detach().flatten().split(size), original.to(device).flatten().split(size)
        for now, before in zip(*chunks, strict=True):
            start = before.double()
            moved = now.to(device).double() - start
            difference += torch.dot(moved, moved)
            norm += torch.dot(start, start)
    return float((difference / norm).sqrt()) if norm else 0.0


def norm_of(weights: Iterable[Tensor], device: torch.device) -> float:
    """‖weights‖ of all tensors together, in float64 and chunk by chunk.

    Args:
        weights: wherever they lie.
        device: where to compute.
    """
    total = torch.zeros((), dtype=torch.float64, device=device)
    for weight in weights:
        for chunk in weight.flatten().split(CHUNK.get(device.type, CHUNK_ELSEWHERE)):
            each = chunk.to(device).double()
            total += torch.dot(each, each)
    return float(total.sqrt())
