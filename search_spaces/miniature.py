"""What the miniatures of the text experiments have in common: the small model and how it is trained."""

from study.optimisation import Optimiser, Training
from study.spec import Architecture, EmbeddedModel

EMBEDDED_TEXTS = EmbeddedModel(
    architecture=Architecture(layers=4, width=128, heads=4, context=128),
    pretraining=Training(steps=300, optimiser=Optimiser(learning_rate=1e-3, batch_size=32)),
)
UNLEARN = Optimiser(learning_rate=3e-4, batch_size=16, gradient_clip=1.0)
RELEARN = Optimiser(learning_rate=3e-4, batch_size=8)


def finetuning(steps: int) -> Training:
    """How D is learned."""
    return Training(steps=steps, optimiser=Optimiser(learning_rate=1e-3, batch_size=16))
