"""What the training loop trains: a model that lies whole in this process, or one cut into shards over several.

The loop knows the ``Trained`` Protocol alone. ``Whole`` is here; shards are ``study.training.gang``'s.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import torch

from study.identity import derived_seed
from study.models.adapters.lora import Adapter
from study.models.adapters.product import Product
from study.models.resident import Resident, frozen_copy
from study.planning.stages import Trajectory
from study.training.share import Share
from study.training.training_state import State, restore, training_state
from study.unlearning.objective import Models


class Trained(Protocol):
    """A model that is trained, and those that an objective runs beside it."""

    models: Models
    parameters: list[torch.nn.Parameter]
    """What the optimiser changes: weights, an adapter's, or shards of them."""
    share: Share

    def before_backward(self) -> None:
        """Before the gradients of each piece of a batch."""
        ...

    def gather_gradients(self) -> None:
        """After all pieces of a batch: the parameters have their gradients."""
        ...

    def after_step(self) -> None:
        """After the optimiser's step: the model has what it changed."""
        ...

    def clip(self, most: float) -> None:
        """Scales the gradients down to a norm of ``most``, where theirs is larger."""
        ...

    def all_finite(self, losses: Sequence[torch.Tensor]) -> bool:
        """Whether all weights and losses are finite numbers, in every process."""
        ...

    def at_stop(self) -> AbstractContextManager[Product | None]:
        """In the block the resident holds the plain model; the product is that of an adapter in training."""
        ...

    def state(self, adamw: torch.optim.Optimizer) -> State:
        """Weights and moments, whole; see ``training_state``."""
        ...

    def restore(self, adamw: torch.optim.Optimizer, state: Mapping[str, torch.Tensor]) -> None:
        """Puts a state back, to the bit."""
        ...

    def finish(self) -> None:
        """The end: the resident holds the trained weights."""
        ...

    def close(self) -> None:
        """Whether it came to the end or not: the model is the resident's again."""
        ...


class Whole:
    """All weights of the resident model, or an adapter on it."""

    share = Share()

    def __init__(
        self,
        trajectory: Trajectory,
        resident: Resident,
        *,
        helper: Sequence[Path] | None,
        activation_checkpointing: bool,
    ) -> None:
        model = resident.model
        uses_reference = uses_a_reference(trajectory)
        self._resident = resident
        self.models = Models(
            model,
            reference=frozen_copy(model) if uses_reference else None,
            helper=resident.copy_of(*helper) if helper is not None else None,
        )
        lora = trajectory.optimiser.lora
        if lora is None and resident.placement.offload:
            raise ValueError("layers that lie in main memory are not trained; an adapter over them is")
        lora_seed = derived_seed(trajectory.seed, trajectory.kind, "lora")
        where = resident.placement.of_adapters
        self._adapter = Adapter(model, lora, lora_seed, where) if lora is not None else None
        self._activation_checkpointing = activation_checkpointing
        if activation_checkpointing:
            model.activation_checkpointing_enable()
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def before_backward(self) -> None:
        """Gradients add up by themselves."""

    def gather_gradients(self) -> None:
        """They are there."""

    def after_step(self) -> None:
        """It does."""

    def clip(self, most: float) -> None:
        """See ``Trained.clip``."""
        torch.nn.utils.clip_grad_norm_(self.parameters, most)

    def all_finite(self, losses: Sequence[torch.Tensor]) -> bool:
        """See ``Trained.all_finite``."""
        return finite_here(losses, self.parameters)

    @contextmanager
    def at_stop(self) -> Iterator[Product | None]:
        """See ``Trained.at_stop``."""
        if self._adapter is None:
            yield None
            return
        product = self._adapter.product()
        with self._adapter.switched_off(), self._resident.adding(product):
            yield product

    def state(self, adamw: torch.optim.Optimizer) -> State:
        """See ``Trained.state``."""
        return training_state(self._resident.model, adamw)

    def restore(self, adamw: torch.optim.Optimizer, state: Mapping[str, torch.Tensor]) -> None:
        """See ``Trained.restore``."""
        restore(self._resident.model, adamw, state)

    def finish(self) -> None:
        """See ``Trained.finish``."""
        if self._adapter is not None:
            product = self._adapter.product()
            self._adapter.remove()
            self._adapter = None
            self._resident.add(product)

    def close(self) -> None:
        """See ``Trained.close``."""
        if self._adapter is not None:
            self._adapter.remove()
        if self._activation_checkpointing:
            self._resident.model.activation_checkpointing_disable()
        self._resident.model.eval()


def uses_a_reference(trajectory: Trajectory) -> bool:
    """Whether the objective needs a frozen copy of the model at step 0."""
    return trajectory.method is not None and trajectory.method.uses_reference


def finite_here(losses: Sequence[torch.Tensor], parameters: Sequence[torch.Tensor]) -> bool:
    """Whether all are finite numbers: all asked before any is looked at, as each look waits for a GPU."""
    loss = torch.stack(list(losses))
    finite = [torch.isfinite(each).all().to(loss.device) for each in (loss, *parameters)]
    return bool(torch.stack(finite).all())
