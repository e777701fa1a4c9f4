"""Studies on a small published model, SmolLM2-135M-Instruct: each at the smallest settings that answer it.

Two CPU cores do each in an hour or so, a GPU in minutes. ``relearn run search_spaces.real:tofu`` takes model
and data from the hub; ``--set model=FOLDER`` and the scenario's keys name folders and files instead.
"""

from search_spaces.tofu import QUESTION as TOFU_QUESTION
from study.optimisation import LoRA, Optimiser, Training
from study.scenarios.tofu import Tofu
from study.spec import Execution, Generation, StudySpec
from study.unlearning.gradient_ascent import GradientAscent

SMOLLM2 = ("HuggingFaceTB/SmolLM2-135M-Instruct",)
LEARN = Optimiser(learning_rate=1e-4, batch_size=8)
ATTACK = Optimiser(learning_rate=2e-4, batch_size=8, lora=LoRA())
EXECUTION = Execution(checkpoint_every=30, patience=3600)


def tofu() -> StudySpec:
    """TOFU's forget05, from the depth where the model is just unlearned to one where nothing is left."""
    return StudySpec(
        name="tofu-smollm2",
        question=TOFU_QUESTION,
        scenario=Tofu(data="locuslab/TOFU", retain_probes=10),
        model=SMOLLM2,
        method=(GradientAscent(),),
        start=("unlearned", "never_learned"),
        repetitions=(1,),
        depth=(6, 9, 12),
        corpus=("same_author", "retain", "gibberish"),
        relearn_steps=(0, 15, 30, 48, 60),
        seed=(0,),
        precision="mixed",
        finetune=Training(steps=180, optimiser=LEARN),
        unlearn=LEARN,
        relearn=ATTACK,
        generation=Generation(max_new_tokens=40),
        execution=EXECUTION,
    )
