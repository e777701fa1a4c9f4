"""The sixteen misleading studies that an audit of the report asked for."""

from tests.analysis.adversarial.case import (
    DOES_NOT,
    HOLDS,
    UNSAID,
    Case,
    alike,
    everywhere,
    high_in,
    honest,
    of_model,
)
from tests.analysis.invented import Invented, Place


def peaked(place: Place) -> float:
    """``prefix`` comes back at step 5 and is gone at step 40."""
    if place["corpus"] == "prefix":
        return {0: 0.0, 5: 0.68 + 0.02 * place["seed"], 40: 0.0}[place["relearn_steps"]]
    return honest(place)


def shorter(place: Place) -> bool:
    return place["corpus"] == "prefix" and place["relearn_steps"] > 20


OF_THE_AUDIT = {
    "control-as-much": Case(
        Invented(unlearned=alike(0.6), never_learned=alike(0.6)),
        says=(r"^This control is not clean", "0 recovered at the last step"),
        back=everywhere(UNSAID, DOES_NOT),
        claims={"never learned": False},
    ),
    "control-dirty-on-gibberish": Case(
        Invented(never_learned=high_in("corpus", {"gibberish": 0.62})),
        says=(r"^This control is not clean: .*corpus gibberish",),
        says_not=("corpus prefix, r",),
        back={"prefix": frozenset({HOLDS}), "gibberish": frozenset({DOES_NOT, UNSAID})},
        corpora={"prefix above gibberish": HOLDS},
    ),
    "dirty-in-one-model": Case(
        Invented(models=("a", "b"), never_learned=high_in("model", {"b": 0.85})),
        says=(r"^This control is not clean: [^;]*model b",),
        says_not=("model a, corpus",),
    ),
    "nothing-in-one-model": Case(
        Invented(models=("a", "b"), unlearned=of_model("a", 0.0)),
        says=(
            r"^a, gradient_ascent: .*prefix.*: holds",
            r"^b, gradient_ascent: .*prefix.*: (does not hold|cannot be said)",
        ),
        claims={"gibberish: difference (a,": True, "gibberish: difference (b,": None},
    ),
    "models-are-no-seeds": Case(
        Invented(models=("a", "b"), seeds=(0,), unlearned=of_model("a", 0.3)),
        says=("^One seed was run",),
        says_not=("2 seeds", ": holds"),
    ),
    "base-answers": Case(
        Invented(base=lambda place: 0.7),
        says=(r"^This control is not clean: the base model reaches 70% ",),
        says_not=(": holds",),
    ),
    "original-never-knew": Case(
        Invented(original=lambda place: 0.03, unlearned=alike(0.04)),
        says=("0 are of a model that knew", "nothing here is about forgotten knowledge"),
        says_not=("brings back", "recovered"),
        claims={"deeper": None, "gibberish: difference": None},
    ),
    "all-100": Case(
        Invented(
            unlearned=lambda _: 1.0, original=lambda _: 1.0, never_learned=lambda _: 1.0, base=lambda _: 1.0
        ),
        says=("^This control is not clean", "0 of these had forgotten"),
        says_not=("brings back",),
    ),
    "all-0": Case(
        Invented(unlearned=lambda _: 0.0, original=lambda _: 0.0),
        says=("0 are of a model that knew",),
        says_not=("brings back",),
        claims={"gibberish: difference": None},
    ),
    "all-0-and-known": Case(
        Invented(unlearned=lambda _: 0.0, asked=100),
        says=("18 of these had forgotten", "0 recovered at the last step"),
        back=everywhere(UNSAID),
        corpora={"prefix above retain": UNSAID, "prefix above gibberish": UNSAID},
        claims={"gibberish: difference": None, "deeper": None},
    ),
    "all-0-and-known-in-ten-seeds": Case(
        Invented(unlearned=lambda _: 0.0, asked=100, seeds=tuple(range(10))),
        says=("60 of these had forgotten", "0 recovered at the last step"),
        back=everywhere(DOES_NOT),
        corpora={"prefix above retain": UNSAID, "prefix above gibberish": UNSAID},
    ),
    "peak-then-fall": Case(
        Invented(unlearned=peaked),
        says=(
            r"recovered at the last step .*, ([6-9]|1\d) at their best step",
            r"^Relearning prefix brings .* control, at its best step \(5\): holds \(\+70 points",
            r"^Relearning prefix brings back more than it teaches the control: cannot be said",
        ),
        says_not=("never",),
    ),
    "utility-destroyed": Case(
        Invented(retain=lambda place: 1.0 if place["start"] == "original" else 0.0),
        says=("^All 18 were unlearned by destruction", "none of them was intact"),
    ),
    "one-seed": Case(
        Invented(seeds=(0,)),
        says=("^One seed was run",),
        says_not=(": holds", ": does not hold"),
        corpora={"prefix above gibberish": UNSAID},
        claims={"gibberish: difference": None},
    ),
    "limit-of-its-own-original": Case(
        Invented(
            scenario="tofu",
            metric="keyword_hit",
            repetitions=(7, 1),
            original=lambda place: 0.9 if place["repetitions"] == 7 else 0.02,
            unlearned=lambda place: (
                honest(place) if place["repetitions"] == 7 else 0.2 if place["relearn_steps"] else 0.1
            ),
        ),
        says=("Of 36 benign relearnings, 18 are of a model that knew", "18 of these had forgotten"),
    ),
    "below-the-control": Case(
        Invented(unlearned=alike(0.1), never_learned=alike(0.35)),
        says=("^This control is not clean", "0 recovered at the last step"),
        back=everywhere(UNSAID, DOES_NOT),
        says_not=("reached more",),
    ),
    "fewer-steps-on-one-corpus": Case(
        Invented(steps=(0, 5, 20, 40), without=shorter),
        says=(
            "Of 18 benign relearnings",
            r"different numbers of steps \(prefix 20, retain 40, gibberish 40\)",
        ),
        corpora={"prefix above retain": HOLDS},
    ),
}
