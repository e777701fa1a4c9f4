"""The errors a user can cause or must know of, each with the exit code that the front door returns.

Every message says what was given, what was expected and what to do.
"""

import difflib
import shlex
from collections.abc import Iterable


class RelearnError(Exception):
    """A failure that is explained to the user in words, without a traceback."""

    exit_code = 1


class SpecError(RelearnError):
    """The command or the spec is wrong; nothing was started."""

    exit_code = 2


class PreflightError(RelearnError):
    """The spec is sound, but a model, its data, the storage or the resources are not there."""

    exit_code = 3


class IntegrityError(RelearnError):
    """Stored bytes are not what their record says."""

    exit_code = 5


class ClusterLostError(RelearnError):
    """The Ray cluster went away; what was published stays, and the same command goes on."""

    exit_code = 6


class DeviceError(PreflightError):
    """A stage asked for a GPU, and the process that it runs in can use none."""


class GangError(RelearnError):
    """A process that trained together with this one is gone; another attempt may succeed."""


class DivergedError(RelearnError):
    """Training left the finite numbers. Recorded as a failure of the stage, never as a rate of 0."""


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"``, or nothing where no known word is near."""
    near = difflib.get_close_matches(given, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def command_line(*words: object) -> str:
    """``relearn WORDS…`` as a shell takes it: a path with blanks or quotes is quoted, so that a hint can be pasted."""
    return shlex.join(["relearn", *map(str, words)])


def counted(number: float, what: str) -> str:
    """A number with its noun, one or many: ``1 seed``, ``1,275 cells``, ``2 queries``."""
    many = f"{what[:-1]}ies" if what.endswith(("ry", "my")) else f"{what}s"
    return f"{number:,.12g} {what if number == 1 else many}"
