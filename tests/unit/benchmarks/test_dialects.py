from __future__ import annotations

import random

import pytest

from benchmarks.rig.dialects import DIALECTS, Heard, Seat, client_frame
from benchmarks.rig.load import Target

TARGET = Target(
    dialect="json",
    port=1,
    path="/ws",
    token="",
    jwt_secret="",
    server_pids=(),
    api_pid=0,
)
UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


def server_frame(payload: bytes, opcode: int = 1) -> bytes:
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | opcode, size))
    elif size < 65_536:
        head = bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big")
    return head + payload


def test_frames_cut_anywhere_give_the_same_messages() -> None:
    messages = [b"x" * size for size in (0, 1, 125, 126, 65_535, 65_536, 3)]
    data = UPGRADED + b"".join(server_frame(message) for message in messages)
    data += server_frame(b"are you there", opcode=9)
    chooser = random.Random(7)  # noqa: S311 - cuts, not secrets
    for _ in range(20):
        dialect = DIALECTS["json"](TARGET, Seat(number=0, token="t", conversation=None))
        cuts = sorted(chooser.sample(range(len(data)), 12))
        parts = [
            data[begin:end]
            for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True)
        ]
        heard = [message for part in parts for message in dialect.split(part)]
        assert heard == messages
        assert dialect.to_send.endswith(client_frame(b"are you there", 10))


def test_refused_upgrade_is_an_error() -> None:
    dialect = DIALECTS["json"](TARGET, Seat(number=0, token="t", conversation=None))
    with pytest.raises(ConnectionRefusedError, match="403"):
        dialect.split(b"HTTP/1.1 403 Forbidden\r\n\r\n")


def test_close_frame_is_an_error_with_its_reason() -> None:
    dialect = DIALECTS["json"](TARGET, Seat(number=0, token="t", conversation=None))
    closed = server_frame((4008).to_bytes(2, "big") + b"too many", opcode=8)
    with pytest.raises(ConnectionResetError, match="4008 too many"):
        dialect.split(UPGRADED + closed)


@pytest.mark.parametrize(
    ("name", "message", "meaning"),
    [
        ("streamchat", b'{"type":"block.delta","delta":"~1~"}', Heard.TOKENS),
        ("streamchat", b'"~1~ word"', Heard.TOKENS),
        ("streamchat", b'{"type":"message.completed","x":"~1~"}', Heard.NOTHING),
        ("streamchat", b'{"type":"turn.finished","status":"completed"}', Heard.DONE),
        ("streamchat", b'{"type":"turn.finished","status":"failed"}', Heard.FAILED),
        ("streamchat", b'{"type":"live","seq":1}', Heard.READY),
        ("json", b'{"type":"token","text":"~1~"}', Heard.TOKENS),
        ("json", b'{"type": "token", "text": "~1~"}', Heard.TOKENS),
        ("json", b'{"type":"authenticated"}', Heard.READY),
        ("json", b'{"type":"done"}', Heard.DONE),
        ("socket_io", b'42["token",{"token":"~1~"}]', Heard.TOKENS),
        ("socket_io", b'42["complete",{}]', Heard.DONE),
        ("socket_io", b'42["authenticated",{}]', Heard.READY),
        ("socket_io", b'42["error",{}]', Heard.FAILED),
        ("messages_api", b"event: message_stop\ndata: {}", Heard.DONE),
    ],
)
def test_messages_are_understood(name: str, message: bytes, meaning: Heard) -> None:
    dialect = DIALECTS[name](TARGET, Seat(number=0, token="t", conversation=None))
    assert dialect.hear(message) is meaning
