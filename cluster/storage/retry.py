"""Retries where storage does not answer: an outage of seconds must not cost a stage, or a study its rows."""

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from cluster.storage.disk_full import full, is_full
from study.errors import PreflightError

PAUSES: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between two tries; together half a minute."""
REFUSALS = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EEXIST,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EMLINK,
    errno.EXDEV,
    errno.EINVAL,
)
"""Errors of a path, its permissions, or a file system that cannot do it: waiting does not help."""

Result = TypeVar("Result")


class StorageSilentError(PreflightError):
    """Storage did not answer for longer than an outage; what was published stays."""


class StorageRefusedError(PreflightError):
    """Storage answers and refuses: credentials, rights, no bucket. The run ends, and no stage counts as failed."""


class UnansweredError(OSError):
    """Object storage did not answer, or asks to be asked later.

    Attributes:
        wait: the seconds that it asks to wait for; 0 where it says nothing.
    """

    def __init__(self, words: str, url: str, wait: float = 0.0) -> None:
        super().__init__(errno.EIO, words, url)
        self.wait = wait

    def __reduce__(self) -> tuple[type["UnansweredError"], tuple[str, str, float]]:
        return type(self), (str(self.strerror), str(self.filename), self.wait)


def is_outage(error: BaseException) -> bool:
    """Whether storage may answer at the next try. A full disk, or one that refuses, will not."""
    return isinstance(error, OSError) and not is_full(error) and error.errno not in REFUSALS


def with_retries(action: Callable[[], Result], failed: Callable[[OSError, float], None]) -> Result:
    """Does something that uses storage, and tries again where storage does not answer.

    Args:
        action: may be repeated, also where it took effect and reported an error all the same.
        failed: is called with each error, and the pause in seconds before the next try.

    Raises:
        OSError: the disk is full or refuses, or the last try failed too.
    """
    for pause in PAUSES:
        try:
            return action()
        except OSError as error:
            if not is_outage(error):
                raise
            wait = max(pause, getattr(error, "wait", 0.0))
            failed(error, wait)
            time.sleep(wait)
    return action()


@contextmanager
def storage_errors_in_words(study: Path) -> Iterator[None]:
    """Turns the error of a last try into one that says what to do.

    Raises:
        StorageFullError: no room is left.
        StorageSilentError: it did not answer, or refuses.
    """
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise full(study) from error
        if is_outage(error):
            problem, remedy = "does not answer", "give the same command again when it does"
        else:
            problem = "refuses what is asked of it"
            remedy = (
                "give the same command again when it takes it; storage that never does is no place for a study: name "
                "another folder with --study, and another place for the artifacts with --store"
            )
        raise StorageSilentError(
            f"{error.filename or study} {problem} ({error.strerror or error}): what was published stays; {remedy}"
        ) from error
