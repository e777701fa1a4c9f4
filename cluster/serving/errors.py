"""What the service refuses, in the shape of OpenAI's errors: ``{"error": {message, type, param, code}}``."""

from collections.abc import Mapping
from typing import Any

TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error", 500: "server_error"}
"""By status; every other refusal is an ``invalid_request_error``."""


class RefusedError(Exception):
    """A request that is answered with an error.

    Attributes:
        status: of HTTP, 400 or above.
        message: what was given, what was expected and what to do.
        code, param: as OpenAI's clients show them.
        headers: of the answer, such as Retry-After.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The answer's JSON."""
        kind = TYPES.get(self.status, "invalid_request_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


def no_such(what: str, name: str) -> RefusedError:
    """A model, file or job that is not there."""
    return RefusedError(404, f"There is no {what} {name[:80]!r}.", code=f"{what.replace(' ', '_')}_not_found")


def storage_full() -> RefusedError:
    """The disk under the state folder is full; what was there stays."""
    return RefusedError(
        507, "The service's disk is full; delete files or models, or try again later.", "storage_full"
    )


def busy(what: str) -> RefusedError:
    """The queue is full; the client is told when to come again."""
    return RefusedError(429, f"{what}; try again later.", "rate_limit_exceeded", headers={"Retry-After": "1"})
