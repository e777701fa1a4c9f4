"""A setting that was typed as several words, such as ``--set depth 8``: what was meant is said, and nothing begins.

The parser of the command line would only say that there is one argument too many.
"""

import shlex
from collections.abc import Sequence

from study.errors import SpecError

SETTINGS = ("--set", "--budget")
"""The options that take KEY=VALUE."""
VERBS = ("plan", "run", "submit")
"""Those that have them; each has one argument, the space, beside its options."""


def refuse_settings_in_several_words(words: Sequence[str]) -> None:
    """Looks at the words behind ``relearn``.

    Raises:
        SpecError: a key and its value are two words, or a setting stands there without its option.
    """
    if not words or words[0] not in VERBS:
        return
    space_first = len(words) > 1 and not _is_option(words[1])
    for at, option in enumerate(words[:-2]):
        if option not in SETTINGS:
            continue
        given, following, *more = words[at + 1 :]
        another = space_first or (more and not _is_option(more[0]))  # which is the space: this one is not
        if ("=" not in given or given.endswith("=")) and another and not _is_option(following):
            meant = f"{given.rstrip('=')}={following.lstrip('=')}"
            raise SpecError(
                f"{option} {given} {following}: a setting is one word, without blanks at its =; write {option} "
                f"{shlex.quote(meant)}"
            )
    if space_first and len(words) > 2 and "=" in words[2] and not _is_option(words[2]):
        raise SpecError(
            f"{words[2]}: a setting needs its option before it; write --set {shlex.quote(words[2])}"
        )


def _is_option(word: str) -> bool:
    return word.startswith("-")
