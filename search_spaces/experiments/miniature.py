"""Miniatures: an experiment of the paper on invented texts and the embedded model; they need no download.

What a miniature does not name stays as in the paper: the corpora, the question, the repetitions.
"""

from study.settings.model import Architecture, EmbeddedModel, Generation
from study.settings.optimiser import Optimiser, Training
from study.settings.part import Part
from study.settings.relearning import Relearning
from study.spec import Method, StudySpec
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


def miniature(paper: StudySpec, scenario: Part, finetune_steps: int, new_tokens: int) -> StudySpec:
    """The same question on the embedded model: one method and one seed, a minute or two on two cores.

    Args:
        scenario: with its invented texts.
        new_tokens: the longest answer.
    """
    return paper.model_copy(
        update={
            "name": f"{paper.name}-mini",
            "scenario": scenario,
            "model": ("embedded",),
            "precision": "float32",
            "max_length": None,
            "start": ("unlearned", "never_learned"),
            "depth": (4, 6, 8, 12, 24),
            "relearn_steps": (0, 5, 10, 20, 40),
            "seed": (0,),
            "embedded": EMBEDDED_TEXTS,
            "finetune": Training(
                steps=finetune_steps,
                optimiser=Optimiser(learning_rate=1e-3, batch_size=16),
            ),
            "unlearn": Optimiser(learning_rate=3e-4, batch_size=16, gradient_clip=1.0),
            "relearn": Relearning(learning_rate=3e-4, batch_size=8),
            "generation": Generation(max_new_tokens=new_tokens),
        }
    )
