"""One connection to an HTTP/1.1 server: a request, its response, the next request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx2
from typing_extensions import override

from streamchat_nb.agent.http_response import HttpResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamchat_nb.agent.http_response import ResponseHead
    from streamchat_nb.agent.read_pace import ReadPace

__all__ = ["HttpConnection"]

_BUFFER_BYTES = 262_144
"""From this much unread on, nothing more is taken from the socket."""


class HttpConnection(asyncio.Protocol):
    """Sends one request at a time; its response is read as it comes.

    What waits to be read is bounded: about 256 KiB, and what one receive brings.

    Args:
        pace: Says when the socket rests.

    Attributes:
        requests: How many it was given.
        tap: Takes bytes of the body while somebody waits for them in ``read``, and
            says whether that may go on waiting; ``None`` where ``read`` gives all.
    """

    def __init__(self, pace: ReadPace) -> None:
        self.requests = 0
        self.tap: Callable[[bytes], bool] | None = None
        self._pace = pace
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._response: HttpResponse | None = None
        self._chunks: list[bytes] = []
        self._unread_bytes = 0
        self._failure: httpx2.TransportError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._rests = False
        self._is_paused = False
        self._is_tapped = False

    @property
    def is_open(self) -> bool:
        """Whether a request can be sent."""
        transport = self._transport
        return transport is not None and not transport.is_closing()

    @property
    def can_be_kept(self) -> bool:
        """Whether the response is whole and another request may follow."""
        return (
            self.is_open
            and self._response is not None
            and self._response.complete
            and self._response.keeps_connection
            and self._transport is not None
            and not self._transport.get_write_buffer_size()
        )

    @property
    def was_reused_in_vain(self) -> bool:
        """Whether it served requests before, and answered the last by no byte."""
        response = self._response
        return self.requests > 1 and response is not None and not response.has_begun

    async def send(
        self, method: str, request: bytes, *, timeout_s: float | None
    ) -> ResponseHead:
        """Send a request and return the head of its response.

        On any error, and where it is cancelled, the caller closes the connection.

        Args:
            method: Of the request.
            request: All of it.
            timeout_s: Longest wait, in seconds; ``None`` for no limit.

        Raises:
            TransportError: There is no response.
        """
        self.requests += 1
        response = self._response = HttpResponse(method)
        self._chunks.clear()
        self._unread_bytes = 0
        self._is_tapped = False
        if self._transport is None or self._transport.is_closing():
            raise self._failure or httpx2.RemoteProtocolError("The connection is gone.")
        self._transport.write(request)
        while response.head is None:
            await self._more(timeout_s)
        return response.head

    async def read(self, *, timeout_s: float | None = None) -> bytes | None:
        """Return the next bytes of the body; none at its end.

        ``None`` where the tap took them and asks for the caller.

        Args:
            timeout_s: Longest wait, in seconds; ``None`` for no limit.

        Raises:
            TransportError: The body is not whole.
        """
        while not self._chunks:
            if self._is_tapped:
                self._is_tapped = False
                return None
            if self._response is None or self._response.complete:
                return b""
            await self._more(timeout_s)
        chunks, self._chunks = self._chunks, []
        self._unread_bytes = 0
        self._go_on()
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def close(self) -> None:
        """Close it at once. Idempotent."""
        self._pace.forget(self._rested)
        if self._transport is not None:
            self._transport.abort()

    # --- for the event loop ------------------------------------------------------

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a stream
        self._transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        response = self._response
        if response is None or response.complete:
            self.close()  # bytes that nobody asked for
            return
        try:
            body = response.feed(data)
        except httpx2.RemoteProtocolError as error:
            self._fail(error)
            self.close()
            return
        waiter, may_wait = self._waiter, False
        if body and self.tap is not None and waiter is not None and not waiter.done():
            may_wait = self.tap(body)
            self._is_tapped = not may_wait
        elif body:
            self._chunks.append(body)
            self._unread_bytes += len(body)
        if response.complete:
            self._wake()
            return
        self._rests = self._pace.rests(self._rested)
        if self._rests or self._unread_bytes > _BUFFER_BYTES:
            self._pause()
        if not may_wait:
            self._wake()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        response = self._response
        if response is None or response.complete:
            return
        if exc is not None:
            error = httpx2.ReadError(str(exc))
            error.__cause__ = exc
            self._fail(error)
            return
        try:
            response.end()
        except httpx2.RemoteProtocolError as error:
            self._fail(error)
        else:
            self._wake()

    # --- waiting -----------------------------------------------------------------

    async def _more(self, timeout_s: float | None) -> None:
        """Wait until more has come.

        Raises:
            TransportError: No more will come, or not in time.
        """
        if self._failure is not None:
            raise self._failure
        self._waiter = self._loop.create_future()
        try:
            if timeout_s is None:
                await self._waiter
            else:
                async with asyncio.timeout(timeout_s):
                    await self._waiter
        except TimeoutError as error:
            raise httpx2.ReadTimeout("The server is silent.") from error
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, error: httpx2.TransportError) -> None:
        self._failure = self._failure or error
        self._wake()

    # --- reading no more than is wanted ------------------------------------------

    def _pause(self) -> None:
        if not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def _rested(self) -> None:
        self._rests = False
        self._go_on()

    def _go_on(self) -> None:
        """Read the socket again where nothing speaks against it."""
        is_enough = self._rests or self._unread_bytes > _BUFFER_BYTES
        if self._is_paused and not is_enough and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()
