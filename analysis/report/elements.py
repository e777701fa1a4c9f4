"""What a report is made of: chapters of sections, which hold words, charts and tables, before they become a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from analysis.charts.chart import Chart


@dataclass(frozen=True)
class Table:
    """Rows of strings.

    Attributes:
        columns: a name and whether it holds numbers, which stand to the right and sort as such.
        caption: what a reader must know of it.
        tall: thousands of rows, in a box of their own that scrolls under a header that stays.
    """

    columns: tuple[tuple[str, bool], ...]
    rows: Sequence[Sequence[str | Markup]]
    caption: str = ""
    tall: bool = False

    @property
    def widths(self) -> str:
        """CSS widths of the columns, wide enough for every value: a grid knows only its own row."""
        longest = [
            max([len(name) * 0.62 + 2, *(len(str(row[index])) for row in self.rows)])
            for index, (name, _) in enumerate(self.columns)
        ]
        return " ".join(f"{min(length, 48) + 2:.0f}ch" for length in longest)


@dataclass(frozen=True)
class Section:
    """One heading of a study's chapter.

    Attributes:
        anchor: its address within the chapter.
        words: paragraphs.
    """

    anchor: str
    title: str
    words: tuple[str | Markup, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class Chapter:
    """One study.

    Attributes:
        anchor: its address in the page.
        sentences: the answer.
        state: how much of it is there.
        charts: every chart of its sections.
        absent: what the report would show if the study had it, and why it does not.
    """

    anchor: str
    name: str
    question: str
    sentences: list[str]
    state: str
    sections: list[Section]
    absent: list[str] = field(default_factory=list)

    @property
    def charts(self) -> list[Chart]:
        return [chart for section in self.sections for chart in section.charts]


def percent(value: float, digits: int = 0) -> str:
    """A number that is percent already; a dash where there is none."""
    return "–" if value != value else f"{value:.{digits}f}%"


def table_of(columns: Mapping[Any, bool], rows: Sequence[Mapping[Any, Any]], caption: str = "") -> Table:
    """A table of the named entries of some rows."""
    return Table(
        tuple((str(name), number) for name, number in columns.items()),
        [[_cell(row[name]) for name in columns] for row in rows],
        caption,
    )


def _cell(value: Any) -> str | Markup:
    if isinstance(value, Markup | str):
        return value
    if value is None or value != value:
        return "–"
    return f"{value:,}" if isinstance(value, int) else str(value)
