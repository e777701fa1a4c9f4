"""Reads a request (JSON) and writes ``{"refused": …}``: the message of the refusal, or null.

A process of its own, so that a driver needs neither torch nor the model in its memory.
"""

import json
import os
import sys

from study.errors import PreflightError
from study.performing.self_test.request import Request
from study.performing.self_test.trial import self_test


def main() -> None:
    """Answers one request."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    refused: str | None = None
    try:
        self_test(Request.of_json(sys.stdin.read()))
    except PreflightError as error:
        refused = str(error)
    answer.write(json.dumps({"refused": refused}))
    answer.close()


if __name__ == "__main__":
    main()
