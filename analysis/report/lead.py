"""The first sentence of a report: what relearning brings back in one place of the study, with the rows behind it.

The place is chosen by a rule that does not look at what came back: the most repetitions, and of those the least depth,
at which every seed knew the answers and had forgotten them. Nothing is averaged there but seeds. Where no place has
all seeds, it is the one that has most, and only these are counted; where none knew and had forgotten, or no original
was asked, the sentence is of the deepest unlearning and says what is not known.
"""

from collections.abc import Iterator
from typing import Any

import pandas as pd
from markupsafe import Markup

from analysis.measures.recovery.before_and_after import NO_CELLS, Rate, rate_over_seeds
from analysis.report.elements import percent, plain_words
from analysis.report.measured_study import MeasuredStudy
from study.errors import counted
from study.results.attack_words import attack_words
from study.results.headline import HEADLINES

MOST = 5
"""Models with their method that have a sentence each, and corpora that one names; of more, the rest is counted."""
SEARCHED = ("model", "method", "start", "corpus", "repetitions", "depth", "relearn_steps")


def lead(study: MeasuredStudy, anchor: str) -> list[Markup]:
    """A sentence for each model and method; none where no benign corpus was relearned.

    Args:
        anchor: of the chapter, whose table of cells the numbers lead to.
    """
    rows = study.flow
    if rows.empty or not rows["benign"].any():
        return []
    groups = [part for _, part in rows[rows["benign"]].groupby(["model", "method"], sort=False)]
    made = []
    for part in groups[:MOST]:
        models, methods = rows["model"].nunique(), rows["method"].nunique()
        named = [
            str(part[name].iloc[0]) for name, count in (("model", models), ("method", methods)) if count > 1
        ]
        sentence = _of_place(study, part, anchor)
        whose = Markup("{}: at ").format(", ".join(named)) if named else Markup("At ")
        made.append(whose + sentence)
    if len(groups) > MOST:
        made.append(Markup("{} more pairs of model and method are in the tables.").format(len(groups) - MOST))
    return made


def _of_place(study: MeasuredStudy, part: pd.DataFrame, anchor: str) -> Markup:
    repetitions, depth, counts, premise = _place(part)
    here = part[(part["repetitions"] == repetitions) & (part["depth"] == depth)]
    shown = here[here["counts"]] if counts else here
    several = part["repetitions"].nunique() > 1
    place = f"r = {repetitions}, depth {depth}" if several else f"depth {depth}"
    clauses = []
    corpora = list(dict.fromkeys(shown["corpus"]))
    if len(corpora) > MOST:
        means = shown.groupby("corpus", sort=False)["value"].mean()
        corpora = sorted(corpora, key=lambda name: -float(means[name]))
    last_steps: int | None = None
    said = False
    for corpus in corpora[:MOST]:
        mine = shown[shown["corpus"] == corpus]
        steps = int(mine["relearn_steps"].max())
        mine = mine[mine["relearn_steps"] == steps]
        at_steps = "" if steps == last_steps else f"{counted(steps, 'step')} "
        last_steps = steps
        number = _linked(study, rate_over_seeds(mine), mine.iloc[0].to_dict(), anchor)
        verb = "" if said else " brings back" if steps == 1 else " bring back"
        said = True
        less = "" if _more_than_before(mine) else " no more than before,"
        clauses.append(Markup("{}on {}{}{} {}").format(at_steps, _spoken(corpus), verb, less, number))
    sentence = Markup("{}, {}").format(place, Markup(", ").join(clauses))
    rest = len(corpora) - MOST
    more = f" ({rest} more bring back less)" if rest > 0 else ""
    ends = [*_control(study, shown, anchor), *_around(study, shown)]
    return Markup("{}{}{}{}. {}").format(
        sentence, more, Markup("; ") if ends else "", Markup("; ").join(ends), premise
    )


def _more_than_before(rows: pd.DataFrame) -> bool:
    """Whether relearning ends above where it began, or both are nothing, as the page rounds it."""
    before, after = float(rows["before"].mean()), float(rows["value"].mean())
    return not before > 0 or after > before or percent(100 * before) == percent(0)


def _place(part: pd.DataFrame) -> tuple[int, int, bool, str]:
    """Repetitions, depth, whether only relearnings that count are taken, and what must be said of it."""
    seeds = int(part["seed"].nunique())
    counting: dict[tuple[int, int], int] = {
        (int(str(repetitions)), int(str(depth))): int(rows.loc[rows["counts"], "seed"].nunique())
        for (repetitions, depth), rows in part.groupby(["repetitions", "depth"])
    }
    most = max(counting.values())
    if most > 0:
        places = [place for place, count in counting.items() if count == most]
        chosen = min(places, key=lambda place: (-place[0], place[1]))
        said = (
            f"This is of {most} of {seeds} seeds: the others did not know, had not forgotten, or have no rows."
            if most < seeds
            else ""
        )
        return *chosen, True, said
    repetitions = part["repetitions"].max()
    depth = part.loc[part["repetitions"] == repetitions, "depth"].max()
    said = (
        "No original model was asked, so whether anything was known before is not known."
        if part["original"].isna().all()
        else "No model knew the answers and had forgotten them, so this is no recovery of what was known."
    )
    return int(repetitions), int(depth), False, said


def _control(study: MeasuredStudy, rows: pd.DataFrame, anchor: str) -> Iterator[Markup]:
    """What the model reaches that never learned the answer, after the same relearnings."""
    there = rows[rows["control"].notna()]
    if there.empty:
        return  # the sentences below say so
    rates = [rate_over_seeds(mine, "control") for _, mine in there.groupby("corpus", sort=False)]
    low, high = (percent(100 * end(rate.value for rate in rates)) for end in (min, max))
    row = {**there.iloc[0].to_dict(), "start": "never_learned", "corpus": "", "method": "", "depth": ""}
    words = low if low == high else f"{low} to {high}"
    yield Markup("a model that never learned it reaches {}").format(_link(study, words, row, anchor))


def _around(study: MeasuredStudy, rows: pd.DataFrame) -> Iterator[Markup]:
    """What was answered before relearning, and before unlearning."""
    before = rate_over_seeds(rows.drop_duplicates("seed"), "before")
    original = rate_over_seeds(rows.drop_duplicates("seed"), "original")
    said = [
        f"{percent(100 * rate.value)} {when}"
        for rate, when in ((before, "before relearning"), (original, "before unlearning"))
        if rate is not NO_CELLS
    ]
    if said:
        words = study.headline.words
        answered = words == HEADLINES["names"][0].words
        begun = "the attacked model answered" if answered else f"the {words} of the attacked model was"
        yield Markup("{} {}").format(begun, " and ".join(said))


def _linked(study: MeasuredStudy, rate: Rate, row: dict[Any, Any], anchor: str) -> Markup:
    return _link(study, str(rate), row, anchor)


def _link(study: MeasuredStudy, words: str, row: dict[Any, Any], anchor: str) -> Markup:
    """A number that leads to its rows in the table of cells."""
    cells = study.headline_cells
    terms = [
        f'{plain_words(name)}:"{row[name]}"'
        for name in SEARCHED
        if str(row.get(name, "")) != "" and cells[name].nunique() > 1
    ]
    return Markup('<a href="#{}-cells" data-find="{}">{}</a>').format(anchor, " ".join(terms), words)


def _spoken(corpus: str) -> Markup:
    return Markup("<em>{}</em>").format(attack_words(corpus))
