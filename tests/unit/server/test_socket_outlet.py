from __future__ import annotations

import msgspec
import pytest

from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.events import BlockDelta
from streamchat_nb.server.socket_outlet import SHARED_BYTES, text_frame

DELTA = BlockDelta(
    conversation="c", seq=7, prev=6, message="m", block="b0", kind="text", delta="a"
)
NEXT = msgspec.structs.replace(DELTA, seq=8, prev=7, delta="b")


@pytest.mark.parametrize(
    ("length", "head"),
    [
        (0, "81 00"),
        (125, "81 7d"),
        (126, "81 7e 007e"),
        (65_535, "81 7e ffff"),
        (65_536, "81 7f 0000000000010000"),
    ],
)
def test_frame_is_whole_unmasked_text(length: int, head: str) -> None:
    data = b"x" * length
    assert text_frame(data) == (bytes.fromhex(head) + data, b"")


def test_frame_of_an_event_is_made_once() -> None:
    data = b'{"type":"block.completed"}'
    assert text_frame(data)[0] is text_frame(bytes(bytearray(data)))[0]


def test_frame_of_a_short_delta_is_made_once() -> None:
    _, before = text_frame(encode(DELTA))
    frame, _ = text_frame(encode(NEXT), before)
    assert frame == b'\x81\x03"b"'
    assert text_frame(encode(NEXT), encode(DELTA))[0] is frame


def test_delta_that_is_too_large_to_be_kept_is_followed_by_a_whole_one() -> None:
    large = msgspec.structs.replace(DELTA, delta="a" * SHARED_BYTES)
    _, before = text_frame(encode(large))
    assert before == b""
    assert encode(NEXT) in text_frame(encode(NEXT), before)[0]
