"""docs/RESULTS.md: the words are a person's, what stands between two marks is written here from recorded studies.

A mark is ``<!-- NAME: TABLE … -->`` … ``<!-- end -->``: NAME is a recorded study, TABLE one of
``analysis.record.tables.TABLES`` or ``PICTURES``, and further words are its arguments. With several names, separated by
commas, TABLE is one of ``JOINT_TABLES``.
"""

import re
from contextlib import ExitStack
from pathlib import Path

from analysis.charts.drawing import Drawing
from analysis.reading.studies import Studies
from analysis.record.recorded_study import on_record
from analysis.record.tables import JOINT_TABLES, PICTURES, TABLES, links
from analysis.report.measured_study import MeasuredStudy
from study.errors import SpecError

PAGE = "RESULTS.md"
MARKED = re.compile(r"<!-- (?P<name>[\w.,-]+): (?P<words>[^>]*?) -->\n.*?<!-- end -->\n", re.DOTALL)
NOTHING = "Nothing is on record yet."
"""In place of the tables of a study that is still to be run."""


def page(records: Path) -> tuple[str, dict[Path, bytes]]:
    """The text of RECORDS/RESULTS.md with every marked part computed again, and the pictures it shows.

    Returns:
        The text; and for each picture its path and the bytes of an SVG.

    Raises:
        SpecError: a mark names a table that there is not.
    """
    studies: dict[str, MeasuredStudy] = {}
    shown: dict[Path, bytes] = {}
    with ExitStack() as opened:

        def written(found: re.Match[str]) -> str:
            name, (kind, *rest) = found["name"], found["words"].split()
            names = name.split(",")
            allowed = JOINT_TABLES if len(names) > 1 else {**TABLES, **PICTURES}
            if kind not in allowed:
                raise SpecError(
                    f"{PAGE}: no table of {name} is called {kind!r}; there are {', '.join(allowed)}"
                )
            for each in names:
                if each not in studies and (records / each).exists():
                    studies[each] = MeasuredStudy.of(opened.enter_context(on_record(records / each)))
            if any(each not in studies for each in names):
                made = f"{NOTHING}\n"
            elif len(names) > 1:
                made = JOINT_TABLES[kind](Studies(tuple(studies[each] for each in names)), *rest)
            elif kind in PICTURES:
                charts = PICTURES[kind](studies[name], *rest)
                shown.update(
                    {records / name / f"{chart.name}.svg": Drawing(chart).file() for chart in charts}
                )
                made = links(charts, name)
            else:
                made = TABLES[kind](studies[name], *rest)
            return f"<!-- {name}: {found['words']} -->\n\n{made}\n<!-- end -->\n"

        text = MARKED.sub(written, (records / PAGE).read_text(encoding="utf-8"))
    return text, shown
