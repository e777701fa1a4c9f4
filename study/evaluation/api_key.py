"""The key of an API: read from the environment alone, and refused here where no request could carry it.

A client would say of such a key that the server cannot be reached, or fail in the codec, naming a character of it.
"""

import os

from study.errors import PreflightError


def api_key(variable: str) -> str | None:
    """The key; None where the environment has none.

    Raises:
        PreflightError: no header of HTTP can hold it.
    """
    key = os.environ.get(variable) or None
    if key is not None and not (key.isascii() and key.isprintable() and key == key.strip()):
        raise PreflightError(
            f"{variable}: no request can carry this key; expected printable ASCII, without blanks around it: give it "
            "as the service wrote it, without a line break"
        )
    return key
