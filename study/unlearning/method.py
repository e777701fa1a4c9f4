"""An unlearning method: frozen hyperparameters, what a step needs beside its batch, and a loss.

The plan reads the needs and never calls the loss, so torch is imported for the types alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from study.settings.optimiser import Training

if TYPE_CHECKING:  # torch is slow to import, and a plan does not compute
    from torch import Tensor

    from study.unlearning.objective import Step


@runtime_checkable
class UnlearningMethod(Protocol):
    """The plug point of the unlearning methods; the plan provides what the method declares."""

    name: str

    @property
    def uses_retain(self) -> bool:
        """Whether a step needs a batch of retain data."""
        ...

    @property
    def uses_reference(self) -> bool:
        """Whether a step needs the frozen model that the unlearning started from."""
        ...

    @property
    def prerequisite(self) -> Training | None:
        """A finetuning on the forget set from the same start, whose end is the step's helper model."""
        ...

    @property
    def deepest_layer(self) -> int | None:
        """The layer whose output the loss reads, from 1, where the user chose one that a model may lack."""
        ...

    def loss(self, step: Step) -> Tensor:
        """A scalar: this micro-batch's share of the batch's loss."""
        ...
