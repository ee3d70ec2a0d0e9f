"""HTTP, WebSocket and event streams by hand: clients that share no code with ours.

A mistake of the product's client, or of the library under it, must not hide one of the
server. Only the shapes of what travels are shared.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from streamchat_nb.protocol.commands import Cursor
from streamchat_nb.protocol.frames import Authenticated, ErrorFrame, Hello

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from streamchat_nb.protocol.events import Event, UnknownEvent
    from streamchat_nb.protocol.frames import Frame
    from streamchat_nb.testing.history import Seat

__all__ = ["Address", "Follower", "SocketFollower", "StreamFollower", "call"]

CALL_S = 30.0
RETRY_S = 0.01
LARGEST_LINE_BYTES = 16_777_216
ENDED = (OSError, EOFError)
"""What a connection raises that was cut, or that has been silent for too long."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a server is, or a proxy before it, and the token of the Jupyter server."""

    port: int
    token: str

    def request(
        self, method: str, path: str, *headers: str, body: bytes = b""
    ) -> bytes:
        """Return a request as it goes over the wire."""
        lines = [
            f"{method} /streamchat/api/{path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            f"Authorization: token {self.token}",
            f"Content-Length: {len(body)}" if body else "Accept-Encoding: identity",
            *headers,
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body


class Line:
    """One connection: a request, the head of its response, and what follows."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.status = 0
        self.headers: dict[str, str] = {}

    @staticmethod
    async def opened(port: int, request: bytes) -> Line:
        """Connect, send a request and read the head of its response."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, limit=LARGEST_LINE_BYTES
        )
        line = Line(reader, writer)
        try:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        except BaseException:
            line.close()
            raise
        line.status = int(head[0].split()[1])
        pairs = (entry.split(":", 1) for entry in head[1:] if ":" in entry)
        line.headers = {name.lower(): value.strip() for name, value in pairs}
        return line

    def close(self) -> None:
        """Let go of it at once."""
        self.writer.transport.abort()


async def call(
    address: Address, method: str, path: str, body: Any = None, *headers: str
) -> tuple[int, Any]:
    """Make one request; return its status and its decoded body.

    Raises:
        OSError: Nobody is there, or no answer came within 30 s.
        EOFError: The answer was cut.
    """
    data = b"" if body is None else json.dumps(body).encode()
    request = address.request(
        *(method, path, "Connection: close", "Content-Type: application/json"),
        *headers,
        body=data,
    )
    async with asyncio.timeout(CALL_S):
        line = await Line.opened(address.port, request)
        try:
            length = int(line.headers.get("content-length", "0"))
            answer = await line.reader.readexactly(length)
        finally:
            line.close()
    return line.status, json.loads(answer) if answer else None


class Follower(ABC):
    """Follows a conversation; connects again at once, from its cursor.

    Args:
        address: Where to connect to.
        conversation: Id of the conversation.
        seat: Where what comes is written down.
        silence_s: After how long without anything a connection is given up, in
            seconds.
        on_receive: Told whatever comes, decoded.
    """

    def __init__(
        self,
        address: Address,
        conversation: str,
        seat: Seat,
        *,
        silence_s: float = 0.3,
        on_receive: Callable[[Frame | Event | UnknownEvent], None] = lambda _: None,
    ) -> None:
        self.address = address
        self.conversation = conversation
        self.seat = seat
        self.silence_s = silence_s
        self.on_receive = on_receive
        self._is_to_forget = False

    @property
    def seq(self) -> int:
        """How far it has seen the log."""
        cursor = self.seat.cursor
        return 0 if cursor is None else cursor.seq

    def forget(self) -> None:
        """Begin anew with the next connection, as a page does that is reloaded."""
        self._is_to_forget = True

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            if self._is_to_forget:
                self._is_to_forget = False
                self.begin_anew()
            try:
                await self.follow()
            except ConnectionRefusedError:
                await asyncio.sleep(RETRY_S)
            except ENDED:
                await asyncio.sleep(0)

    async def follow(self) -> None:
        """Follow over one connection until it ends.

        Raises:
            OSError: It was cut or silent.
            EOFError: It was closed.
            AssertionError: The server refused something.
        """
        async with asyncio.timeout(self.silence_s):
            line = await Line.opened(self.address.port, self.request())
        try:
            if line.status in (502, 503):
                raise ConnectionRefusedError
            assert line.status == self.status, f"{type(self).__name__}: {line.status}"
            await self.read(line)
        finally:
            line.close()

    def begin_anew(self) -> None:
        """Forget what was seen."""
        self.seat.connect(None)

    status: int
    """The status of a response that is not a refusal."""

    @abstractmethod
    def request(self) -> bytes:
        """Return the request that opens a connection."""

    @abstractmethod
    async def read(self, line: Line) -> None:
        """Write down what comes over an open connection, until it ends."""


class SocketFollower(Follower):
    """Follows over WebSockets."""

    status = 101
    token = ""
    """A chat token of the server; set it before it runs."""

    @override
    def request(self) -> bytes:
        return self.address.request(
            *("GET", "ws", "Upgrade: websocket", "Connection: Upgrade"),
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
            *("Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: streamchat.v1"),
        )

    @override
    async def read(self, line: Line) -> None:
        connection = self.seat.connect(self.seat.cursor)
        while True:
            async with asyncio.timeout(self.silence_s):
                message = await _read_message(line)
            received = connection.receive(message)
            self.on_receive(received)
            match received:
                case Hello():
                    _say(line, type="authenticate", id=1, token=self.token)
                case Authenticated():
                    since = connection.since
                    cursor = since and {"log": since.log, "seq": since.seq}
                    _say(
                        line,
                        type="subscribe",
                        id=2,
                        conversation=self.conversation,
                        since=cursor,
                    )
                case ErrorFrame():
                    raise AssertionError(f"refused: {received.code}")
                case _:
                    pass


class StreamFollower(Follower):
    """Follows over server-sent events, by ``Last-Event-ID``."""

    status = 200

    _last_id = ""

    @override
    def begin_anew(self) -> None:
        super().begin_anew()
        self._last_id = ""

    @override
    def request(self) -> bytes:
        last = [f"Last-Event-ID: {self._last_id}"] if self._last_id else []
        path = f"conversations/{self.conversation}/events"
        return self.address.request("GET", path, "Accept: text/event-stream", *last)

    @override
    async def read(self, line: Line) -> None:
        log, _, seq = self._last_id.partition(":")
        connection = self.seat.connect(Cursor(log=log, seq=int(seq)) if log else None)
        async for fields in self._events(line):
            data = fields.get("data")
            if data:
                self.on_receive(connection.receive(data.encode()))
            self._last_id = fields.get("id", self._last_id)

    async def _events(self, line: Line) -> AsyncIterator[dict[str, str]]:
        text = b""
        while True:
            async with asyncio.timeout(self.silence_s):
                text += await _read_chunk(line)
            *events, text = text.split(b"\n\n")
            for event in events:
                pairs = (entry.partition(":") for entry in event.decode().split("\n"))
                yield {name: value.removeprefix(" ") for name, _, value in pairs}


def _say(line: Line, **fields: Any) -> None:
    """Send a command as a masked text frame; the mask is all zeros."""
    data = json.dumps(fields).encode()
    assert len(data) < 65_536
    length = (
        bytes([0x80 | len(data)])
        if len(data) < 126
        else bytes([0x80 | 126]) + len(data).to_bytes(2)
    )
    line.writer.write(b"\x81" + length + bytes(4) + data)


async def _read_message(line: Line) -> bytes:
    """Read the next text message; answer pings.

    Raises:
        EOFError: The connection is closed.
    """
    while True:
        head = await line.reader.readexactly(2)
        length = head[1]
        if length >= 126:
            size = 2 if length == 126 else 8
            length = int.from_bytes(await line.reader.readexactly(size))
        payload = await line.reader.readexactly(length)
        match head[0]:
            case 0x81:
                return payload
            case 0x88:
                raise EOFError
            case 0x89:
                line.writer.write(bytes([0x8A, 0x80 | length]) + bytes(4) + payload)
            case _:
                raise AssertionError(f"a frame of a kind not expected: {head[0]:#x}")


async def _read_chunk(line: Line) -> bytes:
    """Read the next chunk of a chunked body.

    Raises:
        EOFError: It was the last one, or the connection is closed.
    """
    size = int((await line.reader.readuntil(b"\r\n")).strip(), 16)
    data = await line.reader.readexactly(size + 2)
    if not size:
        raise EOFError
    return data[:-2]
