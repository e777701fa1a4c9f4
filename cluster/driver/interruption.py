"""All that may end a run before its time, and how: drained, or stopped where it is.

Ctrl-C once and `relearn stop` drain: what runs is finished. Ctrl-C twice, SIGTERM and `relearn cancel` stop at
once, and so do the two that are errors: the cluster is lost, or another driver took the study over. All leave
a study that resumes.
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
from study.errors import ClusterLostError, RelearnError

GRACE_SECONDS = 10.0
"""For the main thread to stop where the cluster is lost, before another thread ends the process."""


class Interruption:
    """What has been asked of a run.

    Attributes:
        asked: whether the run was to end before its time.
        error: why, where it is an error.
        head_lost: whether there is no Ray left to say goodbye to.
        drain: what to call so that nothing new is started.
        abandon: what to call where the main thread cannot: Ray holds it for ever when its head is gone.
    """

    def __init__(self, folder: Path, console: Console) -> None:
        self.asked = False
        self.error: RelearnError | None = None
        self.head_lost = False
        self.drain: Callable[[], None] = lambda: None
        self.abandon: Callable[[], None] = lambda: None
        self._folder = folder
        self._console = console
        self._ending = False
        self._stopped = threading.Event()

    def stopped(self) -> None:
        """The main thread has been stopped, and has the last word itself."""
        self._stopped.set()

    def told(self, word: str) -> None:
        """``stop`` or ``cancel``, from another process; in another thread."""
        if word == "stop":
            self._drain(
                f"Told to stop: finishing the stages that run; `relearn cancel {self._folder}` ends them."
            )
        else:
            self._end(None)

    def taken_over(self, by: str) -> None:
        """Another driver holds the study now; in another thread."""
        self._end(
            StudyHeldError(
                f"{self._folder} was taken over by {by} while this driver did not answer; what was published stays"
            )
        )

    def cluster_lost(self, words: str, head: bool) -> None:
        """Nothing is left to run on; in another thread."""
        self.head_lost = head
        error = ClusterLostError(
            f"{words}; what was published stays: `relearn resume {self._folder}` goes on, with --address on "
            "another cluster"
        )
        self._end(error)
        if not self._stopped.wait(GRACE_SECONDS):
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
                # Ending, nothing must cut off its last words.
                signal.signal(number, signal.SIG_IGN if self._ending else handler)

    def _signalled(self, signum: int, frame: FrameType | None) -> None:
        if self._ending:
            return
        if signum == signal.SIGINT and not self.asked:
            self._drain("Finishing the stages that run; press Ctrl-C again to stop at once.")
            return
        self.asked = self._ending = True
        raise KeyboardInterrupt

    def _drain(self, words: str) -> None:
        self.asked = True
        self.drain()
        self._console.print(words)

    def _end(self, error: RelearnError | None) -> None:
        """Stops the main thread, which alone can be interrupted, by a signal to ourselves."""
        if self.error is None:
            self.error = error
        os.kill(os.getpid(), signal.SIGTERM)
