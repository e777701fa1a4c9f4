"""Everything that may end a run before its time, and how: drained, or stopped where it is.

Ctrl-C once and `relearn stop` drain: what runs is finished, and nothing new starts. Ctrl-C twice, SIGTERM and
`relearn cancel` stop at once. So do the two that are errors: the cluster is lost, or another driver took the study
over. Each leaves a study that resumes.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console

from cluster.study_folder.lease import StudyHeldError
from study.errors import ClusterLostError, RelearnError, command_line

GRACE_SECONDS = 10.0
"""For the main thread to stop where the cluster is lost, before another thread ends the process."""


class Interruption:
    """Whether and how a run is to end before its time.

    Attributes:
        requested: whether it is.
        error: why, where it is an error.
        head_lost: whether Ray's head is gone, so that its session cannot be closed.
        drain: what to call so that nothing new is started.
        abandon: what to call where the main thread cannot stop: Ray blocks it for ever when its head is gone.
    """

    def __init__(self, folder: Path, console: Console) -> None:
        self.requested = False
        self.error: RelearnError | None = None
        self.head_lost = False
        self.drain: Callable[[], None] = lambda: None
        self.abandon: Callable[[], None] = lambda: None
        self._folder = folder
        self._console = console
        self._stopping = False
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

    def taken_over(self, by: str) -> None:
        """Another driver holds the study now; called in another thread."""
        self._stop(
            StudyHeldError(
                f"{self._folder} was taken over by {by} while this driver did not answer: what was published "
                "stays, and the other driver goes on"
            )
        )

    def cluster_lost(self, words: str, head: bool) -> None:
        """Nothing is left to run on; called in another thread."""
        self.head_lost = head
        error = ClusterLostError(
            f"{words}: what was published stays; go on with `{command_line('resume', self._folder)}`, and with "
            "--address on another cluster"
        )
        self._stop(error)
        if not self._main_thread_stopped.wait(GRACE_SECONDS):
            self.abandon()
            self._console.print(f"relearn: {error}")
            os._exit(error.exit_code)

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM mean what the module says while the block runs, in the main thread."""
        before = {
            number: signal.signal(number, self._signalled) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                # Where the run is being stopped, a second signal must not cut off its end.
                signal.signal(number, signal.SIG_IGN if self._stopping else handler)

    def _signalled(self, signum: int, frame: FrameType | None) -> None:
        if self._stopping:
            return
        if signum == signal.SIGINT and not self.requested:
            self._drain("Finishing the stages that run; press Ctrl-C again to stop at once.")
            return
        self.requested = self._stopping = True
        raise KeyboardInterrupt

    def _drain(self, words: str) -> None:
        self.requested = True
        self.drain()
        self._console.print(words)

    def _stop(self, error: RelearnError | None) -> None:
        """Stops the main thread by a signal to this process: no other thread can be interrupted."""
        if self.error is None:
            self.error = error
        os.kill(os.getpid(), signal.SIGTERM)
