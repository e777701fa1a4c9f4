"""Each of the paper's five experiments: our number with its interval, its number, and whether its laws hold here.

What was run is named on every row, and none of it is a replication: the paper's models have seven billion weights.
Ours is taken at the last relearn step, on the experiment's first benign corpus, at the shallowest depth that counts as
unlearned. A law holds where the interval lies wholly on its side, does not where it lies wholly on the other, and is
not told otherwise.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.measures.before_and_after import mean_rate, relearned
from analysis.paper.published import EXPERIMENTS, Experiment, Reported
from analysis.paper.reference_cells import NOTHING, ReferenceCells, answers_of, difference, rate
from analysis.reading.study_frames import Studies, Study
from analysis.statistics.intervals import Estimate, estimate

COLUMNS = (
    "study experiment what before before_low before_high ours low high unit seeds paper_before paper evidence "
    "holds word ran"
).split()
SHALLOW, NEVER, MANY_STEPS = 0.7, 0.02, 40
EMBEDDED = "a model of about a million weights that this project makes"


def experiments(study: Study | Studies) -> pd.DataFrame:
    """Our numbers beside the paper's.

    Returns:
        A row per number that the paper reports and per law it states, of each study whose scenario is one of the five:
        ``before`` and ``ours``, with 95% intervals over seeds and probes (``unit``: ``rate``, ``points`` between two
        rates, or the metric's own); ``paper_before``, ``paper`` and ``evidence``; ``holds`` (for laws; None where it
        cannot be told); ``word``, why there is no number or no verdict; ``ran``, what was run here and what there.
        Empty where no study is of a scenario that the paper has.
    """
    rows: list[dict[str, object]] = []
    for part in study.parts:
        experiment = EXPERIMENTS.get(str(part.content["axes"]["scenario"][0]))
        if experiment is not None:
            rows += _of_one(part, experiment)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _of_one(study: Study, experiment: Experiment) -> Iterator[dict[str, object]]:
    common = {"study": study.name, "experiment": experiment.title, "ran": _ran(study, experiment)}
    place = ReferenceCells(study)
    for reported in experiment.reported:
        yield {**common, **_number(study, experiment, place, reported)}
    laws = {
        "repetitions": _repetitions,
        "relevance": _relevance,
        "shallow": _shallow,
        "depth": _depth,
        "past_forty": _past_forty,
        "control": _control,
        "rises": _rises,
    }
    for law, evidence in experiment.laws.items():
        yield {**common, "evidence": evidence, "paper": "holds", **laws[law](study, place)}


def _ran(study: Study, experiment: Experiment) -> str:
    rows = study.cells
    methods = [
        str(each)
        for each in rows["method"].cat.categories
        if each != "none" and (rows["method"] == each).any()
    ]
    models = ", ".join(f"{name} ({EMBEDDED})" if name == "embedded" else name for name in study.models)
    seeds = rows["seed"].nunique()
    return (
        f"here {models}, {', '.join(methods) or 'nothing unlearned'}, {seeds} seed{'s' if seeds != 1 else ''}, "
        f"{study.headline.words}; the paper: {experiment.model}"
    )


def _number(
    study: Study, experiment: Experiment, place: ReferenceCells, reported: Reported
) -> dict[str, object]:
    corpus = reported.corpus or (place.corpora[0] if place.corpora else "none")
    counts = [reported.repetitions] if reported.repetitions else place.repetitions[:1]
    methods = [reported.method] if reported.method else place.methods[:1]
    what = ", ".join(
        str(each)
        for each in (
            reported.method or (methods[0] if methods else "no method"),
            f"corpus {corpus}",
            f"{counts[0]} repetitions" if counts and experiment.title.endswith("names") else "",
        )
        if each
    )
    row: dict[str, object] = {
        "what": what,
        "paper_before": reported.before,
        "paper": reported.after,
        "evidence": reported.evidence,
        "unit": "rate" if study.headline.full == 1 else f"1 to {study.headline.full:g}",
        "holds": None,
        "word": "",
    }
    if study.headline.metric != experiment.metric:
        return {
            **row,
            "word": f"scored here by {study.headline.metric}, there by {experiment.metric}: not compared",
        }
    missing = f"not run here: {what}"
    if not counts or not methods or corpus not in place.corpora or methods[0] not in place.methods:
        return {**row, "word": missing}
    depths = place.depths(methods[0], counts[0])
    if not depths:
        return {**row, "word": "no depth counts as unlearned" if counts[0] in place.repetitions else missing}
    where = place.where(methods[0], counts[0], depths[0], corpus)
    before, after = (rate(study, {**where, "relearn_steps": step}) for step in (0, place.last))
    word = f"depth {depths[0]}, {place.last} steps" + ("; one seed" if after.seeds == 1 else "")
    return {
        **row,
        "before": before.value,
        "before_low": before.low,
        "before_high": before.high,
        "ours": after.value,
        "low": after.low,
        "high": after.high,
        "seeds": after.seeds,
        "word": word if after.seeds else f"{word}: not computed or not scored yet",
    }


def _verdict(found: Estimate, what: str, above: float, unit: str, word: str) -> dict[str, object]:
    """A law that says "more than ``above``"."""
    holds: bool | None = None
    if found.low > above:
        holds = True
    elif found.high < above:
        holds = False
    reason = word
    if np.isnan(found.value):
        reason = f"{word}: not computed or not scored yet" if word else "not computed or not scored yet"
    elif holds is None:
        reason = f"{word}; cannot be told: the interval holds both" if word else "the interval holds both"
    return {
        "what": what,
        "ours": found.value,
        "low": found.low,
        "high": found.high,
        "unit": unit,
        "seeds": found.seeds,
        "holds": holds,
        "word": reason,
    }


def _start(place: ReferenceCells) -> tuple[str, int, list[int], str] | None:
    """The first method, the most repetitions, the depths that count as unlearned, and the first benign corpus."""
    if not place.methods or not place.corpora:
        return None
    method, count = place.methods[0], place.repetitions[0]
    depths = place.depths(method, count)
    return (method, count, depths, place.corpora[0]) if depths else None


def _untold(what: str, word: str) -> dict[str, object]:
    return _verdict(NOTHING, what, 0, "points", "") | {"word": word}


NOT_UNLEARNED = "no relearned model that counts as unlearned"


def _shallow(study: Study, place: ReferenceCells) -> dict[str, object]:
    what = "where unlearning is shallow, relearning gives above 70%"
    start = _start(place)
    if start is None:
        return _untold(what, NOT_UNLEARNED)
    method, count, depths, corpus = start
    found = rate(study, {**place.where(method, count, depths[0], corpus), "relearn_steps": place.last})
    return _verdict(
        found, what, SHALLOW, "rate", f"{method}, depth {depths[0]}, {corpus}, {place.last} steps"
    )


def _depth(study: Study, place: ReferenceCells) -> dict[str, object]:
    what = "deeper unlearning is harder to undo: shallowest unlearned depth minus deepest"
    start = _start(place)
    if start is None or len(start[2]) < 2:
        return _untold(
            what, NOT_UNLEARNED if start is None else f"one depth counts as unlearned ({start[2][0]})"
        )
    method, count, depths, corpus = start
    one, other = (
        {**place.where(method, count, depth, corpus), "relearn_steps": place.last}
        for depth in (depths[0], depths[-1])
    )
    return _verdict(
        difference(study, one, other),
        what,
        0,
        "points",
        f"{method}, depth {depths[0]} − {depths[-1]}, {corpus}",
    )


def _rises(study: Study, place: ReferenceCells) -> dict[str, object]:
    what = "relearning raises the score: after minus before"
    start = _start(place)
    if start is None:
        return _untold(what, NOT_UNLEARNED)
    method, count, depths, corpus = start
    where = place.where(method, count, depths[0], corpus)
    found = difference(study, {**where, "relearn_steps": place.last}, {**where, "relearn_steps": 0})
    unit = "points" if study.headline.full == 1 else f"1 to {study.headline.full:g}"
    return _verdict(found, what, 0, unit, f"{method}, depth {depths[0]}, {corpus}")


def _repetitions(study: Study, place: ReferenceCells) -> dict[str, object]:
    what = "the more a pair was repeated, the more comes back: most repetitions minus fewest"
    start = _start(place)
    if start is None or len(place.repetitions) < 2:
        return _untold(what, NOT_UNLEARNED if start is None else "one repetition count was run")
    method, most, _, corpus = start
    fewest = place.repetitions[-1]
    shared = [each for each in place.depths(method, most) if each in place.depths(method, fewest)]
    if not shared:
        return _untold(what, f"no depth counts as unlearned at {most} and at {fewest} repetitions")
    one, other = (
        {**place.where(method, count, shared[0], corpus), "relearn_steps": place.last}
        for count in (most, fewest)
    )
    word = f"{method}, depth {shared[0]}, {corpus}, {most} − {fewest} repetitions"
    return _verdict(difference(study, one, other), what, 0, "points", word)


def _relevance(study: Study, place: ReferenceCells) -> dict[str, object]:
    what = "correlated text recovers more than gibberish: difference"
    start = _start(place)
    if start is None or "gibberish" not in place.corpora or start[3] == "gibberish":
        return _untold(
            what, NOT_UNLEARNED if start is None else "gibberish, or a corpus beside it, was not run"
        )
    method, count, depths, corpus = start
    one, other = (
        {**place.where(method, count, depths[0], each), "relearn_steps": place.last}
        for each in (corpus, "gibberish")
    )
    return _verdict(
        difference(study, one, other), what, 0, "points", f"{method}, depth {depths[0]}, {corpus} − gibberish"
    )


def _control(study: Study, place: ReferenceCells) -> dict[str, object]:
    what = f"a model that never learned D stays at 0% ({100 * NEVER:.0f}% here) on the same corpus"
    corpus = place.corpora[0] if place.corpora else None
    cells = study.cells[(study.cells["start"] == "never_learned") & (study.cells["corpus"] == corpus)]
    if corpus is None or cells.empty:
        return _untold(what, "no control that never learned was run")
    found = rate(study, {"start": "never_learned", "corpus": corpus, "relearn_steps": place.last})
    row = _verdict(found, what, NEVER, "rate", f"{corpus}, {place.last} steps")
    if row["holds"] is not None:
        return row | {"holds": not row["holds"]}  # it says "no more than"
    # No answer at all is as low as the probes can show, though their interval reaches further.
    return row | ({"holds": True, "word": f"{corpus}: none answered"} if found.value == 0 else {})


def _past_forty(study: Study, place: ReferenceCells) -> dict[str, object]:
    what = (
        f"past {MANY_STEPS} steps more relearning lowers it: at {MANY_STEPS} or before minus at the last step"
    )
    start = _start(place)
    if start is None:
        return _untold(what, NOT_UNLEARNED)
    method, count, depths, corpus = start
    where = place.where(method, count, depths[0], corpus)
    rows = study.scores(study.headline.metric, "forget", **where)
    steps = sorted(
        {int(str(each)) for each in rows["relearn_steps"].unique() if int(str(each)) <= MANY_STEPS}
    )
    if place.last <= MANY_STEPS or len(steps) < 2:
        return _untold(what, f"no step past {MANY_STEPS} was run")
    found = answers_of(
        rows, study.headline.metric, [{"relearn_steps": steps[-1]}, {"relearn_steps": place.last}]
    )
    fall = NOTHING if found is None else estimate(found, lambda rates: rates[:, 0] - rates[:, 1])
    return _verdict(fall, what, 0, "points", f"{method}, depth {depths[0]}, steps {steps[-1]} − {place.last}")


def repetitions_table(study: Study, corpus: str = "prefix") -> pd.DataFrame:
    """Repetitions → ASR before and after relearning, beside the paper's.

    Returns:
        A row per repetition count: ``unlearned`` and ``relearned`` (a ``Rate`` each), over the
        trajectories that ``was_unlearned``; ``cells`` of them and ``left_out``, those that were not
        unlearned; ``paper_unlearned`` and ``paper_relearned``, in words.
    """
    last = relearned(study)
    last = last[(last["corpus"] == corpus) & (last["scenario"] == "names")]
    reported = {each.repetitions: each for each in EXPERIMENTS["names"].reported if each.repetitions}
    made = []
    for repetitions, of_count in sorted(last.groupby("repetitions"), reverse=True):
        kept = of_count[of_count["was_unlearned"]]
        before = kept.assign(k=(kept["unlearned_asr"] * kept["n"]).round(), relearn_steps=0)
        paper = reported.get(int(str(repetitions)))
        made.append(
            {
                "repetitions": repetitions,
                "unlearned": mean_rate(study, before),
                "relearned": mean_rate(study, kept),
                "cells": len(kept),
                "left_out": len(of_count) - len(kept),
                "paper_unlearned": paper.before if paper else None,
                "paper_relearned": paper.after if paper else None,
            }
        )
    return pd.DataFrame(made)
