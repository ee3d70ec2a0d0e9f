"""A Messages API that says a token when it is told to, in this process."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final, Self, cast

from typing_extensions import override

__all__ = ["SteppedApi"]

ASKED_S = 30.0
_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


class SteppedApi:
    """Serves on 127.0.0.1; an async context manager. One answer at a time.

    Attributes:
        url: Its address, as ``base_url``.
    """

    def __init__(self) -> None:
        self.url = ""
        self._asked: asyncio.Queue[asyncio.Transport] = asyncio.Queue()
        self._line: asyncio.Transport | None = None
        self._tokens = 0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Line(self._asked), "127.0.0.1", 0
        )
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        if self._line is not None:
            self._line.abort()

    async def begin(self) -> None:
        """Wait for a request, and begin to answer it.

        Raises:
            TimeoutError: None came within 30 s.
        """
        async with asyncio.timeout(ASKED_S):
            self._line = await self._asked.get()
        self._tokens = 0
        message: dict[str, object] = {
            "id": "msg_stepped",
            "type": "message",
            "role": "assistant",
            "model": "claude-fake",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
        block = {"type": "text", "text": ""}
        self._line.write(
            _HEAD
            + _event("message_start", message=message)
            + _event("content_block_start", index=0, content_block=block)
        )

    def say(self, text: str) -> None:
        """Say a token, in a packet of its own."""
        self._tokens += 1
        delta = {"type": "text_delta", "text": text}
        self._write(_event("content_block_delta", index=0, delta=delta))

    def end(self) -> None:
        """End the answer."""
        delta = {"stop_reason": "end_turn", "stop_sequence": None}
        usage = {"output_tokens": self._tokens}
        self._write(
            _event("content_block_stop", index=0)
            + _event("message_delta", delta=delta, usage=usage)
            + _event("message_stop")
            + b"0\r\n\r\n"
        )

    def _write(self, data: bytes) -> None:
        if self._line is None:
            raise RuntimeError("nobody has asked")
        self._line.write(data)


class _Line(asyncio.Protocol):
    """One connection: puts itself into a queue with each request that is whole."""

    def __init__(self, asked: asyncio.Queue[asyncio.Transport]) -> None:
        self._asked = asked
        self._unread = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._unread += data
        head, end, body = self._unread.partition(b"\r\n\r\n")
        _, named, length = head.lower().partition(b"content-length:")
        if end and named and len(body) >= int(length.split(b"\r\n")[0]):
            self._unread = b""
            self._asked.put_nowait(self._transport)


def _event(name: str, **fields: Any) -> bytes:  # noqa: ANN401 - any JSON
    data = json.dumps({"type": name, **fields}, separators=(",", ":"))
    event = f"event: {name}\ndata: {data}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(event), event)
