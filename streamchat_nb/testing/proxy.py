"""A network that blocks things: a TCP proxy in front of a server, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Blockable", "BlockingProxy"]

Blockable = Literal["websocket", "event-stream"]
CHUNK_BYTES = 65_536
START_TIMEOUT_S = 10.0
_METHODS = (b"GET ", b"POST ", b"PUT ", b"PATCH ", b"DELETE ", b"OPTIONS ", b"HEAD ")


class BlockingProxy:
    """Forwards to a port of 127.0.0.1, except for what is blocked.

    A blocked request has its connection closed, as by a firewall that does not like
    what it sees. What is blocked may be changed while it runs; connections that were
    let through live on. A context manager; runs on a thread of its own.

    Args:
        target_port: Where to forward to.
        path: Only requests whose address contains this are blocked.

    Attributes:
        blocked: What is blocked now.
        port: Where it listens, on 127.0.0.1.
    """

    def __init__(self, target_port: int, *, path: str = "/streamchat/") -> None:
        self.blocked: set[Blockable] = set()
        self.port = 0
        self._target_port = target_port
        self._path = path.encode()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(self._start(), self._loop)
        started.result(START_TIMEOUT_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def cut(self) -> None:
        """Close every connection that is open now."""
        self._loop.call_soon_threadsafe(self._cancel_all)

    def _cancel_all(self) -> None:
        for connection in tuple(self._connections):
            connection.cancel()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self._cancel_all()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            if task is not None:
                self._connections.discard(task)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        target_reader, target_writer = await asyncio.open_connection(
            "127.0.0.1", self._target_port
        )
        back = asyncio.ensure_future(_copy(target_reader, writer))
        try:
            while data := await reader.read(CHUNK_BYTES):
                if data.startswith(_METHODS) and self._is_blocked(data):
                    return
                target_writer.write(data)
                await target_writer.drain()
        finally:
            back.cancel()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await back
            target_writer.close()

    def _is_blocked(self, request: bytes) -> bool:
        head = request.split(b"\r\n\r\n", 1)[0].lower()
        if self._path not in head.split(b"\r\n", 1)[0]:
            return False
        return ("websocket" in self.blocked and b"\r\nupgrade: websocket" in head) or (
            "event-stream" in self.blocked and b"text/event-stream" in head
        )


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
        writer.close()
