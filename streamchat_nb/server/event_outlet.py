"""Server-sent events to an HTTP response: made once for all readers."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import msgspec
from tornado.iostream import StreamClosedError

from streamchat_nb.server.socket_outlet import taken_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from tornado.iostream import IOStream
    from tornado.web import RequestHandler

__all__ = ["EventHead", "EventOutlet", "ResponseStream", "sse_event"]

SHARED_EVENTS = 64
SHARED_BYTES = 16_384
"""The largest data whose event is kept for the next reader."""


class EventHead(msgspec.Struct, frozen=True):
    """What of a frame or an event its reader's stream needs to know."""

    type: str
    seq: int = 0
    turn: str | None = None
    part: int = 1
    parts: int = 1


_head_decoder = msgspec.json.Decoder(EventHead)


def sse_event(log: str, data: bytes) -> bytes:
    """Return one frame or event as a server-sent event, with its cursor as id.

    A part of a snapshot is no place to go on from; only the last one has an id.
    """
    return _made(log, data)[0]


def _made(log: str, data: bytes) -> tuple[bytes, EventHead]:
    return _shared(log, data) if len(data) <= SHARED_BYTES else _make(log, data)


def _make(log: str, data: bytes) -> tuple[bytes, EventHead]:
    head = _head_decoder.decode(data)
    lines = [b"event: " + head.type.encode(), b"data: " + data]
    if head.seq and head.type != "ack" and head.part == head.parts:
        lines.insert(0, f"id: {log}:{head.seq}".encode())
    return b"\n".join(lines) + b"\n\n", head


_shared = lru_cache(SHARED_EVENTS)(_make)


class ResponseStream:
    """The body of a response that stays open.

    Args:
        handler: Whose response; its headers are set.
    """

    def __init__(self, handler: RequestHandler) -> None:
        self._handler = handler
        # Tornado's types do not say that a connection over HTTP/1 has one.
        self._stream = cast("IOStream", cast("Any", handler.request.connection).stream)

    def write(self, lines: bytes) -> bool:
        """Write; return whether the socket took it at once.

        Raises:
            ConnectionResetError: The client is gone.
        """
        if self._stream.closed():
            raise ConnectionResetError
        self._handler.write(lines)  # pyright: ignore[reportUnknownMemberType]
        self._handler.flush()
        return not self._stream.writing()

    async def taken(self) -> None:
        """Wait until the socket took what was written. Safe to cancel.

        Raises:
            ConnectionError: The client is gone, or reads nothing for 15 s.
        """
        if not self._stream.writing():
            return
        try:
            # Tornado forgets the future of a flush when the next one begins.
            everything = self._stream.write(b"")
        except StreamClosedError:
            raise ConnectionResetError from None
        try:
            await taken_by(everything)
        except ConnectionAbortedError:
            self._stream.close()  # nothing reaches a reader that has stopped
            raise

    async def send(self, lines: bytes) -> None:
        """Write and wait until the socket took it.

        Raises:
            ConnectionError: As ``taken``.
        """
        if not self.write(lines):
            await self.taken()


class EventOutlet:
    """Writes a log's frames and events as server-sent events.

    The ``Outlet`` of a stream's ``Delivery``.

    Args:
        response: Where to.
        log: Identity of the log whose cursors are the ids.
        observe: Told what was written.
    """

    def __init__(
        self, response: ResponseStream, log: str, observe: Callable[[EventHead], None]
    ) -> None:
        self._response = response
        self._log = log
        self._observe = observe

    def write(self, *data: bytes) -> bool:
        """Write frames and events; return whether the socket took them at once.

        Raises:
            ConnectionResetError: The client is gone.
        """
        made = [_made(self._log, one) for one in data]
        took = self._response.write(b"".join([event for event, _ in made]))
        for _, head in made:
            self._observe(head)
        return took

    async def taken(self) -> None:
        """Wait until the socket took what was written.

        Raises:
            ConnectionError: The client is gone, or reads nothing for 15 s.
        """
        await self._response.taken()
