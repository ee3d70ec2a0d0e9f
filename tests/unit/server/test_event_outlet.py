from __future__ import annotations

import pytest

from streamchat_nb.server.event_outlet import sse_event


@pytest.mark.parametrize(
    ("data", "event"),
    [
        (b'{"type":"a","seq":7}', b"id: L:7\nevent: a\n"),
        (b'{"type":"live"}', b"event: live\n"),
        (b'{"type":"ack","seq":7}', b"event: ack\n"),
        (b'{"type":"snapshot","seq":7,"part":1,"parts":2}', b"event: snapshot\n"),
        (
            b'{"type":"snapshot","seq":7,"part":2,"parts":2}',
            b"id: L:7\nevent: snapshot\n",
        ),
    ],
)
def test_event_has_the_cursor_from_which_one_can_go_on(
    data: bytes, event: bytes
) -> None:
    assert sse_event("L", data) == event + b"data: " + data + b"\n\n"
