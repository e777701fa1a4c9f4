"""Paths that the verbs can work with: where the user stands, and what was typed, is there and is UTF-8.

Linux takes any bytes as a name. Ray and pyarrow take text, and end in errors of their own at a name that is none: so
a command refuses it before it begins. A working folder that was deleted is refused in the same place.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from study.errors import PreflightError, SpecError


def refuse_unusable_paths(words: Iterable[str]) -> None:
    """Looks at the working folder, and at what was typed and where it leads by links.

    An empty word, which a shell makes of ``"$UNSET"``, would be the working folder where a path is expected.

    Raises:
        PreflightError: the working folder is gone.
        SpecError: a word is empty, or it or the path that it leads to is not UTF-8.
    """
    words = list(words)
    for before, word in zip(["", *words], words, strict=False):
        if not word or re.fullmatch(r"--[a-z-]+=", word):
            option = word or (before if before.startswith("-") else "")
            raise SpecError(
                f"{f'{option} ' if option else ''}'': expected a value, got an empty text; a shell makes one of a "
                "variable that is not set"
            )
    try:
        Path.cwd()
    except FileNotFoundError:
        raise PreflightError(
            "the working folder is gone: change into another one (cd), and give the command again"
        ) from None
    for word in (".", *words):
        for name in (word, os.path.realpath(word), os.path.realpath(word.rpartition("=")[2])):
            try:
                name.encode("utf-8")
            except UnicodeEncodeError:
                shown = os.fsencode(name).decode("utf-8", "backslashreplace")
                raise SpecError(
                    f"{shown} is not UTF-8, and Ray and pyarrow know no other names: rename the folder or file on the "
                    "disk (mv, or convmv for many), or give a path without it"
                ) from None


def as_on_disk(word: bytes, encoding: str) -> bytes:
    """A typed word in UTF-8; as it was typed where only that is on the disk, whose names have the locale's encoding.

    Args:
        encoding: the locale's.
    """
    recoded = _in_utf8(word, encoding)
    start = word.rfind(b"=") + 1  # --study=PATH, --set KEY=PATH
    for path in (word, word[start:]):
        end = 0
        while end >= 0:
            end = path.find(b"/", end + 1)
            part = path if end < 0 else path[:end]
            if (
                _in_utf8(part, encoding) != part
            ):  # the first folder whose name differs says how all were written
                if os.path.lexists(part) and not os.path.lexists(_in_utf8(part, encoding)):
                    return word
                break
    return recoded


def _in_utf8(word: bytes, encoding: str) -> bytes:
    return word.decode(encoding, "surrogateescape").encode("utf-8", "surrogateescape")
