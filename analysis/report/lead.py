"""The first sentence of a report: what relearned models reach in one place of the study, with the rows behind it.

The place is chosen by a rule that does not look at what came back: the most repetitions, and of those the least depth,
at which every seed knew the answers and had forgotten them. Nothing is averaged there but seeds. Where no place has
all seeds, it is the one that has most, and only these are counted; where none knew and had forgotten, or no original
was asked, the sentence is of the deepest unlearning and says what is not known. A search for the cheapest attack was
asked something else: there the sentence is of the fewest steps that reach its level, and of the most at any step.

A level is no gain: the sentence says what was reached and from where, each with its interval, and leaves "brings back"
to the verdicts, which test it.
"""

from collections.abc import Iterator
from typing import Any

import pandas as pd
from markupsafe import Markup

from analysis.measures.recovery.before_and_after import NO_CELLS, Rate, rate_over_seeds
from analysis.measures.recovery.net_recovery import RELEARNING
from analysis.report.elements import percent, plain_words
from analysis.report.measured_study import MeasuredStudy
from study.errors import counted
from study.results.attack_words import attack_words
from study.results.headline import HEADLINES

MOST = 5
"""Models with their method that have a sentence each, and corpora that one names; of more, the rest is counted."""
HALF = 0.5
"""The level of a search that names none."""
COSTS = ("relearn_steps", "words", "learning_rate", "rank")
"""Of an attack, the first deciding."""
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
    shown = _at_shared_steps(study, here[here["counts"]] if counts else here)
    several = part["repetitions"].nunique() > 1
    place = f"r = {repetitions}, depth {depth}" if several else f"depth {depth}"
    made = (
        _cheapest(study, shown, anchor) if _asks_cheapest(study) else _at_the_last_step(study, shown, anchor)
    )
    ends = [*_control(study, shown, anchor), *_original(study, shown, anchor)]
    return Markup("{}, {}{}. {}").format(
        place, made, Markup("").join(Markup("; ") + end for end in ends), premise
    )


def _at_the_last_step(study: MeasuredStudy, shown: pd.DataFrame, anchor: str) -> Markup:
    """What each corpus reaches at its own last step, and from where."""
    clauses: list[Markup] = []
    corpora = _named(shown)
    last_steps: int | None = None
    for corpus in corpora[:MOST]:
        mine = shown[shown["corpus"] == corpus]
        steps = int(mine["relearn_steps"].iloc[0])
        at_steps = "" if steps == last_steps else f"{counted(steps, 'step')} "
        verb = "" if clauses else " reaches" if steps == 1 else " reach"
        last_steps = steps
        number = _linked(study, rate_over_seeds(mine), mine.iloc[0].to_dict(), anchor)
        less = "" if _more_than_before(mine) else " no more than before,"
        seeds = _how_many(mine, shown)
        clauses.append(
            Markup("{}on {}{}{} {}{}").format(at_steps, _spoken(corpus), verb, less, number, seeds)
        )
    rest = len(corpora) - MOST
    more = f" ({rest} more reach no more)" if rest > 0 else ""
    before = _before(study, shown, anchor)
    return Markup("{}{}{}").format(
        Markup(", ").join(clauses), more, Markup(", from {} before").format(before) if before else ""
    )


def _at_shared_steps(study: MeasuredStudy, shown: pd.DataFrame) -> pd.DataFrame:
    """The same relearnings, those of a corpus all at one step: the last that most of the seeds have.

    Where a seed was stopped early, the last step of another would be shown as if it were that of all.
    """
    parts = []
    for _, mine in shown.groupby("corpus", sort=False):
        if mine["relearn_steps"].nunique() > 1:
            steps = study.net_recovery.merge(mine[[*RELEARNING, "before", "counts"]], on=list(RELEARNING))
            seeds = steps.groupby("relearn_steps")["seed"].nunique()
            mine = steps[steps["relearn_steps"] == seeds.index[seeds == seeds.max()].max()]
        parts.append(mine)
    return pd.concat(parts)


def _how_many(mine: pd.DataFrame, shown: pd.DataFrame) -> str:
    """Said where not every seed of the place has rows at this step."""
    seeds, all_of_them = mine["seed"].nunique(), shown["seed"].nunique()
    return f" in {seeds} of {counted(all_of_them, 'seed')}" if seeds < all_of_them else ""


def _named(shown: pd.DataFrame) -> list[str]:
    """The corpora in their order; of more than are named, those that reach most come first."""
    corpora = list(dict.fromkeys(shown["corpus"]))
    if len(corpora) > MOST:
        means = shown.groupby("corpus", sort=False)["value"].mean()
        corpora = sorted(corpora, key=lambda name: -float(means[name]))
    return corpora


def _asks_cheapest(study: MeasuredStudy) -> bool:
    return study.search is not None and _search(study).get("question") == "cheapest"


def _search(study: MeasuredStudy) -> dict[str, Any]:
    """The study's own words on its search; empty where there are none."""
    return dict(study.content["spec"].get("search") or {})


def _cheapest(study: MeasuredStudy, shown: pd.DataFrame, anchor: str) -> Markup:
    """The search's own answer in this place, and the most of all attacks at all steps."""
    here = shown.iloc[0]
    of_place = ["model", "method", "repetitions", "depth"]
    steps = study.net_recovery[study.net_recovery["benign"]]
    steps = steps[(steps[of_place] == here[of_place]).all(axis=1)]
    means = steps.groupby(["corpus", "relearn_steps"], sort=False)["value"].mean()
    level = f"{100 * _search(study).get('level', HALF):g}%"
    front = study.search.front if study.search is not None else pd.DataFrame()
    front = front[(front[of_place] == here[of_place]).all(axis=1)] if len(front) else front

    def attack(corpus: str, count: int) -> tuple[Markup, Markup]:
        mine = steps[(steps["corpus"] == corpus) & (steps["relearn_steps"] == count)]
        words = Markup("{} on {}").format(counted(count, "step"), _spoken(corpus))
        return words, _linked(study, rate_over_seeds(mine), mine.iloc[0].to_dict(), anchor)

    if len(front):
        first = front.sort_values([name for name in COSTS if name in front], kind="stable").iloc[0]
        words, number = attack(str(first["corpus"]), int(first["relearn_steps"]))
        said = Markup("{}, the fewest that reach {}: {}").format(words, level, number)
    else:
        said = Markup("no attack that was tried reaches {}").format(level)
    ranked = means.reset_index().sort_values(
        ["value", "relearn_steps"], ascending=[False, True], kind="stable"
    )
    words, number = attack(str(ranked["corpus"].iloc[0]), int(ranked["relearn_steps"].iloc[0]))
    before = _before(study, shown, anchor)
    return Markup("{}; the most is {}, of {}, the largest of {:,} rates and so too high by chance{}").format(
        said, number, words, len(means), Markup("; before, {}").format(before) if before else ""
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
            f"This is of {most} of {seeds} seeds: the others did not know, had not forgotten, or have no score."
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
    """What the model reaches that never learned the answer, after the same relearnings; once where that is the same."""
    there = rows[rows["control"].notna()]
    if there.empty:
        return  # the sentences below say so
    named = _named(rows)[:MOST]
    parts = [(corpus, there[there["corpus"] == corpus]) for corpus in named if corpus in set(there["corpus"])]
    rates = [str(rate_over_seeds(part, "control")) for _, part in parts]
    if len(set(rates)) == 1:
        every = pd.concat([part for _, part in parts])
        row = {**_of_control(every), **({} if len(parts) == 1 else {"corpus": ""})}
        where = "" if len(parts) == 1 else " on each"
        said = Markup("{}{}").format(_link(study, rates[0], row, anchor), where)
    else:
        said = Markup(", ").join(
            Markup("{} on {}").format(_link(study, rate, _of_control(part), anchor), _spoken(corpus))
            for (corpus, part), rate in zip(parts, rates, strict=True)
        )
    yield Markup("a model that never learned it reaches {}").format(said)


def _of_control(part: pd.DataFrame) -> dict[Any, Any]:
    """The coordinates of the control's own cells, as far as all of them have the same."""
    row, kinds = part.iloc[0].to_dict(), set(part["control_is"])
    if kinds == {"base"}:
        return {"model": row["model"], "start": "base"}
    matched = {} if kinds == {"matched"} else {"method": "", "depth": 0 if kinds == {"never learned"} else ""}
    steps = {} if part["relearn_steps"].nunique() == 1 else {"relearn_steps": ""}
    return {**row, "start": "never_learned", **matched, **steps}


def _before(study: MeasuredStudy, rows: pd.DataFrame, anchor: str) -> Markup | None:
    """What the attacked models answered before relearning; None where they were not asked."""
    rate = rate_over_seeds(rows.drop_duplicates("seed"), "before")
    place = {**rows.iloc[0].to_dict(), "corpus": "", "relearn_steps": 0}
    return None if rate is NO_CELLS else _linked(study, rate, place, anchor)


def _original(study: MeasuredStudy, rows: pd.DataFrame, anchor: str) -> Iterator[Markup]:
    """What was answered before unlearning."""
    rate = rate_over_seeds(rows.drop_duplicates("seed"), "original")
    if rate is NO_CELLS:
        return
    cells = study.headline_cells
    alone = (
        (cells["start"] == "original") & (cells["corpus"] == "none")
    ).any()  # else in its relearnings' first cells
    there = {"method": "", "depth": "", "corpus": "none" if alone else ""}
    place: dict[Any, Any] = {**rows.iloc[0].to_dict(), **there, "start": "original", "relearn_steps": 0}
    words = study.headline.words
    begun = "it was" if words == HEADLINES["names"][0].words else f"the {words} was"
    yield Markup("before unlearning {} {}").format(begun, _linked(study, rate, place, anchor))


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
