"""Connections that a client cannot keep open by neither sending nor reading.

uvicorn waits for the head of a request, for its body and for a client that does not read as long as the client likes.
Each connection holds a descriptor, and once these are used up nobody is answered. So a connection is ended after
``SECONDS`` in which it was the client's turn, and where more than ``most_connections`` stand, the one that has kept the
server waiting the longest is ended for a new one. What the server itself takes to answer counts for nothing.
"""

import asyncio
import resource
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

SECONDS = 30.0
SLOWEST = 10_000
"""Bytes a second: so many of a request give the client one second more."""
LOOK_SECONDS = 1.0
MOST = 512


def most_connections() -> int:
    """How many may stand at once: a third of the descriptors, as a burst is accepted before it is counted."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(MOST, soft // 3) if soft > 0 else MOST


class Connection(H11Protocol):
    """One of them; see the module's text."""

    _waited_since: float
    _look_again: asyncio.TimerHandle
    _ended = False

    def connection_made(self, transport: Any) -> None:
        """See ``asyncio.Protocol``."""
        super().connection_made(transport)
        self._waited_since = self.loop.time()
        self._look_again = self.loop.call_later(LOOK_SECONDS, self._look)
        standing = [each for each in self.connections if isinstance(each, Connection) and not each._ended]
        if len(standing) > most_connections():
            waiting = [each for each in standing if each is not self and each.waits_for_client()]
            min(waiting, key=lambda each: each._waited_since, default=self).end()

    def end(self) -> None:
        """At once, whatever was not sent yet."""
        self._ended = True
        self.transport.abort()

    def waits_for_client(self) -> bool:
        """Whether it is the client who has to send or to read."""
        sends = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
        return sends or self.flow.write_paused or self.transport.is_closing()

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        self._waited_since = min(self.loop.time(), self._waited_since + len(data) / SLOWEST)
        super().data_received(data)

    def resume_writing(self) -> None:
        """See ``asyncio.Protocol``: the client has read."""
        self._waited_since = self.loop.time()
        super().resume_writing()

    def on_response_complete(self) -> None:
        """After each answer the next request has its own time."""
        self._waited_since = self.loop.time()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        self._look_again.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        now = self.loop.time()
        if not self.waits_for_client():
            self._waited_since = now
        elif now - self._waited_since > SECONDS:
            self.end()
            return
        self._look_again = self.loop.call_later(LOOK_SECONDS, self._look)
