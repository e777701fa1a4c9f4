"""Everything that may end a run before its time, and how: drained, or stopped where it is.

Ctrl-C once and `relearn stop` drain: what runs is finished, and nothing new starts. Ctrl-C twice, SIGTERM, a terminal
that is closed (SIGHUP, unless it is ignored as under nohup) and `relearn cancel` stop at once. So do the errors: the
cluster is lost, or the lease is. Each leaves a study that resumes.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console

from cluster.driver.outcome import INTERRUPTED
from study.errors import ClusterLostError, RelearnError, command_line

GRACE_SECONDS = 10.0
"""For the main thread to stop where the cluster is lost, before another thread ends the process."""


class Interruption:
    """Whether and how a run is to end before its time.

    Attributes:
        requested: whether it is.
        error: why, where it is an error.
        head_lost: whether Ray's head is gone, so that its session cannot be closed.
        drain: what to call so that nothing new is started; None while there is nothing that a first Ctrl-C could wait
            for.
        abandon: what to call where the main thread cannot stop: Ray blocks it for ever when its head is gone.
    """

    def __init__(self, folder: Path, console: Console) -> None:
        self.requested = False
        self.error: RelearnError | None = None
        self.head_lost = False
        self.drain: Callable[[], None] | None = None
        self.abandon: Callable[[], None] = lambda: None
        self._folder = folder
        self._console = console
        self._stopping = False
        self._done = False
        self._numbers: list[signal.Signals] = []
        self._main_thread_stopped = threading.Event()

    def main_thread_stopped(self) -> None:
        """The main thread has left Ray and ends the process itself."""
        self._main_thread_stopped.set()

    def stop_request(self, word: str) -> None:
        """``stop`` or ``cancel``, from another process; called in another thread."""
        if word == "stop":
            self._drain(
                "Requested to stop: the stages that run are finished; to end them at once: "
                + command_line("cancel", self._folder)
            )
        else:
            self._stop(None)

    def lease_lost(self, error: RelearnError) -> None:
        """Another process holds the study now, or its folder is gone; called in another thread."""
        self._stop(error)

    def cluster_lost(self, words: str, head: bool) -> None:
        """Nothing is left to run on; called in another thread."""
        self.head_lost = head
        error = ClusterLostError(
            f"{words}: what was published stays; go on with `{command_line('resume', self._folder)}`, and with "
            "--address on another cluster"
        )
        if not self._stopping:  # a signal to the whole process group ends Ray's processes as well
            self._stop(error)
        if not self._main_thread_stopped.wait(GRACE_SECONDS):
            self.abandon()
            self._console.print(f"relearn: {error}")
            os._exit(error.exit_code)

    def code_without_head(self) -> int | None:
        """The exit code where the head is lost; None where it is there."""
        if not self.head_lost:
            return None
        return INTERRUPTED if self.error is None else self.error.exit_code

    @contextmanager
    def in_words(self) -> Iterator[None]:
        """Raises the error that is the reason in place of the KeyboardInterrupt that stopped the main thread."""
        try:
            yield
        except KeyboardInterrupt:
            if self.error is not None:
                raise self.error from None
            raise

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Signals mean what the module says while the block runs, in the main thread."""
        ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        self._numbers = [signal.SIGINT, signal.SIGTERM, *([] if ignored else [signal.SIGHUP])]
        before = {number: signal.getsignal(number) for number in self._numbers}
        self.handle_signals()
        try:
            yield
        finally:
            for number, handler in before.items():
                # Where the run is being stopped, a second signal must not cut off its end.
                signal.signal(number, signal.SIG_IGN if self._stopping else handler)

    def handle_signals(self) -> None:
        """Once more within ``signals``, where somebody has put in a handler of his own."""
        for number in self._numbers:
            signal.signal(number, self._signalled)

    def nothing_is_left(self) -> None:
        """What follows only writes down what has been done, and takes a moment: nothing interrupts it any more."""
        self._done = True

    def _signalled(self, signum: int, frame: FrameType | None) -> None:
        if self._stopping or self._done:
            return
        if signum == signal.SIGINT and self.drain is not None and not self.requested:
            self._drain("Finishing the stages that run; press Ctrl-C again to stop at once.")
            return
        self.requested = self._stopping = True
        raise KeyboardInterrupt

    def _drain(self, words: str) -> None:
        self.requested = True
        if self.drain is not None:
            self.drain()
        self._console.print(words)

    def _stop(self, error: RelearnError | None) -> None:
        """Stops the main thread by a signal to this process: no other thread can be interrupted."""
        if self.error is None:
            self.error = error
        os.kill(os.getpid(), signal.SIGTERM)
