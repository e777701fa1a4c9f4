"""The answer in three sentences, computed from the rows."""

import math

import pandas as pd

from analysis.measures.before_and_after import mean_rate
from analysis.reading.study_frames import Study


def sentences(study: Study) -> list[str]:
    """Three sentences for the head of the report; where the rows do not say, what is lacking."""
    last = study.relearned
    if not len(last) or not last["relearn_steps"].max():
        return ["No unlearned model has been relearned yet, so there is nothing to answer."]
    benign = last[last["benign"]]
    if not len(benign):
        return [
            "No benign corpus has been relearned yet: the corpora that were relearned hold the answer, so they show "
            "only the most that relearning can reach."
        ]
    return [_how_many(study, benign), *_how_much(study, benign[benign["was_unlearned"]]), _control(study)]


def _how_many(study: Study, benign: pd.DataFrame) -> str:
    headline = study.headline
    kept = benign[benign["was_unlearned"]]
    began = f"Of {len(benign):,} benign relearnings of {int(benign['relearn_steps'].max())} steps"
    if math.isnan(study.forgotten):
        return (
            f"{began} none can be said to start from an unlearned model: that is {headline.words} {headline.rule}, and "
            "no original model has been asked."
        )
    return (
        f"{began}, {len(kept):,} started from a model that counts as unlearned ({headline.words} {headline.rule}); of "
        f"those, {int((kept['value'] > study.forgotten).sum()):,} reached more than that afterwards."
    )


def _how_much(study: Study, kept: pd.DataFrame) -> list[str]:
    if not len(kept):
        return []
    headline = study.headline
    best = kept.sort_values("value", kind="stable").iloc[-1]
    return [
        f"The strongest went from {headline.percent(best['unlearned_asr']):.0f}% to "
        f"{headline.percent(best['value']):.0f}% ({best['method']}, corpus {best['corpus']}, "
        f"r = {best['repetitions']}, depth {best['depth']}, seed {best['seed']}); "
        f"the mean is {mean_rate(study, kept)}."
    ]


def _control(study: Study) -> str:
    headline = study.headline
    control = study.control_cells
    if not len(control):
        return "There is no control that never learned the answer, so this may be plain learning."
    return (
        f"A model that never learned the answer reached at most {headline.percent(control['value'].max()):.0f}% on "
        "the same corpora, so what is above that is knowledge coming back."
    )
