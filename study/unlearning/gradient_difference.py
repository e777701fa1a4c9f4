"""Gradient difference: ascend on the forget set, descend on retain data.

Liu, Liu and Stone 2022; the loss L_diff = −L(forget) + L(retain) of Maini et al. 2024; GD in Hu et al. 2025.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import PositiveFloat

from study.settings.part import Part

if TYPE_CHECKING:  # torch is slow to import, and a plan needs the hyperparameters only
    from torch import Tensor

    from study.unlearning.objective import Step


class GradientDifference(Part):
    """``retain_weight`` multiplies L(retain); the paper has 1."""

    name: Literal["gradient_difference"] = "gradient_difference"
    retain_weight: PositiveFloat = 1.0
    uses_retain: ClassVar[bool] = True
    uses_reference: ClassVar[bool] = False
    prerequisite: ClassVar[None] = None
    deepest_layer: ClassVar[None] = None

    def loss(self, step: Step) -> Tensor:
        """Minus the forget NLL plus the weighted retain NLL; a scalar, in nats."""
        return -step.data.mean_nll() + self.retain_weight * step.the_retain.mean_nll()
