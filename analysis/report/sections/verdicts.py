"""What can be said: each statement with its verdict, over all relearnings that count."""

from analysis.measures.recovery.statements import MARGIN
from analysis.report.elements import Section, Table, signed, table_of, with_interval
from analysis.report.measured_study import MeasuredStudy

ABOUT = (
    "A verdict is from one number for each seed, over all pairs of relearnings that knew and forgot and differ in "
    "nothing else. A statement holds where the interval lies above 0, and does not hold where it lies below 0 or "
    f"wholly within {100 * MARGIN:.0f} points of 0. Otherwise it cannot be said, and beside it stands how large an "
    "effect would have been found in 80% of such studies, no less than the interval leaves open. Scores are taken "
    "above the control of the same corpus, step, model and seed, where there is one. Intervals are over seeds, for the "
    "queries that were asked, and adjusted for the number of statements (Holm). At the best step of a corpus the "
    "interval allows for its being chosen as the largest, and those statements are adjusted among themselves. "
    "Student's t says whether 0 is inside; the ends reach at least as far as the two rates leave open by "
    "themselves, unless it would come in, so that few seeds near 0 or 100% deny nothing and promise nothing."
)


def verdict_section(study: MeasuredStudy) -> Section | None:
    """None where no relearning counts."""
    found = study.verdicts
    if found.empty:
        return None
    rows = [
        {
            "model": row["model"],
            "method": row["method"],
            "statement": row["statement"],
            "verdict": row["verdict"],
            "because": row["why"],
            **with_interval("points", *(signed(100 * float(row[name])) for name in ("value", "low", "high"))),
            "seeds": row["seeds"],
            "pairs": row["pairs"],
            "could have been seen": _smallest(row["smallest"]),
            "over": row["over"],
        }
        for row in found.to_dict("records")
    ]
    constant = [name for name in ("model", "method") if study.flow[name].nunique() == 1]
    text = {"model", "method", "statement", "verdict", "because", "over"}
    columns = {name: name not in text for name in rows[0] if name not in constant}
    table: Table = table_of(columns, rows, "Statements and their verdicts")
    return Section("verdicts", "What can be said", (ABOUT,), tables=(table,))


def _smallest(value: float) -> str:
    return "–" if value != value else "> 100 points" if value > 1 else f"{100 * value:.0f} points"
