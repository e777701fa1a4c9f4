"""Gradients of all processes, summed in the order of the pieces of the batch: the same bits as in one process."""

from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.fsdp._fully_shard._fsdp_collectives import DefaultReduceScatter


class OrderedSum(DefaultReduceScatter):
    """What one group of FSDP2's parameters sums gradients with.

    A library's reduce-scatter sums in an order of its own, which differs between parts of one tensor. Here every
    process gets each other's gradients of its own shard, and adds them up by rank, upon what the micro-batches before
    came to: ((g₀ + g₁) + g₂) + …, as one process accumulates them. As many bytes travel.
    """

    def __init__(self) -> None:
        self._before: torch.Tensor | None = None

    def forget(self) -> None:
        """An optimiser step has ended: the next sum begins at nothing."""
        self._before = None

    def __call__(
        self,
        output_tensor: torch.Tensor,
        input_tensor: torch.Tensor,
        group: dist.ProcessGroup,
        op: Any,
        async_op: bool = False,
    ) -> Any:
        """Writes this process's shard of the sum; see FSDP2's ``ReduceScatter``.

        Args:
            output_tensor: (length,).
            input_tensor: (processes × length,), this process's gradients of every shard.
        """
        received = torch.empty_like(input_tensor)
        dist.all_to_all_single(received, input_tensor, group=group)
        by_rank = received.view(dist.get_world_size(group), -1)
        if self._before is None:
            output_tensor.copy_(by_rank[0])
        else:
            torch.add(self._before, by_rank[0], out=output_tensor)
        for gradients in by_rank[1:]:
            output_tensor.add_(gradients)
        self._before = output_tensor
        return None
