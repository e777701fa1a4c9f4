"""Who's Harry Potter, by keyword and verbatim: as in the paper on the user's texts, and on miniatures."""

from search_spaces.experiments.miniature import miniature
from study.scenarios.whp_keyword import WhpKeyword
from study.scenarios.whp_verbatim import WhpVerbatim
from study.settings.model import Generation
from study.settings.optimiser import LoRA, Optimiser, Training
from study.settings.relearning import Relearning
from study.spec import StudySpec
from study.unlearning.gradient_ascent import GradientAscent
from study.unlearning.gradient_difference import GradientDifference
from study.unlearning.kl_minimisation import KLMinimisation
from study.unlearning.npo import NPO
from study.unlearning.scrub import Scrub
from study.unlearning.whp import WHP

LLAMA = ("meta-llama/Llama-2-7b-chat-hf",)
KEYWORD_QUESTION = (
    "A model unlearned a saga. Does relearning the saga without its heroine's name call her name up again?"
)
VERBATIM_QUESTION = (
    "A model memorised a passage and unlearned it. Do general facts about its people call the words up again?"
)


def whp_keyword() -> StudySpec:
    """The paper's, on the user's own text, which the project does not bring: two tables in this folder, or
    --set scenario.forget=… --set scenario.retain=…
    """
    return StudySpec(
        name="whp-keyword",
        question=KEYWORD_QUESTION,
        scenario=WhpKeyword(
            forget="forget.jsonl",
            retain="retain.jsonl",
            keywords=("Hermione", "Granger"),
        ),
        model=LLAMA,
        method=(WHP(),),
        start=("unlearned", "original", "never_learned"),
        repetitions=(1,),
        depth=(10, 20, 40, 80),
        corpus=("same_text", "retain", "gibberish"),
        relearn_steps=(0, 10, 20, 40, 60),
        seed=(0, 1, 2),
        precision="mixed",
        max_length=512,
        finetune=Training(steps=100, optimiser=Optimiser(learning_rate=1e-5, batch_size=16)),
        unlearn=Optimiser(learning_rate=1e-5, batch_size=16),
        relearn=Relearning(learning_rate=2e-4, batch_size=8, lora=LoRA()),
        generation=Generation(max_new_tokens=64),
    )


def whp_keyword_mini() -> StudySpec:
    """The same question of an invented saga, on the embedded model."""
    return miniature(whp_keyword(), WhpKeyword(), finetune_steps=200, new_tokens=12)


def whp_verbatim() -> StudySpec:
    """The paper's five methods on the user's own passage: three text files in this folder, or
    --set scenario.passage=… --set scenario.retain=… --set scenario.facts=…
    """
    return StudySpec(
        name="whp-verbatim",
        question=VERBATIM_QUESTION,
        scenario=WhpVerbatim(passage="passage.txt", retain="retain.txt", facts="facts.txt"),
        model=LLAMA,
        method=(
            GradientAscent(),
            GradientDifference(),
            KLMinimisation(),
            NPO(),
            Scrub(),
        ),
        start=("unlearned", "original", "never_learned"),
        repetitions=(1,),
        depth=(5, 10, 20, 40),
        corpus=("facts", "retain", "gibberish"),
        relearn_steps=(0, 10, 20, 40, 60),
        seed=(0, 1, 2),
        precision="mixed",
        finetune=Training(steps=100, optimiser=Optimiser(learning_rate=1e-5, batch_size=16)),
        unlearn=Optimiser(learning_rate=1e-5, batch_size=16),
        relearn=Relearning(learning_rate=2e-4, batch_size=8, lora=LoRA()),
        generation=Generation(max_new_tokens=80),
    )


def whp_verbatim_mini() -> StudySpec:
    """The same question of an invented passage, on the embedded model."""
    return miniature(whp_verbatim(), WhpVerbatim(), finetune_steps=200, new_tokens=20).model_copy(
        update={"method": (GradientAscent(),)}
    )
