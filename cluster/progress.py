"""Live progress: a bar on a terminal, a line every half minute elsewhere."""

import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

LINE_EVERY_SECONDS = 30.0


@dataclass
class Tally:
    """What the driver knows about how far it is."""

    stages: dict[str, str]  # stage key → kind, of those to run
    cells: int
    slots: int
    cells_done: int = 0
    finished: set[str] = field(default_factory=set)
    failed: int = 0
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def eta_seconds(self) -> float | None:
        """Mean seconds of a finished stage of its kind, over what remains; None before the first."""
        known = {kind: sum(times) / len(times) for kind, times in self.seconds.items()}
        if not known:
            return None
        typical = sum(known.values()) / len(known)
        left = (kind for key, kind in self.stages.items() if key not in self.finished)
        return sum(known.get(kind, typical) for kind in left) / self.slots


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
            f"{len(tally.finished)}/{len(tally.stages)} stages{failed}, "
            f"{tally.cells_done}/{tally.cells} cells, {self._eta()}"
        )

    def _eta(self) -> str:
        eta = self._tally.eta_seconds()
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
            stages = bars.add_task("stages", total=len(self._tally.stages), note="")
            cells = bars.add_task("cells", total=self._tally.cells, note="")
            while True:
                stopping = self._stop.wait(0.5)
                failed = f", {self._tally.failed} failed" if self._tally.failed else ""
                bars.update(
                    stages, completed=len(self._tally.finished), note=f"{self._eta()}{failed}"
                )
                bars.update(cells, completed=self._tally.cells_done)
                if stopping:
                    return


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
