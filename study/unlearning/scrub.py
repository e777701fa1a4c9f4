"""SCRUB (Kurmanji et al. 2023, equation 3): diverge from the start on forget data, stay near it on retain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import NonNegativeFloat, NonNegativeInt

from study.settings.part import Part

if TYPE_CHECKING:  # torch is slow to import, and a plan needs the hyperparameters only
    from torch import Tensor

    from study.unlearning.objective import Step


class Scrub(Part):
    """Alternates by step: even steps maximise the divergence on forget data, odd ones minimise it on retain data.

    From step ``max_steps`` on every step is of the second kind. The phase is a function of the step alone, not of the
    last step.

    Attributes:
        max_steps: the step (from 0) from which on all steps are on retain data.
        divergence_weight, likelihood_weight: alpha and gamma of equation 3.
    """

    name: Literal["scrub"] = "scrub"
    max_steps: NonNegativeInt = 1_000_000
    divergence_weight: NonNegativeFloat = 1.0
    likelihood_weight: NonNegativeFloat = 1.0
    uses_retain: ClassVar[bool] = True
    uses_reference: ClassVar[bool] = True
    prerequisite: ClassVar[None] = None
    deepest_layer: ClassVar[None] = None

    def loss(self, step: Step) -> Tensor:
        """Minus KL(start ‖ model) on forget data, or α KL + γ NLL on retain data; a scalar, in nats."""
        if step.number % 2 == 0 and step.number < self.max_steps:
            return -step.data.mean_divergence()
        retain = step.the_retain
        return self.divergence_weight * retain.mean_divergence() + self.likelihood_weight * retain.mean_nll()
