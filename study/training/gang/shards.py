"""A model cut into shards over a process group by FSDP2, and whole tensors dealt into it and collected from it.

Every function here is called by all processes of the group, in the same order.
"""

import copy
from collections.abc import Iterator, Mapping

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import PreTrainedModel

from study.models.structure import decoder_layers
from study.training.gang.ordered_sum import OrderedSum

VECTOR = 16
"""Numbers that a CPU's AdamW computes at once (AVX-512). What is left of a tensor it computes otherwise, which may
differ in the last bit: so no part but the last may have a rest."""


class Shards:
    """A model of which this process holds its part of every weight.

    Attributes:
        model: gathers the weights of a decoder layer while it computes it.
        local: name → what an optimiser changes: this process's part of a weight, in the memory of the model itself.
            Of a small weight whose parts are no whole vectors every process has all, and ``put_back`` copies its part.
    """

    def __init__(self, skeleton: PreTrainedModel, mesh: DeviceMesh, device: torch.device) -> None:
        """Makes room; the weights are whatever lay there.

        Args:
            skeleton: of ``without_weights``; left as it is.
        """
        self._device = device
        self.model = copy.deepcopy(skeleton)
        self._sums: list[OrderedSum] = []
        for module in (*decoder_layers(self.model), self.model):  # what is gathered at a time
            fully_shard(module, mesh=mesh)
            self._sum_in_order(module)
        buffers = {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        self.model.to_empty(device=device)
        for name, buffer in self.model.named_buffers():
            buffer.copy_(buffers[name])
        self._everywhere = {name for name, each in self._named() if not _in_whole_vectors(each)}
        self.local = {
            name: torch.nn.Parameter(
                torch.empty(each.shape, dtype=each.dtype, device=device)
                if name in self._everywhere
                else _part(each)
            )
            for name, each in self._named()
        }
        self.model.eval()

    def _sum_in_order(self, module: torch.nn.Module) -> None:
        if not isinstance(module, FSDPModule):
            raise TypeError("fully_shard made no FSDPModule")
        self._sums.append(OrderedSum())
        module.set_custom_reduce_scatter(self._sums[-1])
        # A micro-batch's loss is its share of the batch's: sums, not means.
        module.set_gradient_divide_factor(1.0)
        module.set_force_sum_reduction_for_comms(True)

    def put(self, weights: Mapping[str, torch.Tensor] | None) -> None:
        """Deals weights by their names.

        Args:
            weights: whole, and persistent buffers; None but on rank 0.
        """
        with torch.no_grad():
            for name in self.local:
                self.put_local(name, None if weights is None else weights[name], self.local[name].data)
            self.put_back()
            for name, buffer in self.model.named_buffers():
                if weights is not None and name in weights:
                    buffer.copy_(weights[name])
                dist.broadcast(buffer, src=0)

    def put_local(self, name: str, whole: torch.Tensor | None, into: torch.Tensor) -> None:
        """Deals one tensor of a weight's shape, such as a moment.

        Args:
            whole: None but on rank 0.
            into: of the shape that ``local`` has.
        """
        like = self._parameter(name)
        if whole is None:
            whole = torch.empty(like.shape, dtype=into.dtype)
        whole = whole.to(self._device, into.dtype)
        if name in self._everywhere:
            into.copy_(whole)
            dist.broadcast(into, src=0)
        else:
            into.copy_(_part(distribute_tensor(whole, like.device_mesh, like.placements)))

    def put_back(self) -> None:
        """After ``local`` was changed: the model has it."""
        for name in self._everywhere:
            part = _part(self._parameter(name))
            start = dist.get_rank() * _rows_of_a_part(self._parameter(name))
            part.copy_(self.local[name].data[start : start + part.shape[0]])

    def whole(self, name: str, local: torch.Tensor) -> torch.Tensor:
        """One tensor of a weight's shape, such as a moment, from what everybody has of it."""
        return local if name in self._everywhere else self._gathered(name, local)

    def _gathered(self, name: str, part: torch.Tensor) -> torch.Tensor:
        like = self._parameter(name)
        return DTensor.from_local(
            part, like.device_mesh, like.placements, run_check=False, shape=like.shape, stride=like.stride()
        ).full_tensor()

    def before_backward(self) -> None:
        """The sum of what came before is ``OrderedSum``'s to remember."""
        for _, each in self._named():
            each.grad = None

    def gather_gradients(self) -> None:
        """Hands the sums over to the parameters of ``local``."""
        for name, each in self._named():
            local, gradient = self.local[name], None if each.grad is None else _part(each.grad)
            if name not in self._everywhere:
                local.data = _part(each)  # at its first use FSDP2 may move a part, to pad it
            elif gradient is not None:
                gradient = self._gathered(name, gradient)
            local.grad = gradient
            each.grad = None
        for each_sum in self._sums:
            each_sum.forget()

    def _parameter(self, name: str) -> DTensor:
        return dict(self._named())[name]

    def _named(self) -> Iterator[tuple[str, DTensor]]:
        for name, each in self.model.named_parameters():
            if not isinstance(each, DTensor):
                raise TypeError(f"{name} is not cut into shards")
            yield name, each


def _part(tensor: torch.Tensor) -> torch.Tensor:
    if not isinstance(tensor, DTensor):
        raise TypeError("expected a tensor that is cut into shards")
    return tensor.to_local().detach()


def _rows_of_a_part(tensor: DTensor) -> int:
    """Of all parts but the last ones; FSDP2 cuts the first dimension."""
    return -(-tensor.shape[0] // tensor.device_mesh.size())


def _in_whole_vectors(tensor: DTensor) -> bool:
    rows = _rows_of_a_part(tensor)
    return rows >= tensor.shape[0] or rows * (tensor.numel() // tensor.shape[0]) % VECTOR == 0
