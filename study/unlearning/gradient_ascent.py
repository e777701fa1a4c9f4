"""Gradient ascent: maximise the loss on the forget set (Jang et al. 2023, equation 1; GA in Hu et al. 2025)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from study.settings.part import Part

if TYPE_CHECKING:  # torch is slow to import, and a plan needs the hyperparameters only
    from torch import Tensor

    from study.unlearning.objective import Step


class GradientAscent(Part):
    """Has no hyperparameter of its own; the optimiser's learning rate sets its strength."""

    name: Literal["gradient_ascent"] = "gradient_ascent"

    uses_retain: ClassVar[bool] = False
    uses_reference: ClassVar[bool] = False
    prerequisite: ClassVar[None] = None
    deepest_layer: ClassVar[None] = None

    def loss(self, step: Step) -> Tensor:
        """Minus the mean negative log-likelihood of the forget tokens; a scalar, in nats."""
        return -step.data.mean_nll()
