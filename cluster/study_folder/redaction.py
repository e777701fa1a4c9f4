"""Takes the values of secrets out of what is written down: a library's error may quote a token."""

import json
import os
from typing import Any

NAMES = ("TOKEN", "KEY", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL")
"""An environment variable with one of these in its name holds a secret."""

SHORTEST = 8
"""Shorter values are words like `true`, and would be found everywhere."""

MASK = "[secret]"


def redacted(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts for a file, with every value of a secret environment variable masked."""
    text = json.dumps(facts)
    for secret in _secrets():
        text = text.replace(json.dumps(secret)[1:-1], MASK)
    found: dict[str, Any] = json.loads(text)
    return found


def _secrets() -> list[str]:
    """The longest first, so that one within another leaves nothing of it."""
    values = {
        value
        for name, value in os.environ.items()
        if any(word in name.upper() for word in NAMES) and len(value) >= SHORTEST and not _is_a_path(value)
    }
    return sorted(values, key=len, reverse=True)


def _is_a_path(value: str) -> bool:
    """Where a secret lies is none: RAY_AUTH_TOKEN_PATH, SSL_KEY_FILE."""
    return value.startswith(("/", "~", "."))
