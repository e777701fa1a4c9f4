"""Representation misdirection (Li et al. 2024, RMU): forget data is steered to a random direction inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from study.identity import derived_seed
from study.settings.part import Part

if TYPE_CHECKING:  # torch is slow to import, and a plan needs the hyperparameters only
    from torch import Tensor

    from study.objective import Half, Step


class RMU(Part):
    """Pushes a layer's output on forget data towards a fixed random vector, and holds it on retain data.

    The paper trains the down projections of three layers up to the chosen one; here everything up to that
    layer is trained (what lies above gets no gradient), or the adapter that ``unlearn.lora`` names.

    Attributes:
        layer: whose output is steered, from 1; None takes 7 of 32, as in the paper's Zephyr, in proportion.
        steering_coefficient: length of the random vector; the paper uses 6.5 to 300, by the model's width.
        retain_weight: the paper's alpha.
    """

    name: Literal["rmu"] = "rmu"
    layer: PositiveInt | None = None
    steering_coefficient: PositiveFloat = 20.0
    retain_weight: NonNegativeFloat = 100.0
    uses_retain: ClassVar[bool] = True
    uses_reference: ClassVar[bool] = True
    prerequisite: ClassVar[None] = None

    @property
    def deepest_layer(self) -> int | None:
        """The layer that the user chose."""
        return self.layer

    def loss(self, step: Step) -> Tensor:
        """Mean squared distance to the vector plus the weighted one to the start on retain data; a scalar."""
        import torch

        layer = self._layer(step.data)
        ours = step.data.hidden(layer)
        stream = torch.Generator().manual_seed(derived_seed(step.seed, "rmu", "direction"))
        direction = torch.rand(ours.shape[-1], generator=stream)
        target = self.steering_coefficient * direction / direction.norm()
        retain = step.the_retain
        return self._mean_square(step.data, ours - target.to(ours.device)) + (
            self.retain_weight
            * self._mean_square(retain, retain.hidden(layer) - retain.reference_hidden(layer))
        )

    def _layer(self, half: Half) -> int:
        return self.layer or max(1, round(int(half.models.model.config.num_hidden_layers) * 7 / 32))

    @staticmethod
    def _mean_square(half: Half, difference: Tensor) -> Tensor:
        """Over the batch's loss tokens and the model's width; this micro-batch's share."""
        return difference.square().mean(-1)[half.bears_loss].sum() / half.loss_tokens
