"""`relearn stop` and `relearn cancel`: a request to the driver, on whatever node, as a file in the study's folder."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.background_thread import background
from cluster.study_folder.lease import holder_of
from cluster.study_folder.study_folder import StudyFolder
from study.errors import SpecError, command_line

LOOK_EVERY_SECONDS = 0.5
ANSWER_SECONDS = 5.0
WORDS = ("stop", "cancel")


def request(study_folder: Path, word: str) -> str:
    """Requests the end of a run: ``stop`` finishes the stages that run, ``cancel`` ends them.

    Returns:
        What became of the request, in words.

    Raises:
        SpecError: the folder is no study, or nobody runs it.
    """
    if word not in WORDS:
        raise ValueError(f"expected one of {', '.join(WORDS)}, got {word}")
    StudyFolder(study_folder).recorded()
    holder = holder_of(study_folder)
    if holder is None:
        raise SpecError(
            f"nobody runs {study_folder} now; `{command_line('status', study_folder)}` says how far it is"
        )
    _path(study_folder).write_text(word, encoding="utf-8")
    began = time.monotonic()
    while time.monotonic() - began < ANSWER_SECONDS:
        if not _path(study_folder).exists():
            return f"{word}: received by {holder}"
        time.sleep(LOOK_EVERY_SECONDS / 2)
    return f"{word}: {holder} has not answered yet; look again with `{command_line('status', study_folder)}`"


@contextmanager
def stop_requests(study_folder: Path, received: Callable[[str], None]) -> Iterator[None]:
    """Calls ``received``, in another thread, with each request that comes while the block runs."""
    path = _path(study_folder)
    path.unlink(missing_ok=True)  # a request to a driver that is gone

    def listen(ended: threading.Event) -> None:
        while not ended.wait(LOOK_EVERY_SECONDS):
            try:
                word = path.read_text(encoding="utf-8")
            except OSError:
                continue
            if word in WORDS:
                path.unlink(missing_ok=True)
                received(word)

    try:
        with background(listen):
            yield
    finally:
        path.unlink(missing_ok=True)


def _path(study_folder: Path) -> Path:
    return study_folder / ".control"
