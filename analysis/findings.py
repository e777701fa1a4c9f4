"""The answer in three sentences, computed from the rows."""

from analysis.frames import Study
from analysis.paper import mean_rate, relearned
from analysis.surface import select


def sentences(study: Study) -> list[str]:
    """Three sentences for the head of the report; fewer where the rows do not say."""
    last = relearned(study)
    if not len(last):
        return ["No unlearned model has been relearned yet, so there is nothing to answer."]
    benign = last[last["benign"]]
    kept = benign[benign["was_unlearned"]]
    steps = int(benign["relearn_steps"].max())
    headline = study.headline
    found = [
        f"Of {len(benign)} benign relearnings of {steps} steps, {len(kept)} started from a model that counts as "
        f"unlearned ({headline.words} {headline.rule}); of those, "
        f"{int((kept['value'] > study.forgotten).sum())} reached more than that afterwards."
    ]
    if len(kept):
        best = kept.sort_values("value").iloc[-1]
        found.append(
            f"The strongest went from {headline.percent(best['unlearned_asr']):.0f}% to "
            f"{headline.percent(best['value']):.0f}% ({best['method']}, corpus {best['corpus']}, "
            f"{best['repetitions']} repetitions, depth {best['depth']}, seed {best['seed']}); "
            f"the mean is {mean_rate(study, kept)}."
        )
    control = select(study.cells, headline.metric, start="never_learned")
    control = control[control["benign"]]
    if len(control):
        found.append(
            f"A model that never learned the answer reached at most {headline.percent(control['value'].max()):.0f}% on "
            "the same corpora, so what is above that is knowledge coming back."
        )
    else:
        found.append("There is no control that never learned the answer, so this may be plain learning.")
    return found
