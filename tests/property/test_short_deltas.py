"""Whatever goes over a connection, a receiver of short deltas sees the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streamchat_nb.protocol.codec import decode_frame, encode
from streamchat_nb.protocol.events import BlockDelta, TurnStatus
from streamchat_nb.protocol.frames import Pong
from streamchat_nb.protocol.short_deltas import SAME_TS_MS, FrameReader
from streamchat_nb.server.socket_outlet import text_frame

if TYPE_CHECKING:
    from streamchat_nb.protocol.events import Event

PLACES = [
    (conversation, message, block)
    for conversation in ("c", "d")
    for message in ("m", "n")
    for block in ("b0", "b1")
]


@st.composite
def connections(draw: st.DrawFn) -> list[Event | Pong]:
    """What one connection may be sent: two logs, with all that lies between deltas."""
    heads = {"c": 0, "d": 0}
    ts = 10_000
    sent: list[Event | Pong] = []
    for _ in range(draw(st.integers(1, 12))):
        conversation, message, block = draw(
            st.sampled_from(PLACES) | st.just(PLACES[0])
        )
        prev = heads[conversation] - draw(st.sampled_from([0] * 9 + [1]))
        seq = prev + draw(st.sampled_from([1] * 9 + [5]))
        ts += draw(st.sampled_from([0, 1, 12, 700]))
        envelope = {"conversation": conversation, "seq": seq, "prev": prev, "ts": ts}
        kind = draw(st.sampled_from(["delta"] * 8 + ["status", "pong"]))
        match kind:
            case "delta":
                text = draw(st.text(st.characters(exclude_categories=["Cs"])))
                where = {"message": message, "block": block, "turn": "t"}
                event = {**where, **envelope, "kind": "text", "delta": text}
                sent.append(msgspec.convert(event, BlockDelta))
            case "status":
                event = {**envelope, "phase": "thinking", "label": "…"}
                sent.append(msgspec.convert(event, TurnStatus))
            case _:
                sent.append(Pong(re=1))
                continue
        heads[conversation] = seq
    return sent


def payload(frame: bytes) -> bytes:
    return frame[2:] if frame[1] < 126 else frame[4:]


@given(connections())
def test_receiver_of_short_deltas_sees_what_was_sent(sent: list[Event | Pong]) -> None:
    frames, before = FrameReader(), b""
    for value in sent:
        frame, before = text_frame(encode(value), before)
        seen = frames.read(payload(frame))
        whole = decode_frame(encode(value))
        if isinstance(seen, BlockDelta) and isinstance(whole, BlockDelta):
            assert seen.ts // SAME_TS_MS == whole.ts // SAME_TS_MS
            seen = msgspec.structs.replace(seen, ts=whole.ts)
        assert seen == whole
