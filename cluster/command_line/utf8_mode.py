"""UTF-8 in any locale: where its encoding is another, the command begins again in Python's UTF-8 mode.

Names of files, what libraries write, and the workers of this machine then have UTF-8. What is printed has the locale's
encoding, and a character that it lacks is escaped. What was typed is read in the locale's encoding once, before that;
only names that the disk has in that encoding stay as they are.
"""

import codecs
import io
import os
import sys

from cluster.command_line.usable_paths import as_on_disk

TERMINAL = "RELEARN_TERMINAL"
"""Of a process that was begun again: the encoding of the user's locale."""


def use_utf8() -> None:
    """Returns in UTF-8 mode, or where the locale's encoding is UTF-8."""
    encoding = codecs.lookup(sys.getfilesystemencoding()).name
    if encoding != "utf-8" and TERMINAL not in os.environ:
        words = [as_on_disk(os.fsencode(word), encoding) for word in sys.orig_argv]
        os.execve(sys.executable, words, {**os.environ, "PYTHONUTF8": "1", TERMINAL: encoding})  # noqa: S606
    terminal = os.environ.pop(TERMINAL, None)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=terminal, errors="backslashreplace")
