from __future__ import annotations

import pytest

from streamchat_nb.server.socket_outlet import text_frame


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
    assert text_frame(data) == bytes.fromhex(head) + data


def test_frame_of_an_event_is_made_once() -> None:
    data = b'{"type":"block.delta"}'
    assert text_frame(data) is text_frame(bytes(bytearray(data)))
