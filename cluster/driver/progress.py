"""Live progress: a bar on a terminal, a line every half minute elsewhere."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cluster.background_thread import background
from cluster.command_line.terminal import duration

LINE_EVERY_SECONDS = 30.0
BARS_EVERY_SECONDS = 0.5
TIME_LEFT_EVERY_SECONDS = 5.0
"""The estimate plays through every missing stage, and holds the driver's own thread up meanwhile."""


@dataclass
class Tally:
    """What the driver knows about how far it is; ``stages`` are those to run now."""

    stages: int
    cells: int
    seconds_left: Callable[[], float | None]
    cells_done: int = 0
    stages_ended: int = 0
    failed: int = 0

    @property
    def failures(self) -> str:
        """Words on the stages that failed; none where none did."""
        return f", {self.failed} failed" if self.failed else ""

    def time_left(self) -> str:
        """In words."""
        seconds = self.seconds_left()
        return "time left unknown" if seconds is None else f"about {duration(seconds)} left"


def live_progress(tally: Tally, console: Console) -> AbstractContextManager[None]:
    """Shows a tally while a block runs."""
    show = _bars if console.is_terminal else _lines
    return background(lambda ended: show(tally, console, ended))


def _lines(tally: Tally, console: Console, ended: threading.Event) -> None:
    began = time.monotonic()
    while not ended.wait(LINE_EVERY_SECONDS):
        console.print(
            f"{duration(time.monotonic() - began)}: {tally.stages_ended}/{tally.stages} stages{tally.failures}, "
            f"{tally.cells_done}/{tally.cells} cells, {tally.time_left()}"
        )


def _bars(tally: Tally, console: Console, ended: threading.Event) -> None:
    columns = (
        TextColumn("{task.description:<7}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as bars:
        stages = bars.add_task("stages", total=tally.stages, note="")
        cells = bars.add_task("cells", total=tally.cells, note="")
        left, known = tally.time_left(), time.monotonic()
        stopping = False
        while not stopping:
            stopping = ended.wait(BARS_EVERY_SECONDS)
            if stopping or time.monotonic() - known >= TIME_LEFT_EVERY_SECONDS:
                left, known = tally.time_left(), time.monotonic()
            bars.update(stages, completed=tally.stages_ended, note=f"{left}{tally.failures}")
            bars.update(cells, completed=tally.cells_done)
