"""How contenders are spoken to: bytes in, bytes out, no socket.

A dialect is one client's side of one connection. ``prepare`` gives every client what
it needs before it connects; then ``opening`` is sent, and what arrives is split by
``split`` and understood by ``hear``. What is to be sent is in ``to_send``.
"""

from __future__ import annotations

import http.client
import json
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

import jwt
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.rig.load import Load, Target

__all__ = [
    "DIALECTS",
    "PREPARE_TIMEOUT_S",
    "Dialect",
    "Heard",
    "Seat",
    "WebSocketDialect",
    "client_frame",
]

PREPARE_TIMEOUT_S = 30.0
TOKEN_LIFETIME_S = 3600
SHARED = "shared"
_PONG: Final = 10
_PING: Final = 9
_CLOSE: Final = 8
_SHORT, _MEDIUM = 126, 127
_LARGEST_SHORT = 65_536
_JSON_TOKEN = (b'{"type":"token"', b'{"type": "token"')


class Heard(Enum):
    """What a message of a contender means to a client."""

    NOTHING = auto()
    READY = auto()
    """Authenticated, and following the conversation if there is one: it may ask."""
    TOKENS = auto()
    """It holds deltas, with their stamps."""
    DONE = auto()
    """The answer is whole."""
    FAILED = auto()
    """The contender says that something went wrong."""


@dataclass(frozen=True, kw_only=True)
class Seat:
    """What a client has been given.

    Attributes:
        number: Of the client, from 0.
        token: What it authenticates with.
        conversation: The one it follows; ``None`` where it follows none, or its own
            needs no name.
    """

    number: int
    token: str = field(repr=False)
    conversation: str | None


class Dialect(ABC):
    """One client's side of one connection.

    Args:
        target: Where it goes.
        seat: What it was given.

    Attributes:
        to_send: What is to be written next; taken and cleared by who writes it.
    """

    def __init__(self, target: Target, seat: Seat) -> None:
        self.to_send: bytearray = bytearray()
        self._target = target
        self._seat = seat
        self._unread = b""

    @staticmethod
    def prepare(target: Target, load: Load) -> list[Seat]:
        """Return a seat for each client, with a token for it."""
        claims = {"sub": "bench", "exp": int(time.time()) + TOKEN_LIFETIME_S}
        token = jwt.encode(claims, target.jwt_secret, algorithm="HS256")
        shared = SHARED if load.conversations == "shared" else None
        return [
            Seat(number=number, token=token, conversation=shared)
            for number in range(load.clients)
        ]

    @abstractmethod
    def open(self) -> Heard:
        """Say the first words; return ``READY`` where no answer is waited for."""

    @abstractmethod
    def split(self, data: bytes) -> Iterable[bytes]:
        """Take what has arrived and return the messages that are whole.

        Raises:
            ConnectionError: The contender refuses or ends the connection.
        """

    @abstractmethod
    def hear(self, message: bytes) -> Heard:
        """Return what a message means, and put its answer into ``to_send``."""

    @abstractmethod
    def ask(self, text: str) -> None:
        """Put a user's message into ``to_send``."""


def client_frame(payload: bytes, opcode: int = 1) -> bytes:
    """Return a whole frame of a client; its mask is zero, which is allowed and free."""
    size = len(payload)
    if size < _SHORT:
        length = bytes((0x80 | size,))
    elif size < _LARGEST_SHORT:
        length = bytes((0x80 | _SHORT,)) + size.to_bytes(2, "big")
    else:
        length = bytes((0x80 | _MEDIUM,)) + size.to_bytes(8, "big")
    return bytes((0x80 | opcode,)) + length + b"\0\0\0\0" + payload


class WebSocketDialect(Dialect):
    """RFC 6455 as far as these servers use it: whole frames, no extensions."""

    subprotocol = ""

    def __init__(self, target: Target, seat: Seat) -> None:
        super().__init__(target, seat)
        self._is_open = False

    @override
    def open(self) -> Heard:
        lines = [
            f"GET {self.address()} HTTP/1.1",
            f"Host: 127.0.0.1:{self._target.port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        ]
        if self._target.token:
            lines.append(f"Authorization: token {self._target.token}")
        if self.subprotocol:
            lines.append(f"Sec-WebSocket-Protocol: {self.subprotocol}")
        self.to_send += "\r\n".join([*lines, "", ""]).encode()
        return Heard.NOTHING

    def address(self) -> str:
        """Return the path of the socket."""
        return self._target.path

    def opened(self) -> None:
        """Say the first words on the open socket, if the client has the first word."""

    @override
    def split(self, data: bytes) -> list[bytes]:
        if self._is_open and not self._unread and _is_one_short_message(data):
            return [data[2:]]
        if self._unread:
            data = self._unread + data
        if not self._is_open:
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self._unread = head
                return []
            if b" 101 " not in head.partition(b"\r\n")[0]:
                raise ConnectionRefusedError(head[:40].decode(errors="replace"))
            self._is_open = True
            self.opened()
        messages, read = _whole_frames(data)
        self._unread = data[read:]
        heard: list[bytes] = []
        for opcode, payload in messages:
            if opcode < _CLOSE:
                heard.append(payload)
            elif opcode == _PING:
                self.to_send += client_frame(payload, _PONG)
            elif opcode == _CLOSE:
                code = int.from_bytes(payload[:2], "big")
                reason = payload[2:].decode(errors="replace")
                raise ConnectionResetError(f"closed with {code} {reason}")
        return heard

    def say(self, **fields: object) -> None:
        """Send a JSON object."""
        self.to_send += client_frame(json.dumps(fields).encode())


def _is_one_short_message(data: bytes) -> bool:
    """Return whether this is what most reads bring, and what then takes no parsing."""
    size = len(data) - 2
    return 0 <= size < _SHORT and data[1] == size and data[0] & 0x0F < _CLOSE


def _whole_frames(data: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """Return ``(opcode, payload)`` of the frames that are whole, and where they end."""
    frames: list[tuple[int, bytes]] = []
    at, size = 0, len(data)
    while size - at > 1:
        length, begin = data[at + 1], at + 2
        if length == _SHORT:
            length, begin = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
        elif length == _MEDIUM:
            length, begin = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
        end = begin + length
        if end > size:
            break
        frames.append((data[at] & 0x0F, data[begin:end]))
        at = end
    return frames, at


class StreamchatDialect(WebSocketDialect):
    """``streamchat.v1``: a token and a conversation by HTTP, the rest by WebSocket.

    With short deltas, as the product's own clients ask for them.
    """

    subprotocol = "streamchat.v1"

    def __init__(self, target: Target, seat: Seat) -> None:
        super().__init__(target, seat)
        self._commands = 0

    @override
    @staticmethod
    def prepare(target: Target, load: Load) -> list[Seat]:
        token = str(_post(target, "token", {}, count=1)[0]["token"])
        wanted = {"own": load.clients, "shared": 1, "none": 0}[load.conversations]
        made = _post(target, "conversations", {"title": "bench"}, count=wanted)
        names: list[str | None] = [str(answer["id"]) for answer in made]
        each = (
            names if load.conversations == "own" else (names or [None]) * load.clients
        )
        return [
            Seat(number=number, token=token, conversation=name)
            for number, name in enumerate(each)
        ]

    @override
    def hear(self, message: bytes) -> Heard:
        if message.startswith((b'"', b'{"type":"block.delta"')):
            return Heard.TOKENS
        kind = message[9:].partition(b'"')[0]
        match kind:
            case b"hello":
                client = {"id": f"bench-{self._seat.number}", "kind": "tool"}
                self._command(
                    "authenticate",
                    token=self._seat.token,
                    client=client,
                    features=["short_deltas"],
                )
            case b"authenticated":
                if self._seat.conversation is None:
                    return Heard.READY
                self._command("subscribe", conversation=self._seat.conversation)
            case b"live":
                return Heard.READY
            case b"turn.finished":
                is_whole = b'"status":"completed"' in message
                return Heard.DONE if is_whole else Heard.FAILED
            case b"error":
                return Heard.FAILED
            case _:
                pass
        return Heard.NOTHING

    @override
    def ask(self, text: str) -> None:
        self._command(
            "send",
            conversation=self._seat.conversation,
            client_message_id=f"m{self._seat.number}-{self._commands}",
            content=[{"type": "text", "text": text}],
        )

    def _command(self, kind: str, **fields: object) -> None:
        self._commands += 1
        self.say(type=kind, id=self._commands, **fields)


def _post(
    target: Target, route: str, body: dict[str, object], *, count: int
) -> list[dict[str, object]]:
    """Post the same again and again, over one connection; return the answers.

    Raises:
        ConnectionError: One was refused.
    """
    connection = http.client.HTTPConnection(
        "127.0.0.1", target.port, timeout=PREPARE_TIMEOUT_S
    )
    headers = {
        "Authorization": f"token {target.token}",
        "Content-Type": "application/json",
    }
    answers: list[dict[str, object]] = []
    try:
        for _ in range(count):
            connection.request(
                "POST", f"/streamchat/api/{route}", json.dumps(body), headers
            )
            response = connection.getresponse()
            data = response.read()
            if response.status >= http.client.BAD_REQUEST:
                said = data[:200].decode(errors="replace")
                raise ConnectionRefusedError(f"{route}: {response.status} {said}")
            answers.append(json.loads(data))
    finally:
        connection.close()
    return answers


class JsonDialect(WebSocketDialect):
    """The plain peers: JSON objects with a ``type``."""

    @override
    def opened(self) -> None:
        self.say(type="authenticate", token=self._seat.token)

    @override
    def hear(self, message: bytes) -> Heard:
        if message.startswith(_JSON_TOKEN):
            return Heard.TOKENS
        match message.partition(b'"type"')[2].lstrip(b': "').partition(b'"')[0]:
            case b"done":
                return Heard.DONE
            case b"authenticated":
                if self._seat.conversation is None:
                    return Heard.READY
                self.say(type="subscribe", conversation=self._seat.conversation)
            case b"subscribed":
                return Heard.READY
            case b"error":
                return Heard.FAILED
            case _:
                pass
        return Heard.NOTHING

    @override
    def ask(self, text: str) -> None:
        shared = self._seat.conversation
        self.say(type="chat", text=text, **({"conversation": shared} if shared else {}))


class SocketIoDialect(WebSocketDialect):
    """Socket.IO 4 over a WebSocket from the start, as its clients can be told to."""

    @override
    def hear(self, message: bytes) -> Heard:
        if message.startswith(b'42["token"'):
            return Heard.TOKENS
        if message == b"2":
            self.to_send += client_frame(b"3")
        elif message.startswith(b"0{"):
            self.to_send += client_frame(b"40")
        elif message.startswith(b"40"):
            self._emit("authenticate", token=self._seat.token)
        elif message.startswith(b"44"):
            return Heard.FAILED
        else:
            return self._hear_event(message[4:].partition(b'"')[0])
        return Heard.NOTHING

    @override
    def ask(self, text: str) -> None:
        shared = self._seat.conversation
        self._emit("chat", message=text, **({"conversation": shared} if shared else {}))

    def _hear_event(self, name: bytes) -> Heard:
        match name:
            case b"complete":
                return Heard.DONE
            case b"authenticated":
                if self._seat.conversation is None:
                    return Heard.READY
                self._emit("subscribe", conversation=self._seat.conversation)
            case b"subscribed":
                return Heard.READY
            case b"error":
                return Heard.FAILED
            case _:
                pass
        return Heard.NOTHING

    def _emit(self, name: str, **fields: object) -> None:
        self.to_send += client_frame(b"42" + json.dumps([name, fields]).encode())


class MessagesApiDialect(Dialect):
    """The Messages API itself: what is there before any contender does a thing."""

    @override
    def open(self) -> Heard:
        return Heard.READY

    @override
    def split(self, data: bytes) -> list[bytes]:
        *whole, self._unread = (self._unread + data).split(b"\n\n")
        return whole

    @override
    def hear(self, message: bytes) -> Heard:
        if b"event: content_block_delta" in message:
            return Heard.TOKENS
        if b"event: message_stop" in message:
            return Heard.DONE
        return Heard.NOTHING

    @override
    def ask(self, text: str) -> None:
        self._unread = b""
        body = json.dumps(
            {
                "model": "claude-fake",
                "max_tokens": 1024,
                "stream": True,
                "messages": [{"role": "user", "content": text}],
            }
        )
        self.to_send += (
            "POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


DIALECTS: Final[dict[str, type[Dialect]]] = {
    "streamchat": StreamchatDialect,
    "json": JsonDialect,
    "socket_io": SocketIoDialect,
    "messages_api": MessagesApiDialect,
}
"""All dialects by name."""
