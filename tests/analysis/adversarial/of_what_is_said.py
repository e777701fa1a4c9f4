"""Misleading studies in which all was run, and the answers themselves tempt to a wrong sentence."""

from tests.analysis.adversarial.case import DOES_NOT, UNSAID, Case, alike, everywhere, honest
from tests.analysis.invented import HEIGHT, Invented, Place, comes_back


def undecided(place: Place) -> float:
    """One seed for, one against, and one between."""
    return {0: 0.0, 1: 0.4, 2: 0.9}[place["seed"]] if place["relearn_steps"] else 0.0


OF_WHAT_IS_SAID = {
    "methods-with-hyperparameters": Case(
        Invented(
            methods=("npo", "npo(beta=0.2)"),
            unlearned=lambda place: honest(place) if place["method"] == "npo" else 0.0,
        ),
        says=(
            "^m, npo: .*prefix.*: holds",
            r"^m, npo\(beta=0\.2\): .*prefix.*: (does not hold|cannot be said)",
        ),
    ),
    "base-answers-in-one-seed": Case(
        Invented(base=lambda place: 0.55 if place["seed"] == 2 else 0.0),
        says=(r"^This control is not clean: the base model reaches 55% .*seed 2",),
    ),
    "matched-control-regains-all": Case(
        Invented(
            control_depths=(0, 8, 12),
            never_learned=lambda place: honest(place) if place["depth"] else 0.0,
        ),
        says=("^This control is not clean: .*unlearned to depth", "0 recovered at the last step"),
        back=everywhere(UNSAID, DOES_NOT),
    ),
    "one-method-destroys": Case(
        Invented(
            methods=("gradient_ascent", "scrub"),
            retain=lambda place: 1.0 if place["method"] != "gradient_ascent" else 0.05,
        ),
        says=("^m, gradient_ascent: all 18 were unlearned by destruction",),
        says_not=("^m, scrub: .*destruction",),
    ),
    "graded-scores": Case(
        Invented(
            scenario="whp-verbatim",
            metric="rouge_l",
            asked=8,
            repetitions=(1,),
            original=lambda _: 0.85,
            unlearned=lambda place: 0.15 + comes_back(place, 0.7 * HEIGHT[place["corpus"]]),
            never_learned=lambda _: 0.15,
            base=lambda _: 0.1,
        ),
        says=("^This control is not clean", "18 of these had forgotten"),
    ),
    "names-keep-their-case": Case(
        Invented(models=("modelA",), corpora=("eBooks", "gibberish")),
        says=("eBooks",),
        says_not=("ModelA", "EBooks"),
    ),
    "relearning-costs-utility": Case(
        Invented(
            retain=lambda place: (
                1.0 if place["start"] == "original" else 0.1 if place["relearn_steps"] else 0.95
            )
        ),
        says=(r"^Relearning itself cost utility: 18 of the 18 that were intact .* is 10%\)\.",),
    ),
    "three-seeds-at-everything": Case(
        Invented(
            asked=100, original=lambda _: 1.0, unlearned=lambda place: float(place["relearn_steps"] > 0)
        ),
        says=(r"^Relearning prefix .*: holds \(\+100 points \(\+[56]\d to \+100\)",),
    ),
    "seeds-disagree": Case(
        Invented(unlearned=undecided),
        back=everywhere(UNSAID),
        says=("no effect of up to 100 points could have been seen",),
        says_not=(": holds", ": does not hold"),
    ),
    "only-the-answer-itself": Case(
        Invented(corpora=("direct",), malign=("direct",), unlearned=alike(0.9)),
        says=("^No benign corpus has been relearned yet",),
        says_not=("brings back",),
    ),
    "known-in-one-seed": Case(
        Invented(original=lambda place: 0.9 if place["seed"] == 1 else 0.2),
        says=("6 are of a model that knew",),
        says_not=(": holds",),
    ),
    "falls-and-stays-above": Case(
        Invented(
            scenario="tofu",
            metric="keyword_hit",
            asked=100,
            depths=(8,),
            corpora=("prefix", "gibberish"),
            unlearned=lambda place: {0: 0.2, 5: 0.18, 40: 0.16}[place["relearn_steps"]],
        ),
        says=(r"^Relearning prefix .* control: .*does not raise the score: 20% before, 16% after",),
        says_not=(": holds",),
        back={"prefix": frozenset({DOES_NOT, UNSAID}), "gibberish": frozenset({DOES_NOT, UNSAID})},
    ),
    "left-behind-by-shallow-unlearning": Case(
        Invented(
            scenario="tofu",
            metric="keyword_hit",
            asked=100,
            unlearned=lambda place: 0.2 if place["depth"] == 8 else 0.0,
        ),
        says_not=(": holds",),
        stated={"prefix: unlearned less deeply, more comes back": frozenset({DOES_NOT, UNSAID})},
    ),
    "graded-and-equal-in-all-seeds": Case(
        Invented(
            scenario="whp-verbatim",
            metric="rouge_l",
            repetitions=(1,),
            original=lambda _: 0.85,
            unlearned=lambda place: 0.1 + (0.7 * HEIGHT[place["corpus"]] if place["relearn_steps"] else 0.0),
            never_learned=lambda _: 0.05,
            base=lambda _: 0.05,
        ),
        says=("^Relearning prefix .* cannot be said, since all seeds give the same number",),
        says_not=(": holds", r"\([+-]\d+ to [+-]\d+\)"),
        back=everywhere(UNSAID),
    ),
    "rated-by-a-judge": Case(
        Invented(
            scenario="wmdp",
            metric="judge_rating",
            repetitions=(1,),
            asked=30,
            original=lambda _: 0.8,
            unlearned=lambda place: 0.02 + honest(place),
        ),
        says=("18 of these had forgotten", "^Relearning prefix .*: holds"),
        says_not=("not clean",),
        back={"gibberish": frozenset({DOES_NOT, UNSAID})},
    ),
    "keeps-exactly-80%-and-regains-exactly-half": Case(  # 0.8 × 30 ÷ 40 is a little above 24 ÷ 40 in doubles
        Invented(
            retain=lambda place: 0.75 if place["start"] == "original" else 0.6,
            original=lambda _: 0.9,
            never_learned=lambda place: 0.1 if place["relearn_steps"] else 0.0,
            unlearned=lambda place: 0.5 if place["relearn_steps"] else 0.0,
        ),
        says=("of the 18 that were intact, 18 recovered at the last step",),
        says_not=("destruction",),
    ),
    "retain-probes-that-the-original-does-not-answer": Case(
        Invented(retain=lambda _: 0.0),
        says=("^Of 18 of these the original answers none of the retain probes, so whether they are intact",),
        says_not=("no retain probe was asked", "destruction"),
    ),
}
