"""Before any route: the token, compared in constant time, and the size of the body, counted as it comes."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.responses import JSONResponse

from cluster.serving.errors import RefusedError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON_BYTES = 16 * 10**6
"""The most that any body but an uploaded file takes."""
MULTIPART_BYTES = 10_000
"""What a form takes beside its file."""
READ_AWAY_BYTES = 256 * 10**6
"""Of a body that is too large, so much is read before the connection ends."""


class Guard:
    """An ASGI application around another.

    Args:
        token: what a client has to send as ``Authorization: Bearer TOKEN``.
        upload_bytes: the most that an uploaded file takes.
    """

    def __init__(self, app: App, token: str, upload_bytes: int) -> None:
        self._app = app
        self._expected = token.encode()
        self._upload_bytes = upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        right = hmac.compare_digest(given.strip(), self._expected)
        if not right or scheme.lower() != b"bearer":  # whatever its case, RFC 9110, 11.1
            refused = RefusedError(
                401,
                "The token is wrong or missing; send `Authorization: Bearer TOKEN` with the token that `relearn serve` "
                "wrote into its folder.",
                "invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )
            await _answer(refused)(scope, receive, send)
            return
        upload = scope["method"] == "POST" and scope["path"] == "/v1/files"
        most = self._upload_bytes + MULTIPART_BYTES if upload else JSON_BYTES
        announced = headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced) > most:
            await _read_away(receive)
            await _answer(_too_large(most))(scope, receive, send)
            return
        taken, begun = 0, False

        async def counted() -> MutableMapping[str, Any]:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                raise _too_large(most)
            return message

        async def sending(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, counted, sending)
        except RefusedError as error:
            if begun:
                raise
            if error.status == 413:
                await _read_away(receive)
            await _answer(error)(scope, receive, send)
        except asyncio.CancelledError:  # the server ends, and has waited long enough
            if not begun:
                await _answer(RefusedError(503, "The service ends; try again later."))(scope, receive, send)


async def _read_away(receive: Receive) -> None:
    """Reads on without keeping anything: a client that writes before it reads would else see a broken connection."""
    read = 0
    while read < READ_AWAY_BYTES:
        message = await receive()
        read += len(message.get("body", b""))
        if not message.get("more_body", False):
            return


def _too_large(most: int) -> RefusedError:
    return RefusedError(413, f"The body has more than {most:,} bytes; send less.", "request_too_large")


def _answer(refused: RefusedError) -> JSONResponse:
    return JSONResponse(refused.body(), refused.status, headers=refused.headers)
