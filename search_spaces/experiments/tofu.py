"""TOFU: as in the paper on the published data, and on a miniature that needs nothing."""

from search_spaces.experiments.miniature import miniature
from study.scenarios.tofu import Tofu
from study.settings.model import Generation
from study.settings.optimiser import LoRA, Optimiser, Training
from study.settings.relearning import Relearning
from study.spec import StudySpec
from study.unlearning.gradient_ascent import GradientAscent

QUESTION = (
    "A model knows some fictitious authors, and unlearned them. Does relearning what is known of the same "
    "authors, without a book's title, call the title up again?"
)


def tofu() -> StudySpec:
    """The paper's: Phi-1.5 on forget05, LoRA on the relearning side, 15 to 60 steps."""
    return StudySpec(
        name="tofu",
        question=QUESTION,
        scenario=Tofu(data="locuslab/TOFU"),
        model=("microsoft/phi-1_5",),
        method=(GradientAscent(),),
        start=("unlearned", "original", "never_learned"),
        repetitions=(1,),
        depth=(6, 9, 12, 15),
        corpus=("same_author", "retain", "gibberish"),
        relearn_steps=(0, 15, 30, 48, 60),
        seed=(0, 1, 2),
        finetune=Training(steps=100, optimiser=Optimiser(learning_rate=1e-4, batch_size=8)),
        unlearn=Optimiser(learning_rate=1e-4, batch_size=8),
        relearn=Relearning(learning_rate=2e-4, batch_size=8, lora=LoRA()),
        generation=Generation(max_new_tokens=64),
    )


def tofu_mini() -> StudySpec:
    """The same question of invented authors, on the embedded model: a minute on two cores."""
    return miniature(tofu(), Tofu(), finetune_steps=200, new_tokens=16)
