from __future__ import annotations

import msgspec
import pytest

from streamchat_nb.errors import BadFrame
from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.events import BlockCompleted, BlockDelta
from streamchat_nb.protocol.frames import Pong
from streamchat_nb.protocol.short_deltas import FrameReader, is_delta, shortened

FIRST = BlockDelta(
    conversation="c",
    seq=7,
    prev=6,
    ts=5_000,
    turn="t",
    message="m",
    block="b0",
    kind="text",
    delta='"delta":',
)
NEXT = msgspec.structs.replace(FIRST, seq=8, prev=7, ts=5_999, delta='"é\n')
END = BlockCompleted(message="m", block="b0", kind="text", seq=9, prev=8)


def test_delta_that_goes_on_is_its_text_alone() -> None:
    assert shortened(encode(FIRST), encode(NEXT)) == encode(NEXT.delta)


@pytest.mark.parametrize(
    "change",
    [
        {"conversation": "d"},
        {"message": "m2"},
        {"block": "b1"},
        {"kind": "thinking"},
        {"turn": None},
        {"seq": 9},
        {"seq": 9, "prev": 8},
        {"prev": 6},
        {"ts": 6_000},
    ],
)
def test_delta_that_is_not_told_by_the_one_before_is_whole(
    change: dict[str, object],
) -> None:
    other = msgspec.structs.replace(NEXT, **change)
    assert shortened(encode(FIRST), encode(other)) is None


def test_only_deltas_are_shortened() -> None:
    assert shortened(encode(FIRST), encode(END)) is None
    assert [is_delta(encode(value)) for value in (NEXT, END, Pong())] == [
        True,
        False,
        False,
    ]


def test_reader_makes_whole_what_was_shortened() -> None:
    frames = FrameReader()
    third = msgspec.structs.replace(NEXT, seq=9, prev=8, delta="")
    second_data = shortened(encode(FIRST), encode(NEXT))
    third_data = shortened(encode(NEXT), encode(third))
    assert second_data is not None
    assert third_data is not None
    read = [frames.read(data) for data in (encode(FIRST), second_data, third_data)]
    assert read == [
        FIRST,
        msgspec.structs.replace(NEXT, ts=FIRST.ts),
        msgspec.structs.replace(third, ts=FIRST.ts),
    ]


@pytest.mark.parametrize("between", [b"", encode(Pong()), encode(END)])
def test_short_delta_after_no_delta_is_refused(between: bytes) -> None:
    frames = FrameReader()
    if between:
        frames.read(encode(FIRST))
        frames.read(between)
    with pytest.raises(BadFrame, match="follows no delta"):
        frames.read(b'"text"')


@pytest.mark.parametrize("data", [b'"', b'"a" "b"', b'"\xff"', b'"\\ud800"'])
def test_string_that_is_not_json_is_refused(data: bytes) -> None:
    frames = FrameReader()
    frames.read(encode(FIRST))
    with pytest.raises(BadFrame, match="not JSON"):
        frames.read(data)
