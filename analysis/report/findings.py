"""The answer in sentences, each with its premises checked first: a control that is not clean comes before all else.

A sentence is printed where the rows carry it; where a premise fails, the sentence that stands in its place says which.
No number in it is a maximum over cells, and none is pooled over what the sentence does not name.
"""

import re
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import pandas as pd
import pyarrow.compute as pc
from markupsafe import Markup, escape

from analysis.measures.recovery.flow import INTACT, KNOWN, RECOVERED, flow_line
from analysis.measures.recovery.net_recovery import RELEARNING, rated_cells
from analysis.measures.recovery.verdicts import in_words
from analysis.reading.row_reader import read_rows
from analysis.reading.study_frames import WORDS
from analysis.report.measured_study import MeasuredStudy
from analysis.statistics.thresholds import above, at_least, below
from study.results import unrated
from study.results.headline import BOUNDS

FLOOR = 0.02
"""A control whose lower end is above this is not clean."""
MOST = 3
"""Groups that are named one by one; of more, the rest is counted."""


NOT_CLEAN = "This control is not clean"
"""How the sentence begins that comes before every answer."""


def sentences(study: MeasuredStudy) -> list[str]:
    """How far the answer goes; where the rows do not say, what is lacking."""
    rows = study.flow
    if rows.empty:
        return ["No unlearned model has been relearned yet, so there is nothing to answer."]
    benign = rows[rows["benign"]]
    if benign.empty:
        return [
            "No benign corpus has been relearned yet: the corpora that were relearned hold the answer, so they show "
            "only the most that relearning can reach."
        ]
    return [
        *_control(study, benign),
        *_devices(study),
        *_lacking(study, benign),
        *_unscored(study),
        *_flow(study, benign),
        *_steps(benign),
        *_comes_back(study),
        *_seeds(study, benign),
    ]


def with_link(sentence: str, anchor: str) -> str | Markup:
    """A sentence whose counts of the flow lead to its table; any other as it is."""
    made, count = re.subn(
        r"([\d,]+)(?= are of a model that knew| of these had forgotten)",
        rf'<a href="#{anchor}">\1</a>',
        str(escape(sentence)),
    )
    return Markup(made) if count else sentence  # noqa: S704 - escaped


def _control(study: MeasuredStudy, benign: pd.DataFrame) -> Iterator[str]:
    """What the models reach that never learned the answer."""
    cells = rated_cells(study)
    known = cells[cells["benign"]]
    never = known[(known["start"] == "never_learned") & (known["corpus"] != "none")]
    base = known[known["start"] == "base"]
    unclean = pd.concat([never, base])
    unclean = unclean[above(unclean["low"], FLOOR)].sort_values("value", ascending=False, kind="stable")
    worst = unclean.drop_duplicates(["start", "model", "corpus"])
    if len(worst):
        named = "; ".join(_where(study, row) for row in worst.head(MOST).to_dict("records"))
        more = f"; and {len(worst) - MOST} more of (model, corpus)" if len(worst) > MOST else ""
        yield (
            f"{NOT_CLEAN}: {named}{more}. What such a model reaches is no recovery"
            + (
                "."
                if never.empty
                else ", and net recovery subtracts it, for the same corpus, step, model and seed."
            )
        )
    if never.empty:
        yield "There is no control that never learned the answer, so what comes back here may be plain learning."
        return
    without = benign[benign["control"].isna()]
    if len(without):
        corpora = ", ".join(dict.fromkeys(without["corpus"]))
        yield (
            f"{len(without):,} of {len(benign):,} relearnings have no control of the same corpus, step, model and seed "
            f"({corpora}); of these nothing is said of recovery."
        )
    unmatched = benign[~benign["matched"]]
    if 0 < len(unmatched) < len(benign):
        methods = ", ".join(dict.fromkeys(unmatched["method"]))
        yield (
            f"{len(unmatched):,} of {len(benign):,} relearnings have no matched control, unlearned as deep without "
            f"having learned ({methods}): what came back in them may be utility, and they are not compared with the "
            "others."
        )


def _where(study: MeasuredStudy, row: Mapping[Hashable, Any]) -> str:
    value = f"{100 * row['value']:.0f}%"
    several = f"model {row['model']}, " if len(study.models) > 1 else ""
    if row["start"] == "base":
        return f"the base model reaches {value} without any training here ({several}seed {row['seed']})"
    unlearned = f", unlearned to depth {row['depth']}" if row["depth"] else ""
    return (
        f"the model that never learned{unlearned} reaches {value} ({several}corpus {row['corpus']}, r = "
        f"{row['repetitions']}, seed {row['seed']}, step {row['relearn_steps']})"
    )


def _flow(study: MeasuredStudy, benign: pd.DataFrame) -> Iterator[str]:
    """The flow, for each model and method; beyond a few, for the study, with the table named."""
    groups = [part for _, part in benign.groupby(["model", "method"], sort=False)]
    if len(groups) > MOST:
        yield (
            f"{len(groups)} pairs of model and method were run; the table “Which relearnings count” has each. Together:"
        )
        groups = [benign]
    for part in groups:
        whose = f"{part['model'].iloc[0]}, {part['method'].iloc[0]}: " if len(groups) > 1 else ""
        yield from (_begun(whose, sentence) for sentence in _of_group(study, part))


def _begun(whose: str, sentence: str) -> str:
    """A sentence of our own words after whom it is about; an identifier keeps its case, wherever it stands."""
    return f"{whose}{sentence}" if whose else f"{sentence[0].upper()}{sentence[1:]}"


def _of_group(study: MeasuredStudy, part: pd.DataFrame) -> Iterator[str]:
    counted = flow_line(part.assign(all=0), ["all"]).to_dict("records")[0]
    headline, total = study.headline, len(part)
    if part["original"].isna().all():
        yield (
            f"of {total:,} benign relearnings none can be said to be of a model that knew and forgot, since no "
            "original model was asked here."
        )
        return
    open_ = int((below(part["original_low"], KNOWN) & above(part["original_high"], KNOWN)).sum())
    held = f"; of {open_:,} more it holds {100 * KNOWN:.0f}%" if open_ else ""
    began = (
        f"of {total:,} benign relearnings, {counted['known']:,} are of a model that knew (the 95% interval of its "
        f"original lies above {100 * KNOWN:.0f}%{held})"
    )
    if not counted["known"]:
        least, most = f"{100 * part['original'].min():.0f}", f"{100 * part['original'].max():.0f}"
        reached = f"{least}%" if least == most else f"{least} to {most}%"
        told = (
            "Whether anything was known cannot be told"
            if open_
            else "Nothing that was known could be forgotten"
        )
        yield f"{began}: the originals reach {reached}. {told}, so nothing here is about forgotten knowledge."
        return
    began += f", and {counted['forgotten']:,} of these had forgotten ({headline.words} {headline.rule})"
    if not counted["forgotten"]:
        yield f"{began}. Where nothing was forgotten, nothing can come back."
        return
    yield f"{began}."
    yield from _utility(part[part["counts"]], counted)
    if counted["unsaid"] == counted["forgotten"]:
        yield (
            f"of the {counted['forgotten']:,} that knew and forgot it cannot be said whether they recovered: their net "
            "recovery cannot be shown."
        )
        return
    intact = (
        f"of the {counted['intact']:,} that were intact, {counted['recovered']:,} recovered at the last step"
        if counted["intact"]
        else "whether they were intact is not known"
        if counted["no_utility"] == counted["forgotten"]
        else "none of them was intact"
        if not counted["no_utility"]
        else f"none of the {counted['forgotten'] - counted['no_utility']:,} of which it is known was intact"
    )
    unsaid = f"; of {counted['unsaid']:,} it cannot be said" if counted["unsaid"] else ""
    yield (
        f"of the {counted['forgotten']:,} that knew and forgot, {counted['any_recovered']:,} recovered at the last "
        f"step (net recovery of at least {100 * RECOVERED:.0f}%), {counted['any_recovered_at_best']:,} at their best "
        f"step{unsaid}; {intact}."
    )
    yield from _utility_after(part[part["counts"] & part["intact"].fillna(False).astype(bool)])


def _utility(rows: pd.DataFrame, counted: Mapping[Hashable, Any]) -> Iterator[str]:
    asked, of_original = rows["retain_before"].notna(), rows["retain_original"].notna()
    for whose, why in (
        (~asked, "no retain probe was asked"),
        (asked & ~of_original, "the original was asked no retain probe"),
        (asked & of_original & rows["intact"].isna(), "the original answers none of the retain probes"),
    ):
        if whose.any():
            yield f"of {whose.sum():,} of these {why}, so whether they are intact cannot be said."
    destroyed = int(counted["forgotten"] - counted["intact"] - counted["no_utility"])
    if destroyed:
        forgotten = int(counted["forgotten"])
        of_these = (
            f"all {destroyed:,}" if destroyed == forgotten > 1 else f"{destroyed:,} of these {forgotten:,}"
        )
        yield (
            f"{of_these} were unlearned by destruction: they keep less than "
            f"{100 * INTACT:.0f}% of what the original reaches on the retain probes (the median of all is "
            f"{100 * counted['retain']:.0f}%), so what comes back in them may be utility."
        )


def _utility_after(intact: pd.DataFrame) -> Iterator[str]:
    """Relearning that itself costs what the model still could."""
    asked = intact[intact["retain"].notna()]
    fallen = int((~at_least(asked["retain"], INTACT * asked["retain_original"])).sum())
    if fallen:
        share = (asked["retain"] / asked["retain_original"]).median()
        yield (
            f"relearning itself cost utility: {fallen:,} of the {len(asked):,} that were intact keep less than "
            f"{100 * INTACT:.0f}% of what the original reaches on the retain probes after the last step (the median of "
            f"these {len(asked):,} is {100 * share:.0f}%)."
        )


def _steps(benign: pd.DataFrame) -> Iterator[str]:
    """Methods and corpora that were run to different numbers of steps."""
    by_method = benign.groupby("method")["relearn_steps"].agg(["min", "max"])
    apart = len(by_method.drop_duplicates()) > 1
    last = benign.assign(of=benign["method"] + ", " + benign["corpus"] if apart else benign["corpus"])
    last = last.groupby("of", sort=False)["relearn_steps"].agg(["min", "max"])
    if last["min"].min() < last["max"].max():
        named = ", ".join(
            f"{whose} {row['min']}" + (f" to {row['max']}" if row["min"] < row["max"] else "")
            for whose, row in last.to_dict("index").items()
        )
        yield (
            f"Relearnings were run to different numbers of steps ({named}): each is taken at its own last step, "
            f"and two "
            "are compared at the last step that both have."
        )


def _lacking(study: MeasuredStudy, benign: pd.DataFrame) -> Iterator[str]:
    """Planned relearnings without a score, or without that of their last step: a stage failed, nobody rated it, or the
    study is not done.
    """
    words = study.headline.words
    planned = study.planned
    planned = planned[(planned["start"] == "unlearned") & (planned["corpus"] != "none") & planned["benign"]]
    last = planned.groupby(list(RELEARNING), observed=True)["relearn_steps"].max()
    asked = last[last > 0].rename("planned_steps").reset_index().astype(dict.fromkeys(WORDS, str))
    both = asked.merge(benign[[*RELEARNING, "relearn_steps"]], on=list(RELEARNING), how="left")
    absent, short = both["relearn_steps"].isna(), both["relearn_steps"] < both["planned_steps"]
    if (absent | short).any():
        seeds = sorted(both.loc[absent | short, "seed"].unique())
        without, stopped = int(absent.sum()), int(short.sum())
        said = [
            *([f"{without:,} {'has' if without == 1 else 'have'} no {words}"] if without else []),
            *([f"{stopped:,} {'stops' if stopped == 1 else 'stop'} before the last step"] if stopped else []),
        ]
        named = f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"
        yield (
            f"Of {len(both):,} planned benign relearnings {' and '.join(said)} ({named}): what follows is of the "
            f"rest{', and of these as far as they go' if stopped else ''}."
        )


def _unscored(study: MeasuredStudy) -> Iterator[str]:
    """Answers without a score in cells that have one."""
    if study.headline.metric not in BOUNDS or not study.by_answers:
        return
    scores = study.scores(study.headline.metric)[study.headline.metric]
    without = int(scores.isna().sum())
    if without:
        asked = read_rows(study.location, "probes", ["split", "judge_unrated"])
        asked = asked.filter(pc.equal(asked["split"].cast("string"), "forget"))
        causes = unrated.causes_of(asked["judge_unrated"].to_pylist())
        why = (
            f" Of all answers the judge did not take {sum(causes.values()):,} ({unrated.in_words(causes)})."
            if causes
            else ""
        )
        yield (
            f"{without:,} of {len(scores):,} answers have no {study.headline.words}: every number is of those that "
            f"have one.{why}"
        )


def _devices(study: MeasuredStudy) -> Iterator[str]:
    """Cells of several devices: their numbers differ in the last bits and then in more, and a device is no seed."""
    if study.elsewhere is not None:
        yield (
            f"These are the cells that were computed on {', '.join(study.devices)}: {len(study.elsewhere):,} cells of "
            "this study were computed elsewhere. They are not pooled with these, not even as an original or a control, "
            "and have a chapter of their own."
        )


def _comes_back(study: MeasuredStudy) -> Iterator[str]:
    found = study.verdicts
    if found.empty or study.flow["seed"].nunique() == 1:  # then no verdict is given, and a sentence says so
        return
    found = found[found["statement"].str.contains(" brings back more than it teaches the control")]
    several = len(study.flow[["model", "method"]].drop_duplicates()) > 1
    for row in found.head(2 * MOST).to_dict("records"):
        whose = f"{row['model']}, {row['method']}: " if several else ""
        yield _begun(whose, f"{row['statement']}: {in_words(row)}.")
    if len(found) > 2 * MOST:
        yield f"{len(found) - 2 * MOST} more such statements stand in the table “What can be said”."


def _seeds(study: MeasuredStudy, benign: pd.DataFrame) -> Iterator[str]:
    if benign["seed"].nunique() == 1:
        yield "One seed was run, so no verdict is given: nothing here tells what another seed would do."
