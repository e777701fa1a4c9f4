"""The default space of the names experiment, on the embedded model: minutes on two CPU cores."""

from study.scenarios.names import Names
from study.settings.execution import Execution
from study.settings.optimiser import Optimiser, Training
from study.settings.relearning import Relearning
from study.spec import StudySpec
from study.unlearning.gradient_ascent import GradientAscent


def names() -> StudySpec:
    """The paper's synthetic experiment as a surface over depth and relearn steps."""
    return StudySpec(
        name="names",
        question=(
            "A model memorised sequences of names in which “Anthony Mark” stands r times, and unlearned "
            "them. How deep must unlearning go, and how little relearning on text without “Mark” does it "
            "take, until “Anthony” calls up “Mark” again?"
        ),
        scenario=Names(),
        method=(GradientAscent(),),
        start=("unlearned", "original", "never_learned"),
        repetitions=(7, 5, 3, 1),
        depth=(6, 7, 8, 10, 12),
        corpus=("prefix", "retain", "gibberish"),
        relearn_steps=(0, 5, 10, 20, 40),
        seed=(0, 1, 2),
        finetune=Training(steps=200, optimiser=Optimiser(learning_rate=1e-3, batch_size=12)),
        unlearn=Optimiser(learning_rate=5e-4, batch_size=4, gradient_clip=1.0),
        relearn=Relearning(learning_rate=3e-4, batch_size=4),
        execution=Execution(evaluation_batch=128),  # all probes of this small model at once
    )
