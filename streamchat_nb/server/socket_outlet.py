"""Frames to a WebSocket: made once for all readers, written where there is room."""

from __future__ import annotations

import asyncio
from functools import lru_cache, partial
from typing import TYPE_CHECKING, NamedTuple

from tornado.iostream import SSLIOStream, StreamClosedError

from streamchat_nb.protocol.short_deltas import is_delta, shortened

if TYPE_CHECKING:
    from collections.abc import Callable

    from tornado.iostream import IOStream
    from tornado.websocket import WebSocketHandler, WebSocketProtocol

__all__ = ["SocketOutlet", "taken_by", "text_frame"]

STALL_S = 15.0
SHARED_FRAMES = 64
SHARED_BYTES = 16_384
"""The largest data whose frame is kept for the next reader."""
FINAL_TEXT = 0x81
ONE_BYTE_LENGTH = 125
TWO_BYTES = 126
TWO_BYTES_LENGTH = 0xFFFF
EIGHT_BYTES = 127


class _Socket(NamedTuple):
    """What is written to, once it is open."""

    connection: WebSocketProtocol
    stream: IOStream
    send: Callable[[bytes], int]


def _send_over_tls(stream: IOStream, frame: bytes) -> int:
    return 0 if stream.closed() else stream.write_to_fd(memoryview(frame))


def text_frame(data: bytes, before: bytes = b"") -> tuple[bytes, bytes]:
    """Return a server's WebSocket frame: whole, not masked, not compressed.

    Args:
        data: A frame or an event.
        before: A delta that a short delta may go on with, if there is one.

    Returns:
        The frame, and ``before`` of the next one.
    """
    if len(data) > SHARED_BYTES:
        return _frame(data), b""
    return _shared_frame(data, before)


def _make_frame(data: bytes, before: bytes) -> tuple[bytes, bytes]:
    short = shortened(before, data) if before else None
    if short is not None:
        return _frame(short), data
    return _frame(data), data if is_delta(data) else b""


def _frame(data: bytes) -> bytes:
    length = len(data)
    if length <= ONE_BYTE_LENGTH:
        head = bytes((FINAL_TEXT, length))
    elif length <= TWO_BYTES_LENGTH:
        head = bytes((FINAL_TEXT, TWO_BYTES)) + length.to_bytes(2, "big")
    else:
        head = bytes((FINAL_TEXT, EIGHT_BYTES)) + length.to_bytes(8, "big")
    return head + data


_shared_frame = lru_cache(SHARED_FRAMES)(_make_frame)


class SocketOutlet:
    """Writes to an open WebSocket; the ``Outlet`` of its ``Delivery``.

    What the socket takes at once does not go through Tornado's queue, which makes a
    task and two futures for each message; what it does not take, does.

    Args:
        handler: The WebSocket, without compression.

    Attributes:
        is_short: Whether the peer understands short deltas.
    """

    def __init__(self, handler: WebSocketHandler) -> None:
        self.is_short = False
        self._handler = handler
        self._socket: _Socket | None = None
        self._before = b""
        self._written: asyncio.Future[None] | None = None

    @property
    def stream(self) -> IOStream | None:
        """The stream below it, from the upgrade on."""
        connection = self._handler.ws_connection
        return None if connection is None else connection.stream

    def write(self, *data: bytes) -> bool:
        """Write text frames as one; return whether the socket took them at once.

        Raises:
            ConnectionResetError: The peer is gone.
        """
        # Once for each token and viewer: no call that can be spared.
        connection, stream, send = self._socket or self._connect()
        if connection.client_terminated or connection.server_terminated:
            raise ConnectionResetError
        frames = b""
        for one in data:
            if len(one) <= SHARED_BYTES:
                frame, before = _shared_frame(one, self._before)
            else:
                frame, before = _frame(one), b""
            self._before = before if self.is_short else b""
            frames = frames + frame if frames else frame
        try:
            sent = 0 if stream.writing() else send(frames)
        except OSError:
            sent = 0  # no room; whatever else it is, the stream will meet it too
        if sent == len(frames):
            return True
        try:
            self._written = stream.write(memoryview(frames)[sent:])
        except StreamClosedError:
            raise ConnectionResetError from None
        return False

    def _connect(self) -> _Socket:
        """Find out how to write, once the socket is open.

        Raises:
            ConnectionResetError: It is not, or not any more.
        """
        connection = self._handler.ws_connection
        stream = None if connection is None else connection.stream
        if connection is None or stream is None or stream.socket is None:
            raise ConnectionResetError
        over_tls = isinstance(stream, SSLIOStream)
        send = partial(_send_over_tls, stream) if over_tls else stream.socket.send
        self._socket = _Socket(connection, stream, send)
        return self._socket

    async def taken(self) -> None:
        """Wait until the socket took what was written.

        Raises:
            ConnectionError: The peer is gone, or reads nothing for 15 s.
        """
        if self._written is not None:
            await taken_by(self._written)
            self._written = None


async def taken_by(write: asyncio.Future[None]) -> None:
    """Wait for a write of Tornado's. Safe to cancel.

    Raises:
        ConnectionError: The peer is gone, or reads nothing for 15 s.
    """
    # Not wait_for: it would cancel Tornado's own future and lose the write.
    done, _ = await asyncio.wait({write}, timeout=STALL_S)
    if not done:
        raise ConnectionAbortedError
    if write.exception() is not None:
        raise ConnectionResetError
