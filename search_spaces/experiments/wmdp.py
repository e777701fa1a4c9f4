"""WMDP: as in the paper on the gated sets of whoever has them, and on a miniature about the glazing of pots."""

from search_spaces.experiments.miniature import miniature
from study.scenarios.wmdp import Wmdp
from study.settings.model import Generation
from study.settings.optimiser import Optimiser
from study.settings.relearning import Relearning
from study.spec import StudySpec
from study.unlearning.gradient_ascent import GradientAscent
from study.unlearning.gradient_difference import GradientDifference
from study.unlearning.kl_minimisation import KLMinimisation
from study.unlearning.npo import NPO
from study.unlearning.rmu import RMU
from study.unlearning.scrub import Scrub

QUESTION = "A model unlearned a topic. Do general paragraphs, without its answers, bring the answers back?"


def wmdp() -> StudySpec:
    """The paper's: Zephyr as it was published, and the sets, gated, from where the user may read them.

    The background paragraphs are a text file of the user's, background.txt in this folder. There is no
    finetuning, and so no model that never learned: the paper has none here either.
    """
    return StudySpec(
        name="wmdp",
        question=QUESTION,
        scenario=Wmdp(
            forget="cais/wmdp-bio-forget-corpus",
            retain="cais/wmdp-corpora:bio-retain-corpus",
            forget_questions="cais/wmdp:wmdp-bio:test",
            retain_questions="cais/mmlu:college_biology:test",
            background="background.txt",
        ),
        model=("HuggingFaceH4/zephyr-7b-beta",),
        method=(
            GradientAscent(),
            GradientDifference(),
            KLMinimisation(),
            NPO(),
            Scrub(),
            RMU(),
        ),
        start=("unlearned", "original"),
        repetitions=(1,),
        depth=(40, 80, 120),
        corpus=("background", "retain", "gibberish"),
        relearn_steps=(0, 5, 10),
        seed=(0,),
        precision="mixed",
        max_length=512,
        finetune=None,
        unlearn=Optimiser(learning_rate=2e-7, batch_size=16),
        relearn=Relearning(learning_rate=1e-5, batch_size=16),
        generation=Generation(max_new_tokens=200),
    )


def wmdp_mini() -> StudySpec:
    """The same question of a harmless craft, on the embedded model."""
    return miniature(wmdp(), Wmdp(), finetune_steps=600, new_tokens=12).model_copy(
        update={"method": (GradientAscent(),)}
    )
