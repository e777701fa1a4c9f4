"""Representation misdirection for unlearning (RMU): steer the activations of forget data to a random direction.

Li et al. 2024 (the WMDP paper): the loss is ‖h(forget) − c·u‖² + α ‖h(retain) − h_start(retain)‖², each a mean over
tokens and hidden_size, with h the output of one layer and u a fixed random unit vector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from study.identity import derived_seed
from study.settings.part import Part

if TYPE_CHECKING:  # torch is slow to import, and a plan needs the hyperparameters only
    from torch import Tensor

    from study.unlearning.objective import MicroBatch, Step


class RMU(Part):
    """Pushes a layer's output on forget data towards a fixed random vector, and holds it on retain data.

    The paper trains the down projections of three layers up to the chosen one; here everything up to that
    layer is trained (what lies above gets no gradient), or the adapter that ``unlearn.lora`` names.

    Attributes:
        layer: whose output is steered, from 1; None takes 7 of 32, as in the paper's Zephyr, in proportion.
        steering_coefficient: c, the length of the random vector; the paper uses 6.5 to 300, by the model's hidden_size.
        retain_weight: alpha.
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
        """The mean square to c·u on forget data plus the weighted one to the start on retain data; a scalar."""
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

    def _layer(self, batch: MicroBatch) -> int:
        return self.layer or max(1, round(int(batch.models.model.config.num_hidden_layers) * 7 / 32))

    @staticmethod
    def _mean_square(batch: MicroBatch, difference: Tensor) -> Tensor:
        """Mean over the whole batch's loss tokens and the model's width; this micro-batch's share."""
        return batch.at_loss(difference.square().mean(-1)).sum() / batch.loss_tokens
