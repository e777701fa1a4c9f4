"""What the miniatures of the text experiments have in common: the small model and how it is trained."""

from study.settings.model import Architecture, EmbeddedModel
from study.settings.optimiser import Optimiser, Training
from study.spec import Method
from study.unlearning.gradient_ascent import GradientAscent
from study.unlearning.gradient_difference import GradientDifference
from study.unlearning.kl_minimisation import KLMinimisation
from study.unlearning.npo import NPO
from study.unlearning.rmu import RMU
from study.unlearning.scrub import Scrub
from study.unlearning.whp import WHP

EMBEDDED_TEXTS = EmbeddedModel(
    architecture=Architecture(layers=4, width=128, heads=4, context=128),
    pretraining=Training(steps=300, optimiser=Optimiser(learning_rate=1e-3, batch_size=32)),
)
UNLEARN = Optimiser(learning_rate=3e-4, batch_size=16, gradient_clip=1.0)
RELEARN = Optimiser(learning_rate=3e-4, batch_size=8)
DEPTHS = (4, 6, 8, 12, 24)
RELEARN_STEPS = (0, 5, 10, 20, 40)
SMALL_MODEL_METHODS: tuple[Method, ...] = (
    GradientAscent(),
    GradientDifference(),
    KLMinimisation(),
    NPO(),
    Scrub(),
    RMU(steering_coefficient=50, retain_weight=1),
    WHP(
        strength=20,
        reinforcement=Training(steps=60, optimiser=Optimiser(learning_rate=1e-3, batch_size=16)),
    ),
)
"""All seven, the last two with a harder hold than a large model needs: 128 wide, and D known by heart."""


def finetuning(steps: int) -> Training:
    """How D is learned."""
    return Training(steps=steps, optimiser=Optimiser(learning_rate=1e-3, batch_size=16))
