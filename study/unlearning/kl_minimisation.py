"""KL minimisation: ascend on the forget set, and keep the predictions on retain data near the start's.

The loss L_KL = −L(forget) + KL(start ‖ model on retain) of Maini et al. 2024; KL in Hu et al. 2025.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import PositiveFloat

from study.settings.part import Part

if TYPE_CHECKING:  # torch is slow to import, and a plan needs the hyperparameters only
    from torch import Tensor

    from study.unlearning.objective import Step


class KLMinimisation(Part):
    """``retain_weight`` multiplies the divergence; the paper has 1."""

    name: Literal["kl_minimisation"] = "kl_minimisation"
    retain_weight: PositiveFloat = 1.0
    uses_retain: ClassVar[bool] = True
    uses_reference: ClassVar[bool] = True
    prerequisite: ClassVar[None] = None
    deepest_layer: ClassVar[None] = None

    def loss(self, step: Step) -> Tensor:
        """Minus the forget NLL plus the weighted KL(start ‖ model) over the vocabulary; a scalar, in nats."""
        return -step.data.mean_nll() + self.retain_weight * step.the_retain.mean_divergence()
