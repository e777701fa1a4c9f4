"""SCRUB (Kurmanji et al. 2023): disobey the start on forget data, obey it elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import NonNegativeFloat, NonNegativeInt

from study.settings.part import Part

if TYPE_CHECKING:  # torch is slow to import, and a plan needs the hyperparameters only
    from torch import Tensor

    from study.objective import Step


class Scrub(Part):
    """Alternates by step: even steps push away on forget data, odd ones hold on to retain data.

    After ``max_steps`` steps there are no more pushes, and the model settles. The phase
    is a function of the step alone, so the horizon is not known here either.

    Attributes:
        max_steps: steps from which on only the retain phase is taken.
        divergence_weight, likelihood_weight: alpha and gamma of the paper's equation 3.
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
