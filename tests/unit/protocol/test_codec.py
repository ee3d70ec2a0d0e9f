from __future__ import annotations

import pytest

from streamchat_nb.errors import BadFrame, TooLarge
from streamchat_nb.protocol.codec import (
    decode_command,
    decode_event,
    decode_frame,
    encode,
    nesting_depth,
)
from streamchat_nb.protocol.commands import Ping, Send
from streamchat_nb.protocol.content import TextBlock
from streamchat_nb.protocol.events import BlockDelta, UnknownEvent
from streamchat_nb.protocol.frames import Pong


def test_defaults_stay_off_the_wire() -> None:
    assert encode(Pong(re=1)) == b'{"type":"pong","re":1}'


def test_unknown_fields_are_ignored_and_unknown_events_are_opaque() -> None:
    data = b'{"type":"ping","id":1,"new":true}'
    assert decode_command(data) == Ping(id=1)
    event = decode_event(b'{"type":"mood.changed","seq":4,"prev":3,"mood":"good"}')
    assert event == UnknownEvent(type="mood.changed", seq=4, prev=3)


def test_known_event_with_a_wrong_field_is_refused() -> None:
    with pytest.raises(BadFrame, match=r"block\.delta"):
        decode_event(b'{"type":"block.delta","seq":1,"message":3}')
    with pytest.raises(BadFrame):
        decode_event(b"[]")
    with pytest.raises(BadFrame):
        decode_event(b"{")


def test_frames_and_events_come_through_one_door() -> None:
    delta = BlockDelta(message="m", block="b0", kind="text", delta="x", seq=2, prev=1)
    assert decode_frame(encode(delta)) == delta
    assert decode_frame(encode(Pong(re=1, heads={"c": 4}))) == Pong(
        re=1, heads={"c": 4}
    )
    with pytest.raises(BadFrame):
        decode_frame(b'{"type":"live","seq":"x"}')
    with pytest.raises(BadFrame):
        decode_frame(b"\xff")


@pytest.mark.parametrize(
    "frame",
    [
        b'{"type":"send","id":1,"conversation":"SECRET 1"}',
        b'{"type":"SECRET"}',
        (
            b'{"type":"send","id":1,"conversation":"c","client_message_id":"w",'
            b'"content":[{"type":"text","text":"t"}],"if_active":"SECRET"}'
        ),
        b'{"type":"send","id":{"SECRET":1}}',
        b'{"type":"authenticate","id":1,"token":5,"SECRET":"SECRET"}',
    ],
)
def test_errors_name_the_field_and_never_the_value(frame: bytes) -> None:
    with pytest.raises(BadFrame) as caught:
        decode_command(frame)
    assert "SECRET" not in caught.value.message
    assert "not a valid command" in caught.value.message


def test_send_is_decoded_with_typed_content() -> None:
    command = decode_command(
        b'{"type":"send","id":"a","conversation":"c","client_message_id":"w",'
        b'"content":[{"type":"text","text":"hi"}]}'
    )
    assert isinstance(command, Send)
    assert command.content == [TextBlock(text="hi")]
    assert command.if_active == "queue"


def test_nesting_counts_brackets_outside_strings_only() -> None:
    assert nesting_depth(b'{"a":[[["x"]]]}', limit=2) == 3
    assert nesting_depth(b'{"a":"[[[[[[[["}', limit=3) <= 3
    assert nesting_depth(b'["\\"[[[[", "]]]]"]', limit=3) == 1
    with pytest.raises(TooLarge):
        decode_command(b"[" * 33)


@pytest.mark.parametrize("unit", [b'"\\', b'"', b'\\"', b'{"', b"[]", b"\\", b'"\\"['])
def test_nesting_of_a_hostile_frame_ends(unit: bytes) -> None:
    # Quadratic work on 256 KiB would not end within the time limit of a test.
    hostile = b"[" * 40 + unit * (262_144 // len(unit))
    assert nesting_depth(hostile, limit=100_000_000) <= len(hostile)
    assert nesting_depth(hostile, limit=39) == 40
