"""The section that an adaptive study has: what its search found, how sure it is, and what it asked in which order."""

from analysis.charts.attacks import attack_chart
from analysis.charts.contours import search_chart
from analysis.reading.search_result import SearchResult
from analysis.report.elements import Section, Table, percent, table_of, with_interval
from analysis.report.measured_study import MeasuredStudy

ONE_FRONTIER = (
    "This is the page's only frontier: it is estimated from all trajectories that were asked, so that each tells of "
    "its neighbours too. One interpolated from the few cells of each depth would differ from it, and rest on less."
)
FRONT = ("repetitions", "depth", "corpus", "relearn_steps", "words", "learning_rate", "rank")


def search_section(study: MeasuredStudy) -> Section | None:
    """None where there was no search, or it has no answer yet; nor of a study that is not on this machine."""
    found = study.search
    if found is None:
        return None
    score = study.headline.words
    charts = tuple(chart for chart in (search_chart(found), attack_chart(found, score)) if chart is not None)
    tables = (_front(found, score),) if len(found.front) else ()
    words = (*found.sentences, ONE_FRONTIER) if len(found.contours) else found.sentences
    return Section("search", "The search", words, charts, tables)


def _front(found: SearchResult, score: str) -> Table:
    rows = []
    for row in found.front.sort_values(["success", *FRONT], ascending=[False] + [True] * len(FRONT)).to_dict(
        "records"
    ):
        line = {
            name.replace("_", " "): f"{row[name]:g}" if isinstance(row[name], float) else row[name]
            for name in FRONT
        }
        success, *ends = (percent(100 * row[name]) for name in ("success", "lowest", "highest"))
        low, high = ends if ends[0] != ends[1] else ("–", "–")
        line |= with_interval(score, success, low, high, of_seeds=True)
        rows.append({**line, "seeds": row["seeds"]})
    return table_of(
        {name: name != "corpus" for name in rows[0]},
        rows,
        "The Pareto-optimal attacks that work: no other attack needs at most as many steps, words, learning rate and "
        f"rank and succeeds at least as often. The {score} is the mean over seeds.",
    )
