"""What a report is made of: chapters of sections, which hold words, charts and tables, before they become a page.

A cell of a table holds one value, so that it sorts and can be looked for; an interval is two columns beside its value.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from markupsafe import Markup

from analysis.charts.chart import Chart

WORDY, LONG = 26, 90
"""Letters from which on a value is a sentence, and from which on it wants more room, or all others wait beside it."""
MANY = 10
"""Columns beyond which a table is set smaller: on a screen all of them, on paper those that stand there."""

ROOM = 120
"""Letters of a small table that a sheet of paper has room for; the heads of a wider one are turned."""


@dataclass(frozen=True)
class Table:
    """Rows of strings.

    Attributes:
        columns: a name and whether it holds numbers, which stand to the right and sort as such.
        caption: what a reader must know of it.
        tall: thousands of rows, in a box of their own that scrolls under a header that stays.
        stacked: each row is long text, which a narrow screen shows as a block and not as a line of columns.
        file: where all rows are, for a page that shows or prints not all.
    """

    columns: tuple[tuple[str, bool], ...]
    rows: Sequence[Sequence[str | Markup]]
    caption: str = ""
    tall: bool = False
    stacked: bool = False
    file: str = ""

    @property
    def summary(self) -> str:
        """The caption's first clause: enough to choose whether to unfold the table."""
        return re.split(r"[:;.] ", self.caption)[0]

    @property
    def kinds(self) -> str:
        """Its classes in the page."""
        printed = len(self.columns) - 2 * len(self.intervals)
        named = {
            "stacked": self.stacked,
            "many": len(self.columns) > MANY,
            "close": printed > MANY,
            "turned": printed > MANY and self._letters > ROOM,
        }
        return " ".join(name for name, holds in named.items() if holds)

    @property
    def _letters(self) -> int:
        """How wide it is on paper, in letters, where every head and value is broken between its words."""
        ends = {end for pair in self.intervals.values() for end in pair}
        return sum(
            1
            + max(
                *(len(word) for word in name.split()),
                *(len(word) for row in self.rows for word in str(row[index]).split()),
                *(2 + len(self.on_paper(row, index)) for row in self.rows if index in self.intervals),
                0,
            )
            for index, (name, _) in enumerate(self.columns)
            if index not in ends
        )

    @cached_property
    def intervals(self) -> Mapping[int, tuple[int, int]]:
        """The columns of the two ends, for each column that has them beside it.

        They are columns of their own on a screen, where one sorts and searches; on paper they stand in brackets
        behind the value.
        """
        names = [name for name, _ in self.columns]
        return {
            index: (index + 1, index + 2)
            for index, name in enumerate(names)
            if any(
                names[index + 1 : index + 3] == [f"{name}{low}", f"{name}{high}"]
                for low, high in (ENDS[:2], ENDS[2:])
            )
        }

    def on_paper(self, row: Sequence[str | Markup], index: int) -> str:
        """What stands in brackets behind a value on paper; empty where it has no interval.

        A bracket is 95%; one that is the range of the seeds says so.
        """
        if index not in self.intervals:
            return ""
        low, high = (str(row[end]) for end in self.intervals[index])
        if "–" in (low, high):
            return ""
        if self.columns[index + 1][0].endswith(ENDS[2:]):
            return f"seeds {low.removesuffix('%')} to {high.removesuffix('%')}"
        signs = any(end[0] in "+-" for end in (low, high))
        return f"{low} to {high}" if signs else f"{low.removesuffix('%')}–{high.removesuffix('%')}"

    @property
    def column_kinds(self) -> tuple[str, ...]:
        """The classes of each column: numbers; sentences, which want room; an end of an interval."""
        ends = {end for pair in self.intervals.values() for end in pair}
        letters = [
            0 if number else max((len(str(row[index])) for row in self.rows), default=0)
            for index, (_, number) in enumerate(self.columns)
        ]
        return tuple(
            " ".join(
                name
                for name, holds in (
                    ("number", number),
                    ("wordy", letters[index] > WORDY),
                    ("long", letters[index] > LONG),
                    ("end", index in ends),
                )
                if holds
            )
            for index, (_, number) in enumerate(self.columns)
        )

    @property
    def widths(self) -> str:
        """CSS widths of the columns, wide enough for every value: a grid knows only its own row."""
        longest = [
            max(
                [
                    len(name) * 0.62 + 2,
                    *(len(word) + 2 for word in name.split()),
                    *(len(str(row[index])) for row in self.rows),
                ]
            )
            for index, (name, _) in enumerate(self.columns)
        ]
        return " ".join(f"{min(length, 48) + 2:.0f}ch" for length in longest)


@dataclass(frozen=True)
class Text:
    """Text as it is in a file, to be copied.

    Attributes:
        caption: what it is, and what can be done with it.
    """

    caption: str
    content: str


@dataclass(frozen=True)
class Section:
    """One heading of a study's chapter: words, then pictures, then the tables behind them.

    Attributes:
        anchor: its address within the chapter.
        words: paragraphs.
    """

    anchor: str
    title: str
    words: tuple[str | Markup, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    texts: tuple[Text, ...] = ()


@dataclass(frozen=True)
class Chapter:
    """One study.

    Attributes:
        anchor: its address in the page.
        failed: what failed and how much is missing, which the page says first; empty where all is there.
        warning: what comes before every answer, such as a control that is not clean; empty where there is none.
        lead: the answer in a sentence for each model and method, with links to the rows behind its numbers.
        sentences: how far the answer goes.
        facts: when, with which version, of which model and seeds, how much of it is there: a name and a value each.
        charts: every chart of its sections.
        absent: what the report would show if the study had it, and why it does not.
    """

    anchor: str
    name: str
    question: str
    failed: str
    warning: str
    lead: list[Markup]
    sentences: list[str | Markup]
    facts: list[tuple[str, str]]
    sections: list[Section]
    absent: list[str] = field(default_factory=list)

    @property
    def charts(self) -> list[Chart]:
        return [chart for section in self.sections for chart in section.charts]


def plain_words(name: str) -> str:
    """The name of a coordinate as one word that the search of a table takes, such as ``relearn-steps``."""
    return name.replace("_", "-").replace(" ", "-")


def percent(value: float, digits: int = 0) -> str:
    """A number that is percent already; a dash where there is none."""
    return "–" if math.isnan(value) else f"{value:z,.{digits}f}%"


def signed(value: float, digits: int = 0) -> str:
    """A difference with its sign; a dash where there is none."""
    return "–" if math.isnan(value) else f"{round(value, 9):+z,.{digits}f}"


def table_of(columns: Mapping[Any, bool], rows: Sequence[Mapping[Any, Any]], caption: str = "") -> Table:
    """A table of the named entries of some rows; a column that no row has is left out, and the caption names it.

    It does not name ends of intervals and remarks.
    """
    made = [{name: _cell(row.get(name)) for name in columns} for row in rows]
    kept = {
        name: number
        for name, number in columns.items()
        if not made or any(row[name] not in ("–", "") for row in made)
    }
    unknown = [
        str(name)
        for name in columns
        if name not in kept and not str(name).endswith(ENDS) and any(row[name] == "–" for row in made)
    ]
    if unknown:
        caption = f"{caption.removesuffix('.')}. Left out, since no row has it: {'; '.join(unknown)}."
    return Table(
        tuple((str(name), number) for name, number in kept.items()),
        [[row[name] for name in kept] for row in made],
        caption,
    )


ENDS = (", from", ", to", ", lowest", ", highest")
"""How the names of columns end that hold the ends of an interval or of a range."""


def with_interval(name: str, value: str, low: str, high: str, *, of_seeds: bool = False) -> dict[str, str]:
    """Three columns: a value, and the ends of its interval, or of the range of its seeds."""
    ends = ENDS[2:] if of_seeds else ENDS[:2]
    return {name: value, f"{name}{ends[0]}": low, f"{name}{ends[1]}": high}


def _cell(value: Any) -> str | Markup:
    if isinstance(value, Markup | str):
        return value
    if value is None or value != value:
        return "–"
    return f"{value:,}" if isinstance(value, int) else str(value)
