"""The section that an adaptive study has: what its search found, how sure it is, and what it asked in which order."""

from analysis.charts.contours import search_chart
from analysis.reading.search_result import SearchResult, read_search_result
from analysis.report.elements import Section, Table, table_of
from analysis.report.measured_study import MeasuredStudy

FRONT = ("repetitions", "depth", "corpus", "relearn_steps", "words", "learning_rate", "rank")


def search_section(study: MeasuredStudy) -> Section | None:
    """None where there was no search, or it has no answer yet; nor of a study that is not on this machine."""
    found = read_search_result(study.folder) if study.location.filesystem is None else None
    if found is None:
        return None
    chart = search_chart(found)
    charts = () if chart is None else (chart,)
    tables = (_front(found),) if len(found.front) else ()
    return Section("search", "The search", found.sentences, charts, tables)


def _front(found: SearchResult) -> Table:
    rows = []
    for row in found.front.sort_values(list(FRONT)).to_dict("records"):
        line = {
            name.replace("_", " "): f"{row[name]:g}" if isinstance(row[name], float) else row[name]
            for name in FRONT
        }
        line["success"] = (
            f"{100 * row['success']:.0f}% ({100 * row['lowest']:.0f}–{100 * row['highest']:.0f})"
        )
        rows.append({**line, "seeds": row["seeds"]})
    return table_of(
        {name: name != "corpus" for name in rows[0]},
        rows,
        "The Pareto-optimal attacks that work: no other attack needs at most as many steps, words, learning rate and "
        "rank and succeeds at least as often. Success is the mean over seeds, in brackets the lowest and the highest.",
    )
