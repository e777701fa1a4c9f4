"""The section of an adaptive study: what its search answers, the contours it drew, the attacks that none beats."""

import base64
from typing import Any

from markupsafe import Markup

from analysis.frames import Study
from analysis.report.sections import Section, Table, table_of
from analysis.searched import Searched, contour_picture, searched

FRONT = ("repetitions", "depth", "corpus", "relearn_steps", "words", "learning_rate", "rank")
CONTOURS = (
    "The depth up to which the attack works, over relearn steps, with its 95% band. Each bar is a trajectory that was "
    "asked, at its depth; the darker, the later, with the number of its round beside it (0: published before). At the "
    "edge of a panel: at no depth, or beyond the deepest."
)


def search(study: Study) -> Section | None:
    """None where nothing was searched, or the study is not on this machine."""
    found = searched(study.folder) if study.place.filesystem is None else None
    if found is None:
        return None
    tables = (_front(found),) if len(found.front) else ()
    picture = _picture(found) if len(found.contours) else None
    return Section("search", "The search", found.sentences, tables=tables, figure=picture)


def _picture(found: Searched) -> Markup:
    data = base64.b64encode(contour_picture(found)).decode()
    return Markup(
        '<figure><img class="picture" src="data:image/png;base64,{}" alt="{}"><figcaption>{}</figcaption></figure>'
    ).format(data, CONTOURS, CONTOURS)


def _front(found: Searched) -> Table:
    rows = [_line(row) for row in found.front.sort_values(list(FRONT)).to_dict("records")]
    columns = {name: name != "corpus" for name in rows[0]}
    return table_of(
        columns,
        rows,
        "The attacks that work and that no other beats: at most as dear in steps, words, rate and rank, and at least "
        "as successful. Success is the mean over seeds, in brackets the lowest and the highest",
    )


def _line(row: dict[Any, Any]) -> dict[str, Any]:
    line: dict[str, Any] = {
        name.replace("_", " "): f"{row[name]:g}" if isinstance(row[name], float) else row[name]
        for name in FRONT
    }
    line["success"] = f"{100 * row['success']:.0f}% ({100 * row['lowest']:.0f}–{100 * row['highest']:.0f})"
    line["seeds"] = int(row["seeds"])
    return line
