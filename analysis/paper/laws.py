"""The paper's laws over all unlearned cells of a study, by counting.

Every law is judged from the rows by one stated rule, and says so when it cannot be judged. Where
``analysis.experiments`` looks at one place of a study and gives an interval, this looks at all of it and gives none.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.measures.before_and_after import relearned
from analysis.measures.surface import select
from analysis.reading.study_frames import Study
from analysis.statistics.wilson import wilson


@dataclass(frozen=True)
class Law:
    """A statement of the paper's, and what the rows say: True, False, or None where they do not."""

    statement: str
    holds: bool | None
    found: str


def laws(study: Study) -> list[Law]:
    """The paper's laws, judged on the cells that count as unlearned; the first is the names' alone."""
    last = relearned(study)
    kept = last[last["was_unlearned"]]
    names = [*_law_of_repetitions(study, kept)] if study.content["axes"]["scenario"] == ["names"] else []
    return [
        *names,
        _law_of_depth(kept),
        *_laws_of_corpora(study, kept),
        _law_of_the_control(study),
    ]


def _law_of_repetitions(study: Study, kept: pd.DataFrame) -> Iterator[Law]:
    prefix = kept[kept["corpus"] == "prefix"]
    rates = {
        int(str(count)): float(rows["value"].mean())
        for count, rows in prefix.groupby("repetitions", observed=True)
    }
    found = ", ".join(f"r={count}: {100 * rate:.0f}%" for count, rate in sorted(rates.items()))
    if {1, 3, 5, 7} <= rates.keys():
        apart = min(rates[7], rates[5]) - rates[1] >= 0.4
        between = rates[1] < rates[3] < min(rates[5], rates[7])
        yield Law(
            "On prefix, r=7 and r=5 give at least 40 points more than r=1, and r=3 lies between "
            "(all depths together)",
            apart and between,
            found,
        )
    else:
        yield Law("On prefix, ASR rises with repetitions", None, found or "no cells")
    depths = prefix.groupby("depth", observed=True)
    for depth, rows in depths:
        at = {
            int(str(count)): float(of_count["value"].mean())
            for count, of_count in rows.groupby("repetitions", observed=True)
        }
        if {1, 3, 5, 7} <= at.keys():
            rising = at[1] < at[3] < min(at[5], at[7])
            apart = min(at[5], at[7]) - at[1] >= 0.4
            words = ", ".join(f"r={count}: {100 * rate:.0f}%" for count, rate in sorted(at.items()))
            yield Law(
                f"The same at depth {depth} alone",
                apart and rising,
                words,
            )


def _law_of_depth(kept: pd.DataFrame) -> Law:
    """Within (repetitions, seed): from the shallowest unlearned depth to the deepest, does ASR fall?"""
    first = next((name for name in kept["corpus"].cat.categories if (kept["corpus"] == name).any()), "none")
    prefix = kept[kept["corpus"] == first]
    falls, rises, equal = 0, 0, 0
    for _, rows in prefix.groupby(["method", "repetitions", "seed"], observed=True):
        ordered = rows.sort_values("depth")["value"].to_numpy()
        if len(ordered) < 2:
            continue
        falls += ordered[-1] < ordered[0]
        rises += ordered[-1] > ordered[0]
        equal += ordered[-1] == ordered[0]
    statement = f"On {first}, deeper unlearning is harder to undo: relearning recovers less"
    if falls + rises == 0:
        return Law(statement, None, "no pair of depths that differ")
    return Law(
        statement,
        bool(falls > rises),
        f"from the shallowest to the deepest unlearned depth it falls in {falls} of "
        f"{falls + rises + equal} series (method × repetitions × seed), rises in {rises}, stays in {equal}",
    )


def _laws_of_corpora(study: Study, kept: pd.DataFrame) -> Iterator[Law]:
    """Paired: the same model, depth, repetitions and seed under two corpora."""
    place = ["model", "method", "repetitions", "depth", "seed"]
    percent = study.headline.percent
    wide = kept.pivot_table(index=place, columns="corpus", values="value", observed=True)
    present = [name for name in kept["corpus"].cat.categories if (kept["corpus"] == name).any()]
    benign = [name for name in present if bool(kept[kept["corpus"] == name]["benign"].all())]
    for better, worse in itertools.pairwise(benign):
        statement = f"Relearning {better} recovers more than relearning {worse}"
        pairs = wide[[better, worse]].dropna()
        difference = float((pairs[better] - pairs[worse]).mean())
        yield Law(
            statement,
            difference > 0,
            f"mean {percent(pairs[better].mean()):.0f}% against {percent(pairs[worse].mean()):.0f}% over "
            f"{len(pairs)} paired cells; above in {int((pairs[better] > pairs[worse]).sum())}, below in "
            f"{int((pairs[better] < pairs[worse]).sum())}",
        )


def _law_of_the_control(study: Study) -> Law:
    limit = study.forgotten
    statement = f"A model that never learned D does not know it: {study.headline.rule}"
    rows = select(study.cells, study.headline.metric, start="never_learned")
    rows = rows[rows["benign"]]
    if not len(rows):
        return Law(statement, None, "no control in this study")
    worst = float(rows["value"].max())
    found = f"at most {study.headline.percent(worst):.0f}% in any of {len(rows)} cells"
    if rows["n"].notna().all():
        _, high = wilson(rows["k"].sum(), rows["n"].sum())
        found += (
            f"; {int(rows['k'].sum())} of {int(rows['n'].sum()):,} queries in all (Wilson up to "
            f"{100 * float(high):.2f}%)"
        )
    return Law(statement, None if np.isnan(limit) else worst <= limit, found)
