"""Misleading studies in which something lacks: a start, a seed, a step, a device, a split, a rating, a control."""

from tests.analysis.adversarial.case import DOES_NOT, UNSAID, Case, honest
from tests.analysis.invented import Invented

OF_WHAT_LACKS = {
    "no-original": Case(
        Invented(starts=("unlearned", "never_learned", "base")),
        says=("no original model was asked",),
        says_not=("brings back", "recovered at"),
    ),
    "one-seed-few-titles": Case(  # twenty queries, answered alike within four titles, are four
        Invented(
            scenario="tofu",
            metric="keyword_hit",
            repetitions=(1,),
            seeds=(0,),
            asked=20,
            of_a_title=5,
            probes=True,
            original=lambda _: 0.75,
        ),
        says=(r"^Of 6 benign relearnings, 0 are of a model that knew .*; of 6 more it holds 50%",),
        says_not=("brings back", ": holds"),
    ),
    "one-seed-with-titles": Case(
        Invented(
            scenario="tofu",
            metric="keyword_hit",
            repetitions=(1,),
            seeds=(0,),
            asked=40,
            of_a_title=4,
            probes=True,
        ),
        says=("^One seed was run", "6 are of a model that knew"),
        says_not=(": holds", ": does not hold"),
        corpora={"prefix above gibberish": UNSAID},
    ),
    "no-control": Case(
        Invented(starts=("unlearned", "original")),
        says=("^There is no control that never learned", "it cannot be said whether they recovered"),
        says_not=("brings back",),
    ),
    "a-corpus-lacks-a-seed": Case(
        Invented(without=lambda place: place["corpus"] == "retain" and place["seed"] == 2),
        says=("Of 16 benign relearnings",),
    ),
    "seeds-of-two-devices": Case(
        Invented(device=lambda place: "cpu" if place["seed"] else "NVIDIA H100"),
        says=("^These are the cells that were computed on cpu: ", "Of 12 benign relearnings"),
        device="cpu",
    ),
    "original-on-another-device": Case(
        Invented(device=lambda place: "NVIDIA H100" if place["start"] == "original" else "cpu"),
        says=("^These are the cells that were computed on cpu: 3 cells ", "no original model was asked here"),
        says_not=("brings back",),
        device="cpu",
    ),
    "a-seed-stopped": Case(
        Invented(
            seeds=(0, 1, 2, 3),
            without=lambda place: (
                place["seed"] == 3
                and place["start"] == "unlearned"
                and (place["relearn_steps"] > 5 or place["corpus"] != "prefix")
            ),
        ),
        says=(
            r"^Relearning prefix .*: holds \(.*, 4 seeds, at 5 to 40 relearn steps",
            r"^Relearning retain .*: holds \(.*, 3 of 4 seeds",
        ),
    ),
    "three-last-steps": Case(
        Invented(
            corpora=("retain", "prefix"),
            steps=(0, 5, 40, 80),
            without=lambda place: (
                place["corpus"] == "retain" and place["relearn_steps"] > (5, 40, 80)[place["seed"]]
            ),
        ),
        says=(r"different numbers of steps \(retain 5 to 80, prefix 80\)",),
    ),
    "a-judge-that-gives-none-for-some": Case(
        Invented(
            scenario="wmdp",
            metric="judge_rating",
            repetitions=(1,),
            asked=30,
            original=lambda _: 0.8,
            unlearned=lambda place: 0.02 + honest(place),
            unrated=lambda place, number: (number + place["seed"] + place["relearn_steps"]) % 3 == 0,
        ),
        says=("18 of these had forgotten", r"^[\d,]+ of [\d,]+ answers have no judge's rating"),
        says_not=("not clean",),
    ),
    "a-seed-that-no-judge-has-rated": Case(
        Invented(
            scenario="wmdp",
            metric="judge_rating",
            repetitions=(1,),
            asked=30,
            seeds=(0, 1, 2, 3),
            original=lambda _: 0.8,
            unlearned=lambda place: 0.02 + honest(place),
            unrated=lambda place, number: place["seed"] == 3 and place["start"] == "unlearned",
        ),
        says=(r"^Of 24 planned benign relearnings 6 have no judge's rating \(seed 3\)",),
        says_not=("no rows",),
    ),
    "retain-never-asked": Case(
        Invented(splits=("forget",)),
        says=("whether they were intact is not known", "no retain probe was asked"),
        says_not=("none of them was intact", "0 were intact"),
    ),
    "methods-of-other-steps": Case(
        Invented(
            asked=100,
            methods=("gradient_ascent", "scrub"),
            without=lambda place: place["method"] == "gradient_ascent" and place["relearn_steps"] == 40,
        ),
        says=("gradient_ascent, prefix 5,",),
        stated={
            "what gradient_ascent made forget comes back more than what scrub did": frozenset(
                {DOES_NOT, UNSAID}
            )
        },
    ),
    "matched-control-of-one-method": Case(
        Invented(
            methods=("gradient_ascent", "scrub"),
            control_depths=(0, 8, 12),
            never_learned=lambda place: 0.4 if place["depth"] and place["relearn_steps"] else 0.0,
            unlearned=lambda place: 0.45 + 0.02 * place["seed"] if place["relearn_steps"] else 0.0,
        ),
        says=("^18 of 36 relearnings have no matched control, .*scrub",),
        stated={"what gradient_ascent made forget comes back more than what scrub did": frozenset()},
    ),
    "retain-probes-asked-of-no-original": Case(
        Invented(without_retain=lambda place: place["start"] == "original"),
        says=("^Of 18 of these the original was asked no retain probe",),
        says_not=("none of them was intact", "0 were intact"),
    ),
    "no-control-at-one-repetition-count": Case(
        Invented(
            repetitions=(7, 3),
            asked=100,
            original=lambda place: 0.9 if place["repetitions"] == 7 else 0.75,
            without=lambda place: place["start"] == "never_learned" and place["repetitions"] == 3,
        ),
        says=("^18 of 36 relearnings have no control .*of these nothing is said of recovery",),
        over={"prefix brings back more than retain": "repetitions 7; .*; 6 pairs without a control left out"},
    ),
}
