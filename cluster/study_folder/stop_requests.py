"""`relearn stop` and `relearn cancel`: a word to the driver, wherever it runs, left in the study's folder."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.background_thread import background
from cluster.study_folder.lease import holder_of
from cluster.study_folder.study_folder import StudyFolder
from study.errors import SpecError

LOOK_EVERY_SECONDS = 0.5
HEARD_SECONDS = 5.0
WORDS = ("stop", "cancel")


def tell(study_folder: Path, word: str) -> str:
    """Leaves a word for the driver: ``stop`` finishes the stages that run, ``cancel`` ends them.

    Returns:
        What became of it, in words.

    Raises:
        SpecError: it is no study, or nobody runs it.
    """
    if word not in WORDS:
        raise ValueError(f"a driver understands {', '.join(WORDS)}, not {word}")
    StudyFolder(study_folder).recorded()
    holder = holder_of(study_folder)
    if holder is None:
        raise SpecError(f"nobody runs {study_folder} now; `relearn status {study_folder}` says how far it is")
    _path(study_folder).write_text(word)
    began = time.monotonic()
    while time.monotonic() - began < HEARD_SECONDS:
        if not _path(study_folder).exists():
            return f"{word}: heard by {holder}"
        time.sleep(LOOK_EVERY_SECONDS / 2)
    return f"{word}: left for {holder}, who has not answered yet; it counts as gone if it stays silent"


@contextmanager
def listening(study_folder: Path, heard: Callable[[str], None]) -> Iterator[None]:
    """Calls ``heard`` in another thread with each word that is left while the block runs."""
    path = _path(study_folder)
    path.unlink(missing_ok=True)  # what was asked of a driver that is gone

    def listen(ended: threading.Event) -> None:
        while not ended.wait(LOOK_EVERY_SECONDS):
            try:
                word = path.read_text()
            except OSError:
                continue
            if word in WORDS:
                path.unlink(missing_ok=True)
                heard(word)

    try:
        with background(listen):
            yield
    finally:
        path.unlink(missing_ok=True)


def _path(study_folder: Path) -> Path:
    return study_folder / ".control"
