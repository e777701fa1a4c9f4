"""Studies on a small published model, SmolLM2-135M-Instruct, each at the smallest settings that answer it.

``relearn run search_spaces.experiments.smollm2:tofu`` takes model and data from the hub; ``--set model=FOLDER`` and the
scenario's keys name folders and files instead. docs/RESULTS.md has each command, and what two CPU cores need.
"""

from search_spaces.experiments.names import names as names_of_the_paper
from search_spaces.experiments.tofu import QUESTION as TOFU_QUESTION
from search_spaces.experiments.whp import VERBATIM_QUESTION
from study.scenarios.names import Names
from study.scenarios.tofu import Tofu
from study.scenarios.whp_keyword import WhpKeyword
from study.scenarios.whp_verbatim import WhpVerbatim
from study.settings.execution import Execution
from study.settings.model import Generation
from study.settings.optimiser import LoRA, Optimiser, Training
from study.settings.relearning import Relearning
from study.spec import StudySpec
from study.unlearning.gradient_ascent import GradientAscent
from study.unlearning.gradient_difference import GradientDifference
from study.unlearning.kl_minimisation import KLMinimisation
from study.unlearning.npo import NPO
from study.unlearning.scrub import Scrub

SMOLLM2 = ("HuggingFaceTB/SmolLM2-135M-Instruct",)
EXECUTION = Execution(checkpoint_every_steps=60, patience_seconds=3600, micro_batch=4)
LADDER = {
    "hp_summary": "hp_summary.txt",
    "astronomy": "collage_astronomy.txt",
    "cars_and_movies": "car_brand_and_movies.txt",
    "lorem_ipsum": "lorem_ipsum.txt",
}
"""Texts of falling relevance to the books, in this folder unless ``scenario.corpus_files`` says otherwise."""


def tofu() -> StudySpec:
    """TOFU's forget05, from the depth where the model is just unlearned to one where nothing is left."""
    learn = Optimiser(learning_rate=1e-4, batch_size=8)
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
        finetune=Training(steps=180, optimiser=learn),
        unlearn=learn,
        relearn=Relearning(learning_rate=2e-4, batch_size=8, lora=LoRA()),
        generation=Generation(max_new_tokens=40),
        execution=EXECUTION,
    )


def names() -> StudySpec:
    """The names experiment with names of more than one token, on a model that knows them as words."""
    return StudySpec(
        name="names-smollm2",
        question=names_of_the_paper().question,
        scenario=Names(queries=30),
        model=SMOLLM2,
        method=(GradientAscent(),),
        start=("unlearned", "never_learned"),
        repetitions=(7, 1),
        depth=(5, 7, 9, 12, 15),
        corpus=("prefix", "gibberish"),
        relearn_steps=(0, 8, 16),
        seed=(0,),
        precision="mixed",
        finetune=Training(steps=60, optimiser=Optimiser(learning_rate=2e-4, batch_size=12)),
        unlearn=Optimiser(learning_rate=3e-5, batch_size=4, gradient_clip=1.0),
        relearn=Relearning(learning_rate=1e-4, batch_size=4),
        generation=Generation(max_new_tokens=8),
        execution=EXECUTION,
    )


def whp_keyword() -> StudySpec:
    """Questions about the books, and a ladder of relevance: does what comes back follow it?

    The summary of the series needs its lines about the heroine taken out, as she is a keyword. Most questions
    ask for other facts, which a text may hold: what the control reaches on it is plain learning.
    """
    learn = Optimiser(learning_rate=1e-4, batch_size=8)
    return StudySpec(
        name="whp-keyword-smollm2",
        question=(
            "A model unlearned what it knew of some books. Is what comes back the more, the more the relearned "
            "text has to do with them?"
        ),
        scenario=WhpKeyword(
            forget="qa.jsonl",
            retain="retain300.jsonl",
            keywords=("Hermione", "Granger"),
            forget_probes=18,
            retain_pairs=20,
            retain_probes=6,
            corpus_files=LADDER,
        ),
        model=SMOLLM2,
        method=(GradientAscent(),),
        start=("unlearned", "never_learned"),
        repetitions=(1,),
        depth=(5, 8),
        corpus=tuple(LADDER),
        relearn_steps=(0, 10, 20),
        seed=(0,),
        precision="mixed",
        finetune=Training(steps=100, optimiser=learn),
        unlearn=learn,
        relearn=Relearning(learning_rate=2e-4, batch_size=4, lora=LoRA()),
        generation=Generation(max_new_tokens=20),
        execution=EXECUTION,
    )


def whp_verbatim() -> StudySpec:
    """Five methods on the invented passage: which recovers least, where all have forgotten as much?"""
    return StudySpec(
        name="whp-verbatim-smollm2",
        question=VERBATIM_QUESTION,
        scenario=WhpVerbatim(),
        model=SMOLLM2,
        method=(GradientAscent(), GradientDifference(), KLMinimisation(), NPO(), Scrub()),
        start=("unlearned", "original"),
        repetitions=(1,),
        depth=(3, 5, 8, 12, 20),
        corpus=("facts",),
        relearn_steps=(0, 10, 20),
        seed=(0,),
        precision="mixed",
        finetune=Training(steps=40, optimiser=Optimiser(learning_rate=2e-4, batch_size=8)),
        unlearn=Optimiser(learning_rate=1e-4, batch_size=4, gradient_clip=1.0),
        relearn=Relearning(learning_rate=2e-4, batch_size=8, lora=LoRA()),
        generation=Generation(max_new_tokens=32),
        execution=EXECUTION,
    )
