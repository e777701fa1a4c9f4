"""A trajectory's models in shards: what the training loop trains in each process of a gang."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh
from transformers import PreTrainedModel

from study.models.adapters.product import Product
from study.models.resident import Resident
from study.planning.stages import Trajectory
from study.training.gang.shards import Shards
from study.training.share import Share
from study.training.trained import finite_here, uses_a_reference
from study.training.training_state import WEIGHT, State
from study.unlearning.objective import Models

Weights = Mapping[str, torch.Tensor]


class Sharded:
    """All weights of a model in shards, and the frozen models beside it; a ``Trained``.

    While it trains, rank 0's plain model has no memory: the weights are in it at a stop and at the end alone.
    """

    def __init__(
        self,
        resident: Resident,
        skeleton: PreTrainedModel,
        mesh: DeviceMesh,
        trajectory: Trajectory,
        *,
        helper: "Weights | None",
        activation_checkpointing: bool,
    ) -> None:
        """Deals the weights of rank 0's resident.

        Args:
            helper: of the trajectory's helper, where it has one; None but on rank 0.
        """
        self.share = Share(dist.get_rank(), dist.get_world_size())
        self._resident = resident
        self._first = self.share.rank == 0
        start = resident.weights() if self._first else None
        self._shards = self._dealt(skeleton, mesh, start)
        reference = self._dealt(skeleton, mesh, start) if uses_a_reference(trajectory) else None
        helped = self._dealt(skeleton, mesh, helper) if trajectory.helper is not None else None
        for frozen in (reference, helped):
            if frozen is not None:
                frozen.model.requires_grad_(requires_grad=False)
        self.models = Models(
            self._shards.model,
            reference=None if reference is None else reference.model,
            helper=None if helped is None else helped.model,
        )
        self.parameters = list(self._shards.local.values())
        if activation_checkpointing:
            self._shards.model.activation_checkpointing_enable()
        if self._first:
            resident.give_up_memory()

    def _dealt(self, skeleton: PreTrainedModel, mesh: DeviceMesh, weights: "Weights | None") -> Shards:
        shards = Shards(skeleton, mesh, self._resident.device)
        shards.put(weights)
        return shards

    def before_backward(self) -> None:
        """See ``Trained.before_backward``."""
        self._shards.before_backward()

    def gather_gradients(self) -> None:
        """See ``Trained.gather_gradients``."""
        self._shards.gather_gradients()

    def after_step(self) -> None:
        """See ``Trained.after_step``."""
        self._shards.put_back()

    def clip(self, most: float) -> None:
        """By the norm of whole gradients, each gathered for a moment: parts would be summed in another order."""
        norms = [
            torch.linalg.vector_norm(self._shards.whole(name, part.grad))
            for name, part in self._shards.local.items()
            if part.grad is not None
        ]
        torch.nn.utils.clip_grads_with_norm_(
            self.parameters, most, torch.linalg.vector_norm(torch.stack(norms))
        )

    def all_finite(self, losses: Sequence[torch.Tensor]) -> bool:
        """See ``Trained.all_finite``."""
        finite = torch.tensor(int(finite_here(losses, self.parameters)), device=self._resident.device)
        dist.all_reduce(finite, dist.ReduceOp.MIN)
        return bool(finite)

    @contextmanager
    def at_stop(self) -> Iterator[Product | None]:
        """Rank 0's plain model takes the weights in; the others go on, and wait for it in the next step."""
        self._collect()
        yield None
        if self._first:
            self._resident.give_up_memory()

    def _collect(self) -> None:
        """Puts the weights into rank 0's plain model."""
        with torch.no_grad():
            named = self._resident.take_memory() if self._first else {}
            for name, part in self._shards.local.items():
                whole = self._shards.whole(name, part)
                if self._first:
                    named[name].copy_(whole)

    def state(self, adamw: torch.optim.Optimizer) -> State:
        """On rank 0 as ``training_state`` gives it, on the CPU; nothing elsewhere."""
        state: State = {}
        for name, part in self._shards.local.items():
            for what, value in {WEIGHT: part, **adamw.state.get(part, {})}.items():
                whole = value if value.dim() == 0 else self._shards.whole(name, value.detach())
                if self._first:
                    state[f"{what}/{name}"] = whole.detach().to("cpu", copy=True)
        return state

    def restore(self, adamw: torch.optim.Optimizer, state: Weights) -> None:
        """Deals a state; elsewhere than on rank 0 its tensors have shapes alone."""
        for key in sorted(state):
            what, _, name = key.partition("/")
            whole, part = state[key], self._shards.local[name]
            if what == WEIGHT:
                into = part.data
            else:
                shape = part.shape if whole.dim() else whole.shape
                into = torch.empty(shape, dtype=whole.dtype, device=self._resident.device)
                adamw.state[part][what] = into
            if whole.dim() == 0:
                if self._first:
                    into.copy_(whole)
                dist.broadcast(into, src=0)
            else:
                self._shards.put_local(name, whole if self._first else None, into)
        self._shards.put_back()

    def finish(self) -> None:
        """See ``Trained.finish``."""
        self._collect()

    def close(self) -> None:
        """See ``Trained.close``."""
        if self._first:
            self._resident.take_memory()
        self._resident.model.eval()
