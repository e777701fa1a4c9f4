"""Live progress: a bar on a terminal, a line every half minute elsewhere."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cluster.terminal import duration

LINE_EVERY_SECONDS = 30.0
TIME_LEFT_EVERY_SECONDS = 5.0
"""It is played through for every stage that is missing, and the thread that drives them waits meanwhile."""


@dataclass
class Tally:
    """What the driver knows about how far it is."""

    stages: int  # to run now
    cells: int
    seconds_left: Callable[[], float | None]
    cells_done: int = 0
    stages_ended: int = 0
    failed: int = 0


class LiveProgress:
    """Shows a tally until it is left; a context manager."""

    def __init__(self, tally: Tally, console: Console) -> None:
        self._tally = tally
        self._console = console
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._began = time.monotonic()

    def __enter__(self) -> "LiveProgress":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def line(self) -> str:
        """The state in one line."""
        tally = self._tally
        failed = f", {tally.failed} failed" if tally.failed else ""
        return (
            f"{tally.stages_ended}/{tally.stages} stages{failed}, "
            f"{tally.cells_done}/{tally.cells} cells, {self._eta()}"
        )

    def _eta(self) -> str:
        eta = self._tally.seconds_left()
        return "time left unknown" if eta is None else f"about {duration(eta)} left"

    def _run(self) -> None:
        if self._console.is_terminal:
            self._bars()
        else:
            self._lines()

    def _lines(self) -> None:
        while not self._stop.wait(LINE_EVERY_SECONDS):
            self._console.print(f"{duration(time.monotonic() - self._began)}: {self.line()}")

    def _bars(self) -> None:
        columns = (
            TextColumn("{task.description:<7}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self._console) as bars:
            stages = bars.add_task("stages", total=self._tally.stages, note="")
            cells = bars.add_task("cells", total=self._tally.cells, note="")
            left, known = self._eta(), time.monotonic()
            while True:
                stopping = self._stop.wait(0.5)
                if stopping or time.monotonic() - known >= TIME_LEFT_EVERY_SECONDS:
                    left, known = self._eta(), time.monotonic()
                failed = f", {self._tally.failed} failed" if self._tally.failed else ""
                bars.update(stages, completed=self._tally.stages_ended, note=f"{left}{failed}")
                bars.update(cells, completed=self._tally.cells_done)
                if stopping:
                    return
