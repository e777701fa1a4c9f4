"""Takes the values of secrets out of what is written down: a library's error may quote a token.

Of texts within facts, never of their names: those are this program's own.
"""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

NAMES = re.compile(r"(TOKEN|KEY|SECRET|PASSWORD|PASSWD|CREDENTIAL)S?(_|$)")
"""An environment variable holds a secret where a word of its name ends so: HF_TOKEN and MYAPIKEY, and not TOKENIZER."""

SHORTEST = 8
"""Shorter values are words like `true`, and would be found everywhere."""

MASK = "[secret]"


def redacted(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts for a file, with every value of a secret environment variable masked."""
    secrets = _secrets()
    return {name: _masked(value, secrets) for name, value in facts.items()}


def _masked(value: Any, secrets: Sequence[str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _masked(each, secrets) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(each, secrets) for each in value]
    if not isinstance(value, str):
        return value
    for secret in secrets:
        value = value.replace(secret, MASK)
    return value


def _secrets() -> list[str]:
    """The longest first, so that one within another leaves nothing of it."""
    values = {
        value
        for name, value in os.environ.items()
        if NAMES.search(name.upper()) and len(value) >= SHORTEST and not _is_a_path(value)
    }
    return sorted(values, key=len, reverse=True)


def _is_a_path(value: str) -> bool:
    """Where a secret lies is none: RAY_AUTH_TOKEN_PATH, SSL_KEY_FILE."""
    return value.startswith(("/", "~", "."))
