"""The least that a server in Python can do: bytes in, a frame out. No contender.

It knows no users, no history and no Tornado: an own ``asyncio.Protocol`` on both sides.
It checks one token per socket. What it takes is what asyncio and the sockets take.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
from collections import deque
from typing import Any, cast
from urllib.parse import urlsplit

import jwt
import msgspec
from typing_extensions import override

BACKLOG = 4096
_SHORT, _MEDIUM = 126, 127
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_DELTA = b"event: content_block_delta\ndata: "
_rooms: dict[str, set[Reader]] = {}
_idle: deque[Upstream] = deque()


class _Text(msgspec.Struct):
    text: str = ""


class _Delta(msgspec.Struct):
    delta: _Text


class _Token(msgspec.Struct, tag="token"):
    text: str


_decode = msgspec.json.Decoder(_Delta).decode
_encode = msgspec.json.Encoder().encode


def _frame(payload: bytes) -> bytes:
    size = len(payload)
    if size < _SHORT:
        return bytes((0x81, size)) + payload
    return bytes((0x81, _SHORT)) + size.to_bytes(2, "big") + payload


class Upstream(asyncio.Protocol):
    """One connection to the Messages API; streams an answer at a time."""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._readers: set[Reader] = set()
        self._unread = b""

    def ask(self, text: str, readers: set[Reader]) -> None:
        """Send a request; its answer goes to these."""
        self._readers = readers
        body = json.dumps(
            {
                "model": "claude-fake",
                "max_tokens": 1024,
                "stream": True,
                "messages": [{"role": "user", "content": text}],
            }
        )
        head = (
            "POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._transport.write((head + body).encode())

    @override
    def data_received(self, data: bytes) -> None:
        *events, self._unread = (self._unread + data).split(b"\n\n")
        for event in events:
            begin = event.find(_DELTA)
            if begin >= 0:
                token = _decode(event[begin + len(_DELTA) :]).delta.text
                self._tell(_encode(_Token(token)))
            elif b"event: message_stop" in event:
                self._tell(b'{"type":"done"}')
                self._unread = b""
                _idle.append(self)

    def _tell(self, payload: bytes) -> None:
        frame = _frame(payload)
        for reader in self._readers:
            reader.transport.write(frame)


class Reader(asyncio.Protocol):
    """A client's socket."""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._unread = b""
        self._is_open = False
        self._user: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        for room in _rooms.values():
            room.discard(self)

    @override
    def data_received(self, data: bytes) -> None:
        data = self._unread + data
        if not self._is_open:
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self._unread = head
                return
            self._upgrade(head)
        self._unread = self._take_frames(data)

    def _upgrade(self, head: bytes) -> None:
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        digest = hashlib.sha1(fields[b"Sec-WebSocket-Key"] + _GUID).digest()  # noqa: S324 - as RFC 6455 says
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )
        self._is_open = True

    def _take_frames(self, data: bytes) -> bytes:
        """Take whole frames, of less than 64 KiB, and return the rest."""
        while len(data) > 1:
            size, begin = data[1] & 0x7F, 6
            if size == _SHORT:
                size, begin = int.from_bytes(data[2:4], "big"), 8
            if len(data) < begin + size:
                break
            mask, payload = data[begin - 4 : begin], data[begin : begin + size]
            data = data[begin + size :]
            if any(mask):
                payload = bytes(byte ^ mask[at & 3] for at, byte in enumerate(payload))
            self._receive(json.loads(payload))
        return data

    def _receive(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "authenticate":
                claims: dict[str, Any] = jwt.decode(
                    message["token"], os.environ["JWT_SECRET"], algorithms=["HS256"]
                )
                self._user = claims["sub"]
                self.transport.write(_frame(b'{"type":"authenticated"}'))
            case "subscribe":
                _rooms.setdefault(message["conversation"], set()).add(self)
                self.transport.write(_frame(b'{"type":"subscribed"}'))
            case _:
                room = _rooms.get(message.get("conversation", ""), {self})
                task = asyncio.ensure_future(_ask(message["text"], room))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)


async def _ask(text: str, readers: set[Reader]) -> None:
    if _idle:
        upstream = _idle.popleft()
    else:
        address = urlsplit(os.environ["ANTHROPIC_BASE_URL"])
        _, upstream = await asyncio.get_running_loop().create_connection(
            Upstream, address.hostname or "", address.port or 80
        )
    upstream.ask(text, readers)


async def main() -> None:
    """Serve until the process is ended."""
    server: Any = await asyncio.get_running_loop().create_server(
        Reader, "127.0.0.1", int(os.environ["PORT"]), backlog=BACKLOG
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
