"""What is printed for a person: names with their values, and durations in words."""

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cluster.command_line.output import Output, printable


class _Raw:
    """An ``Output`` for rich, whose own escapes colour and move."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def write(self, text: str) -> int:
        self._output.write_raw(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._output, name)


class _Terminal(Console):
    """Rich's console, with control characters of the texts spelled out."""

    def print(self, *objects: Any, **how: Any) -> None:
        super().print(*(printable(each) if isinstance(each, str) else each for each in objects), **how)


def print_pairs(title: str, rows: Iterable[tuple[str, str]]) -> None:
    """A line for each name, under a title: folded at the width of a terminal, and whole for a file or a program."""
    out, rows = console(), list(rows)
    out.print(title)
    if not out.is_terminal:
        widest = max((len(name) for name, _ in rows), default=0)
        for name, value in rows:
            out.print(f"{name:{widest}}  {value}".rstrip())
        return
    table = Table(title=None, show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, value in rows:
        table.add_row(name, Text(printable(value)))  # as it is: brackets are no markup here
    out.print(table, soft_wrap=False)


def console() -> Console:
    """Where everything is printed; texts are as they are: no markup in brackets, no colours for numbers, no breaks."""
    out: Any = sys.stdout
    file: Any = _Raw(out) if isinstance(out, Output) else None
    return _Terminal(highlight=False, markup=False, soft_wrap=True, file=file)


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
