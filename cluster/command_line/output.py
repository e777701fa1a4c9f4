"""An output that may go away, and that no text can send an escape through.

A study's folder may come from somebody else, and its texts are shown: an escape sequence among them could rewrite what
stands on the terminal. A closed pipe, a terminal that is gone or a full device ends no study: what is printed after
that is lost, and nothing else.
"""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import IO, Any

LOST = 3
"""The exit code where storage does not take what a verb prints."""
SHOWN_BY_NUMBER = (*range(0x20), 0x7F, *range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Control characters, and those that turn the direction of what follows."""
PRINTABLE = {number: f"\\u{number:04x}" for number in SHOWN_BY_NUMBER if chr(number) not in "\n\t"}


def printable(text: str) -> str:
    """A text with its control characters spelled out; a line break stays one."""
    return text.translate(PRINTABLE)


class Output:
    """A stream that may go away, and that no text can send an escape through.

    Attributes:
        lost: the error with which it went away.
    """

    def __init__(self, stream: IO[str] | None) -> None:
        self.stream = io.StringIO() if stream is None else stream  # None: it was closed from the start
        self.lost: OSError | None = None

    def write(self, text: str) -> int:
        """As of a text stream."""
        self.write_raw(printable(text))
        return len(text)

    def write_raw(self, text: str) -> None:
        """With the escapes of who draws on the terminal."""
        if self.lost is None:
            try:
                self.stream.write(text)
            except OSError as error:
                self._lose(error)

    def flush(self) -> None:
        """As of a text stream."""
        if self.lost is None:
            try:
                self.stream.flush()
            except OSError as error:
                self._lose(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def _lose(self, error: OSError) -> None:
        self.lost = error
        with contextlib.suppress(OSError, ValueError):  # what is buffered would fail once more at the end
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)


@contextmanager
def printing(*, answers: bool) -> Iterator[None]:
    """Sends what the block prints through an ``Output``.

    Args:
        answers: whether what is printed is what was asked for: then its loss, but to a reader who has read enough
            (``| head``), is an error. Otherwise the exit code stays what it is.
    """
    out, errors = Output(sys.stdout), Output(sys.stderr)
    with redirect_stdout(out), redirect_stderr(errors):
        try:
            yield
        except SystemExit as ended:
            out.flush()
            if out.lost is None or out.lost.errno == errno.EPIPE:
                raise
            errors.write(f"relearn: what was to be printed is lost: {out.lost.strerror}\n")
            sys.exit(ended.code or (LOST if answers else 0))
        finally:
            out.flush()
            errors.flush()
