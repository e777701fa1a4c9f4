"""Who's Harry Potter? (WHP; Eldan, Russinovich 2023, equation 1): learn to predict as if the text were unread."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveFloat

from study.settings.optimiser import Optimiser, Training
from study.settings.part import Part

if TYPE_CHECKING:  # torch is slow to import, and a plan needs the hyperparameters only
    from torch import Tensor

    from study.unlearning.objective import Step


class WHP(Part):
    """Finetunes on the forget text with generic labels instead of its own.

    A *reinforced* model is first finetuned further on the forget text. The generic label of a token is the argmax of
    v_baseline − α ReLU(v_reinforced − v_baseline), with v the logits (equation 1 of the paper). Where the scenario
    replaces telling terms by others of their kind, the baseline reads the replaced text.
    Deliberately absent: the paper's correction for a term that appears a second time in one block.

    Attributes:
        strength: alpha of equation 1.
        reinforcement: the finetuning that makes the reinforced model; a stage of its own.
    """

    name: Literal["whp"] = "whp"
    strength: PositiveFloat = 5.0
    reinforcement: Training = Field(
        default=Training(steps=40, optimiser=Optimiser(learning_rate=3e-4, batch_size=8))
    )
    uses_retain: ClassVar[bool] = False
    uses_reference: ClassVar[bool] = True
    deepest_layer: ClassVar[None] = None

    @property
    def prerequisite(self) -> Training:
        """The reinforcement."""
        return self.reinforcement

    def loss(self, step: Step) -> Tensor:
        """Mean cross-entropy against the generic labels; a scalar, in nats per loss token."""
        from torch.nn.functional import cross_entropy, relu

        data = step.data
        generic, places = data.generic_logits
        special = relu(data.helper_logits - data.reference_logits)
        labels = (generic - self.strength * special).argmax(-1)
        logits = data.logits.flatten(0, 1)[places]
        return cross_entropy(logits, labels.flatten()[places], reduction="sum") / data.loss_tokens
