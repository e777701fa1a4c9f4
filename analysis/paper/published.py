"""What the paper reports of its five experiments, each number with where it is known from.

Hu, Fu, Wu, Smith: Unlearning or Obfuscating? Jogging the Memory of Unlearned LLMs via Benign Relearning (ICLR 2025).
``POST`` is the authors' own post; ``SECONDARY`` was read in the paper by third parties, and is shown as such.
"""

from collections.abc import Mapping
from dataclasses import dataclass

PAPER = "Hu, Fu, Wu, Smith, ICLR 2025 (Llama-2-7b)"
POST = "the authors' post"
SECONDARY = "reported, secondary"


@dataclass(frozen=True)
class Reported:
    """A number of the paper's: before relearning and after, in the headline metric's own unit.

    Attributes:
        method: which unlearning; None for all of the paper's together.
        corpus: which relearn corpus, as ours is named; None for the experiment's first.
        repetitions: of the pair, in the names experiment.
        before, after: in words, as reported.
    """

    evidence: str
    before: str
    after: str
    method: str | None = None
    corpus: str | None = None
    repetitions: int | None = None


@dataclass(frozen=True)
class Experiment:
    """One of the five: what the paper ran, what it reports, and which of its claims are judged on a study of ours.

    Attributes:
        metric: what ``reported`` is measured in; other metrics are not compared with it.
        claims: a name in ``analysis.paper.claims.CLAIMS`` → where it is known from.
    """

    title: str
    model: str
    metric: str
    reported: tuple[Reported, ...]
    claims: Mapping[str, str]


EXPERIMENTS: Mapping[str, Experiment] = {
    "names": Experiment(
        "5, names",
        "Llama-2-7b",
        "keyword_anywhere",
        (
            Reported(POST, "0%", "100%", repetitions=7),
            Reported(POST, "0%", "97%", repetitions=5),
            Reported(POST, "0%", "23%", repetitions=3),
            Reported(POST, "0%", "0%", repetitions=1),
            Reported(SECONDARY, "not known", "9%", corpus="gibberish"),
            Reported(SECONDARY, "not known", "100%", corpus="prefix"),
        ),
        {
            "repetitions": POST,
            "relevance": SECONDARY,
            "depth": f"{POST}, of TOFU",
            "control": f"{SECONDARY}, of TOFU",
        },
    ),
    "tofu": Experiment(
        "1, TOFU",
        "Phi-1.5 or Llama-2-7b",
        "keyword_hit",
        (Reported(POST, "not known", "above 70% where unlearning is shallow", method="gradient_ascent"),),
        {"shallow": POST, "depth": POST, "past_forty": POST, "control": SECONDARY},
    ),
    "whp-keyword": Experiment(
        "2, WHP by keyword",
        "Llama-2-7b",
        "keyword_hit",
        (Reported(POST, "not known", "above 70% where unlearning is shallow", method="whp"),),
        {"shallow": POST, "depth": POST},
    ),
    "wmdp": Experiment(
        "3, WMDP",
        "Zephyr-7b-beta",
        "judge_rating",
        (
            Reported(POST, "1.27", "6.2", method="gradient_ascent"),
            Reported(SECONDARY, "1.67 (LoRA)", "5.2 (LoRA)", method="gradient_ascent"),
            Reported(SECONDARY, "1 (LoRA)", "5.08 (LoRA)", method="npo"),
        ),
        {"rises": POST},
    ),
    "whp-verbatim": Experiment(
        "4, WHP verbatim",
        "Llama-2-7b-chat",
        "rouge_l",
        (
            Reported(SECONDARY, "0.03–0.23", "0.44–0.78"),
            Reported(SECONDARY, "0.19", "0.78", method="gradient_ascent"),
            Reported(SECONDARY, "0.03", "0.72", method="npo"),
        ),
        {"rises": SECONDARY},
    ),
}
"""By scenario."""
