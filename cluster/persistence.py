"""Trying again where storage does not answer: an outage of seconds must not cost a stage, or a study its rows."""

import time
from collections.abc import Callable
from typing import TypeVar

from cluster.storage_full import is_full
from study.errors import PreflightError

PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between two tries; together half a minute."""

Result = TypeVar("Result")


class StorageSilentError(PreflightError):
    """Storage did not answer for longer than an outage; what was published stays."""


def is_outage(error: BaseException) -> bool:
    """Whether storage may answer if asked again. A full disk will not."""
    return isinstance(error, OSError) and not is_full(error)


def persistently(action: Callable[[], Result], failed: Callable[[OSError, float], None]) -> Result:
    """Does something that uses storage, again and again where it does not answer.

    Args:
        action: may be repeated, also where it took effect and reported an error all the same.
        failed: told each error, and the pause in seconds before the next try.

    Raises:
        OSError: the disk is full, or the last try failed too.
    """
    for pause in PAUSES:
        try:
            return action()
        except OSError as error:
            if not is_outage(error):
                raise
            failed(error, pause)
            time.sleep(pause)
    return action()
