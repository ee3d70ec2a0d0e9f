"""A seat on a conversation over a bare TCP connection: cheap, so that hundreds fit
into one test, and able to stop reading, which clients of a library are not."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import struct
import time
from typing import TYPE_CHECKING, Any, cast

import msgspec
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.soak.raw_client import Address

__all__ = ["Incoming", "RawSeat", "open_seat"]

SMALL_BUFFER_BYTES = 4_096
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA


class Incoming(msgspec.Struct):
    """What a seat looks at in a frame or an event."""

    type: str
    seq: int = 0
    prev: int = 0
    ts: int = 0
    turn: str | None = None
    delta: str = ""
    status: str = ""
    log: str = ""
    head: int = 0
    mode: str = ""
    code: str = ""
    count: int = 0


_decode = msgspec.json.Decoder(Incoming).decode


class RawSeat(asyncio.Protocol):
    """One WebSocket connection.

    Attributes:
        log: The log that it follows, once ``subscribed`` said so.
        cursor: ``seq`` of the last event it saw.
        deltas: Text of each turn so far.
        ends: Status of each turn that ended.
        latencies_ms: From the stamp of each event to its arrival.
        violations: Where the order was broken, in words.
        close_code: Why the server closed; ``None`` without a close frame.
        lost: Set when the connection is gone.
    """

    def __init__(self, request: bytes) -> None:
        self.log = ""
        self.cursor = 0
        self.deltas: dict[str, list[str]] = {}
        self.ends: dict[str, str] = {}
        self.latencies_ms: list[float] = []
        self.violations: list[str] = []
        self.close_code: int | None = None
        self.lost = asyncio.Event()
        self.listen: Callable[[Incoming], None] | None = None
        self._request = request
        self._received = bytearray()
        self._upgraded = False
        self._waiting: dict[str, asyncio.Future[Incoming]] = {}
        self._transport: asyncio.Transport | None = None

    # talking

    def say(self, **fields: Any) -> None:
        """Send a command."""
        self._send(TEXT, msgspec.json.encode(fields))

    def expect(self, type_: str) -> asyncio.Future[Incoming]:
        """Return the next frame or event of a type, once it comes."""
        waiting = self._waiting.get(type_)
        if waiting is None or waiting.done():
            waiting = asyncio.get_running_loop().create_future()
            self._waiting[type_] = waiting
        return waiting

    async def next(self, type_: str, *, timeout_s: float = 30.0) -> Incoming:
        """Wait for the next frame or event of a type."""
        waiting = asyncio.shield(self.expect(type_))
        return await asyncio.wait_for(waiting, timeout_s)

    def subscribe(self, id_: int, conversation: str, *, resume: bool = True) -> None:
        """Ask for a conversation, from the cursor or from a snapshot."""
        since = {"log": self.log, "seq": self.cursor} if resume and self.log else None
        self.say(type="subscribe", id=id_, conversation=conversation, since=since)

    def stop_reading(self) -> None:
        """Take nothing out of the connection any more."""
        self._connected.pause_reading()

    def read_on(self) -> None:
        """Read again."""
        self._connected.resume_reading()

    def close(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()

    # the connection

    @property
    def _connected(self) -> asyncio.Transport:
        if self._transport is None:
            raise RuntimeError("not connected")
        return self._transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionResetError("the connection is gone"))
                waiting.exception()

    @override
    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        if not self._upgraded:
            end = received.find(b"\r\n\r\n")
            if end < 0:
                return
            if not received.startswith(b"HTTP/1.1 101"):
                raise RuntimeError(bytes(received[:200]).decode(errors="replace"))
            self._upgraded = True
            del received[: end + 4]
        while (frame := _take_frame(received)) is not None:
            self._take(*frame)

    def _send(self, opcode: int, payload: bytes) -> None:
        # A mask of zeros: the payload goes as it is.
        size = len(payload)
        head = bytes([0x80 | opcode])
        head += bytes([0x80 | size]) if size < 126 else struct.pack(">BH", 0xFE, size)
        self._connected.write(head + b"\0\0\0\0" + payload)

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == TEXT:
            self._take_value(_decode(payload))
        elif opcode == CLOSE:
            self.close_code = struct.unpack(">H", payload[:2])[0]
            self._send(CLOSE, payload[:2])
        elif opcode == PING:
            self._send(PONG, payload)

    def _take_value(self, value: Incoming) -> None:
        match value.type:
            case "subscribed":
                self.log = value.log
            case "snapshot":
                self.cursor = value.seq
            case _ if value.ts:
                self._take_event(value)
            case _:
                pass
        waiting = self._waiting.get(value.type)
        if waiting is not None and not waiting.done():
            waiting.set_result(value)
        if self.listen is not None:
            self.listen(value)

    def _take_event(self, event: Incoming) -> None:
        self.latencies_ms.append(time.time() * 1000 - event.ts)
        if event.prev != self.cursor:
            self.violations.append(
                f"{event.type} {event.seq} follows {event.prev}, not {self.cursor}"
            )
        self.cursor = event.seq
        if event.turn is not None:
            if event.type == "block.delta":
                self.deltas.setdefault(event.turn, []).append(event.delta)
            elif event.type == "turn.finished":
                self.ends[event.turn] = event.status


def _take_frame(received: bytearray) -> tuple[int, bytes] | None:
    if len(received) < 2:
        return None
    start, size = 2, received[1]
    if size == 126:
        start, size = 4, int.from_bytes(received[2:4], "big")
    elif size == 127:
        start, size = 10, int.from_bytes(received[2:10], "big")
    if len(received) < start + size:
        return None
    opcode, payload = received[0] & 0x0F, bytes(received[start : start + size])
    del received[: start + size]
    return opcode, payload


async def open_seat(
    address: Address, token: str, client: str, *, small_buffer: bool = False
) -> RawSeat:
    """Connect and authenticate.

    Args:
        address: The server.
        token: A chat token.
        client: The id that the client gives itself.
        small_buffer: Take little into the kernel's buffer, so that a stop in reading
            is felt at the other end.
    """
    request = address.request(
        *("GET", "ws", "Upgrade: websocket", "Connection: Upgrade"),
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: streamchat.v1",
    )
    loop = asyncio.get_running_loop()
    plain = socket.socket()
    if small_buffer:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
    plain.setblocking(False)
    await loop.sock_connect(plain, ("127.0.0.1", address.port))
    _, seat = await loop.create_connection(lambda: RawSeat(request), sock=plain)
    await seat.next("hello")
    seat.say(
        type="authenticate",
        id=1,
        token=token,
        client={"id": client, "kind": "tool", "name": client},
    )
    await seat.next("authenticated")
    return seat
