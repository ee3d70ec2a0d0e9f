"""Server-sent events: one open HTTP answer for each conversation."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Literal

from streamchat_nb.client.event_page import events_path
from streamchat_nb.client.log_reader import LogReader
from streamchat_nb.client.request_session import RequestSession
from streamchat_nb.client.session import (
    TransportBlocked,
    server_restarts,
    settle,
)
from streamchat_nb.errors import AuthenticationError, ConnectError, StreamchatError
from streamchat_nb.protocol.codec import decode_frame
from streamchat_nb.protocol.frames import GoingAway

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from streamchat_nb.client.exchange import HttpExchange
    from streamchat_nb.client.followed_log import FollowedLog
    from streamchat_nb.client.log_reader import Reading

__all__ = ["EventStream", "StreamSession"]

FIRST_ITEM_TIMEOUT_S = 5.0
SILENCE_TIMEOUT_S = 40.0
MOST_ITEM_BYTES = 16 * 1024 * 1024
SUBSCRIPTION = 0  # the id that a stream's one subscription has


class EventStream:
    """Cuts a stream of server-sent events into the data of its items.

    Only what our server sends is understood: items that end in an empty line, with one
    line of data each. Comments, which are its heartbeats, give nothing.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes and return the data of the items that they complete.

        Raises:
            ConnectError: An item is over 16 MiB.
        """
        self._buffer += chunk
        items: list[bytes] = []
        while (end := self._buffer.find(b"\n\n", self._searched)) >= 0:
            lines = bytes(self._buffer[:end]).split(b"\n")
            items += [line[5:].strip() for line in lines if line.startswith(b"data:")]
            del self._buffer[: end + 2]
            self._searched = 0
        self._searched = max(0, len(self._buffer) - 1)
        if len(self._buffer) > MOST_ITEM_BYTES:
            raise ConnectError("The server sent an item that is too long.")
        return items


class StreamSession(RequestSession):
    """A ``Session`` of one stream for each conversation.

    A stream that says nothing for 40 s counts as broken; the server says something
    every 15 s. One that breaks ends the session, which is then opened anew.

    Args:
        host: The connection that it belongs to.
    """

    transport: Literal["sse"] = "sse"

    async def follow(self, log: FollowedLog) -> None:
        """Open its stream; returns with the first item."""
        await self.unfollow(log)
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.get_running_loop().create_task(
            self._read(log, begun), name=f"stream {log.id}"
        )
        self._tasks[log.id] = task
        try:
            await asyncio.wait({begun, task}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not begun.done():
            raise ConnectError("The connection was closed.")
        begun.result()

    async def _read(self, log: FollowedLog, begun: asyncio.Future[None]) -> None:
        """Read its stream to the end of this delivery."""
        reader = LogReader(log, SUBSCRIPTION)
        try:
            async with contextlib.aclosing(self._items(log)) as items:
                async for data in items:
                    if not begun.done():
                        begun.set_result(None)
                    # The first item has no data; it says that the stream is open.
                    reading = _take(reader, data) if data else "read"
                    if reading != "read":
                        settle(self._host, self, log, reading)
                        return
        except StreamchatError as error:
            if not begun.done():
                begun.set_exception(error)
            else:
                self._end(error)

    async def _items(self, log: FollowedLog) -> AsyncGenerator[bytes]:
        """Yield the data of the items of a new stream.

        Raises:
            TransportBlocked: Not a stream of our server, or silent from the start.
            ConnectError: It broke off, or was silent for too long.
            StreamchatError: The server refused it.
        """
        events = EventStream()
        timeout_s, has_items = FIRST_ITEM_TIMEOUT_S, False
        try:
            async with contextlib.AsyncExitStack() as stack:
                async with asyncio.timeout(timeout_s):
                    answer = await stack.enter_async_context(self._open(log))
                while True:
                    async with asyncio.timeout(timeout_s):
                        chunk = await answer.chunk()
                    if chunk is None:
                        raise ConnectionResetError
                    for data in events.feed(chunk):
                        timeout_s, has_items = SILENCE_TIMEOUT_S, True
                        yield data
        except OSError:  # a time-out is one, too
            if not has_items:
                raise TransportBlocked("HTTP streams do not get through.") from None
            raise ConnectError("The stream of events broke off.") from None

    @contextlib.asynccontextmanager
    async def _open(self, log: FollowedLog) -> AsyncGenerator[HttpExchange]:
        description = self._host.description
        query = {"client": description.id, "kind": description.kind}
        if description.name:
            query["name"] = description.name
        path = events_path(log.id, log.since, query)
        headers = {"Accept": "text/event-stream"}
        try:
            async with self._host.http.open("GET", path, headers=headers) as answer:
                if not answer.headers.get("Content-Type", "").startswith(
                    headers["Accept"]
                ):
                    raise TransportBlocked("HTTP streams do not get through.")
                yield answer
        except (AuthenticationError, ConnectError) as error:
            # The server has just answered us: it is something on the way that says so.
            raise TransportBlocked(
                f"HTTP streams are blocked: {error.message}"
            ) from None


def _take(reader: LogReader, data: bytes) -> Reading:
    frame = decode_frame(data)
    if isinstance(frame, GoingAway):
        raise server_restarts(frame)
    return reader.take(frame)
