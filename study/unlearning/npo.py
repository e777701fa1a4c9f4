"""Negative preference optimisation (NPO; Zhang, Lin, Bai, Mei 2024, equation 3): a bounded gradient ascent."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import NonNegativeFloat, PositiveFloat

from study.settings.part import Part

if TYPE_CHECKING:  # torch is slow to import, and a plan needs the hyperparameters only
    from torch import Tensor

    from study.unlearning.objective import Step


class NPO(Part):
    """``beta`` is the inverse temperature; in the limit 0 the method is gradient ascent.

    With ``retain_weight`` the retain NLL is added (NPO-RT in the paper).
    """

    name: Literal["npo"] = "npo"
    beta: PositiveFloat = 0.1
    retain_weight: NonNegativeFloat = 0.0
    uses_reference: ClassVar[bool] = True
    prerequisite: ClassVar[None] = None
    deepest_layer: ClassVar[None] = None

    @property
    def uses_retain(self) -> bool:
        """Only where the retain term has a weight."""
        return self.retain_weight > 0

    def loss(self, step: Step) -> Tensor:
        """−(2/β) mean log σ(−β log(π/π_start)), with log-likelihoods of whole sequences; a scalar."""
        from torch.nn.functional import logsigmoid

        each = logsigmoid(-self.beta * step.data.log_ratios())
        loss = -2 / self.beta * each.sum() / step.data.sequences
        if self.retain_weight:
            loss = loss + self.retain_weight * step.the_retain.mean_nll()
        return loss
