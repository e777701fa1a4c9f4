"""Names with their values, as a table for a person."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_pairs(title: str, rows: Iterable[tuple[str, str]]) -> None:
    """A line for each name, under a title."""
    table = Table(title=None, show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, value in rows:
        table.add_row(name, Text(value))  # as it is: brackets are no markup here
    console = Console(highlight=False)
    console.print(title, markup=False)
    console.print(table)


def duration(seconds: float) -> str:
    """Seconds as a person says them: 45 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
