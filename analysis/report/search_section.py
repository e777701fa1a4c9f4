"""The section that an adaptive study has: what its search found, how sure it is, and what it asked in which order."""

import base64
from pathlib import Path

from markupsafe import Markup

from analysis.charts.search_contours import contour_picture
from analysis.reading.search_result import Searched, searched
from analysis.report.sections import Section, Table, table_of

FRONT = ("repetitions", "depth", "corpus", "relearn_steps", "words", "learning_rate", "rank")
WORDS = (
    "The depth up to which the attack works, over relearn steps, with its 95% band. Each bar is a trajectory "
    "that was asked, at its depth; the darker, the later, with the number of its round beside it (0: published "
    "before). At the edge of a panel: at no depth, or beyond the deepest."
)


def search_section(folder: Path) -> Section | None:
    """None where nothing was searched, or nothing is answered yet."""
    found = searched(folder)
    if found is None:
        return None
    figures = (_contours(found),) if len(found.contours) else ()
    tables = (_front(found),) if len(found.front) else ()
    return Section("search", "The search", found.sentences, tables=tables, figures=figures)


def _contours(found: Searched) -> Markup:
    data = base64.b64encode(contour_picture(found)).decode()
    figure = Markup(
        '<figure><img src="data:image/png;base64,{}" alt="{}"><figcaption>{}</figcaption></figure>'
    )
    return figure.format(data, WORDS, WORDS)


def _front(found: Searched) -> Table:
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
        "The attacks that work and that no other beats: at most as dear in steps, words, rate and rank, and at least "
        "as successful. Success is the mean over seeds, in brackets the lowest and the highest.",
    )
