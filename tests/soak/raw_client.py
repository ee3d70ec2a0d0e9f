"""HTTP, WebSocket and event streams by hand: clients that share no code with ours.

A mistake of the product's client, or of the library under it, must not hide one of the
server. Only the shapes of what travels are shared.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from streamchat_nb.protocol.codec import decode_frame
from streamchat_nb.protocol.commands import Cursor
from streamchat_nb.protocol.frames import Authenticated, ErrorFrame
from streamchat_nb.protocol.short_deltas import SHORT_DELTAS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from streamchat_nb.protocol.events import Event, UnknownEvent
    from streamchat_nb.protocol.frames import Frame
    from streamchat_nb.testing.history import Seat

__all__ = [
    "Address",
    "AuthenticationRefused",
    "Follower",
    "Line",
    "SocketFollower",
    "StreamFollower",
    "call",
    "chat_token",
    "open_socket",
]

CALL_S = 30.0
RETRY_S = 0.05
LARGEST_LINE_BYTES = 16_777_216
LONG = 126
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


class AuthenticationRefused(ConnectionRefusedError):
    """The token is not, or no longer, one of this server's."""


class Line:
    """One connection: a request, the head of its response, and what follows."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader = reader
        self._writer = writer
        self.status = 0
        self._body_bytes = 0

    @staticmethod
    async def opened(port: int, request: bytes, *, status: int | None = None) -> Line:
        """Connect, send a request and read the head of its response.

        Raises:
            ConnectionRefusedError: The server cannot serve now.
            AssertionError: The response has another status than the one given.
        """
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, limit=LARGEST_LINE_BYTES
        )
        line = Line(reader, writer)
        try:
            writer.write(request)
            await line._read_head(status)
        except BaseException:
            line.close()
            raise
        return line

    async def _read_head(self, status: int | None) -> None:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        self.status = int(head.split()[1])
        length = re.search(r"\r\ncontent-length: (\d+)", head)
        self._body_bytes = int(length[1]) if length else 0
        if self.status in (502, 503):
            raise ConnectionRefusedError
        assert status in (None, self.status), head

    def close(self) -> None:
        """Let go of it at once."""
        self._writer.transport.abort()

    async def body(self) -> bytes:
        """Read a body of a known length."""
        return await self._reader.readexactly(self._body_bytes)

    async def chunk(self) -> bytes:
        """Read the next chunk of a chunked body.

        Raises:
            EOFError: It was the last one, or the connection is closed.
        """
        size = int((await self._reader.readuntil(b"\r\n")).strip(), 16)
        data = await self._reader.readexactly(size + 2)
        if not size:
            raise EOFError
        return data[:-2]

    async def message(self) -> bytes:
        """Read the next text message of a WebSocket; answer pings.

        Raises:
            EOFError: The connection is closed.
        """
        while True:
            kind, length = await self._reader.readexactly(2)
            if length >= LONG:
                size = 2 if length == LONG else 8
                length = int.from_bytes(await self._reader.readexactly(size))
            payload = await self._reader.readexactly(length)
            match kind:
                case 0x81:
                    return payload
                case 0x88:
                    raise EOFError
                case 0x89:
                    self._write_frame(0x8A, payload)
                case _:
                    raise AssertionError(f"a frame of an unexpected kind: {kind:#x}")

    def say(self, **fields: Any) -> None:
        """Send a command over a WebSocket."""
        self._write_frame(0x81, json.dumps(fields).encode())

    def _write_frame(self, kind: int, payload: bytes) -> None:
        """Write a frame, masked as a client's has to be: with zeros."""
        length = len(payload)
        sizes = (
            bytes([0x80 | length])
            if length < LONG
            else bytes([0x80 | LONG]) + length.to_bytes(2)
        )
        self._writer.write(bytes([kind]) + sizes + bytes(4) + payload)


async def open_socket(address: Address, token: str, *features: str) -> Line:
    """Open a WebSocket and authenticate.

    Args:
        address: The server.
        token: A chat token.
        features: What the client says that it understands.

    Raises:
        AuthenticationRefused: The token is not one of this server's.
    """
    request = address.request(
        *("GET", "ws", "Upgrade: websocket", "Connection: Upgrade"),
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        *("Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: streamchat.v1"),
    )
    line = await Line.opened(address.port, request, status=101)
    try:
        line.say(type="authenticate", id=0, token=token, features=features)
        await _authenticated(line)
    except BaseException:
        line.close()
        raise
    return line


async def _authenticated(line: Line) -> None:
    while True:
        match decode_frame(await line.message()):
            case Authenticated():
                return
            case ErrorFrame(code=code):
                raise AuthenticationRefused(code)
            case _:
                pass


async def chat_token(address: Address) -> str:
    """Return a fresh chat token."""
    _, answer = await call(address, "POST", "token")
    return answer["token"]


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
            answer = await line.body()
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

    def begin_anew(self) -> None:
        """Forget what was seen."""
        self.seat.connect(None)

    @abstractmethod
    async def follow(self) -> None:
        """Follow until the connection ends.

        Raises:
            OSError: It was cut or silent.
            EOFError: It was closed.
            AssertionError: The server refused something.
        """


class RawFollower(Follower):
    """Follows over one bare connection at a time."""

    @override
    async def follow(self) -> None:
        async with asyncio.timeout(self.silence_s):
            line = await self.open()
        try:
            await self.read(line)
        finally:
            line.close()

    @abstractmethod
    async def open(self) -> Line:
        """Open a connection over which one may read."""

    @abstractmethod
    async def read(self, line: Line) -> None:
        """Write down what comes over an open connection, until it ends."""


class SocketFollower(RawFollower):
    """Follows over WebSockets."""

    token = ""
    """A chat token of the server; a fresh one is fetched when it has none."""

    @override
    async def open(self) -> Line:
        if not self.token:
            self.token = await chat_token(self.address)
        try:
            return await open_socket(self.address, self.token, SHORT_DELTAS)
        except AuthenticationRefused:
            self.token = ""
            raise

    @override
    async def read(self, line: Line) -> None:
        connection = self.seat.connect(self.seat.cursor)
        since = connection.since
        line.say(
            type="subscribe",
            id=1,
            conversation=self.conversation,
            since=since and {"log": since.log, "seq": since.seq},
        )
        while True:
            async with asyncio.timeout(self.silence_s):
                message = await line.message()
            received = connection.receive(message)
            assert not isinstance(received, ErrorFrame), received.code
            self.on_receive(received)


class StreamFollower(RawFollower):
    """Follows over server-sent events, by ``Last-Event-ID``."""

    _last_id = ""

    @override
    def begin_anew(self) -> None:
        super().begin_anew()
        self._last_id = ""

    @override
    async def open(self) -> Line:
        last = [f"Last-Event-ID: {self._last_id}"] if self._last_id else []
        path = f"conversations/{self.conversation}/events"
        request = self.address.request("GET", path, "Accept: text/event-stream", *last)
        return await Line.opened(self.address.port, request, status=200)

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
                text += await line.chunk()
            *events, text = text.split(b"\n\n")
            for event in events:
                pairs = (entry.partition(":") for entry in event.decode().split("\n"))
                yield {name: value.removeprefix(" ") for name, _, value in pairs}
