"""Deltas without an envelope, for clients that understand them.

Nearly all that a streaming answer sends would be envelopes that say what the one before
said. A client whose ``authenticate`` names ``short_deltas`` among its features is sent
the text alone where the rest follows from the frame before (see ``ShortDelta``).
"""

from __future__ import annotations

from functools import lru_cache
from operator import attrgetter

import msgspec

from streamchat_nb.errors import BadFrame
from streamchat_nb.protocol.codec import decode_frame
from streamchat_nb.protocol.events import BlockDelta, Event, UnknownEvent
from streamchat_nb.protocol.frames import Frame

__all__ = ["SAME_TS_MS", "SHORT_DELTAS", "FrameReader", "is_delta", "shortened"]

SHORT_DELTAS = "short_deltas"
"""The name of the feature."""
SAME_TS_MS = 1_000
"""A short delta is of the same second, or what this says, as the one before it."""
KEPT = 256
"""How many deltas are kept decoded."""


class _Delta(msgspec.Struct, frozen=True):
    """A delta whose text need not be read."""

    message: str
    block: str
    kind: str
    delta: msgspec.Raw
    conversation: str = ""
    seq: int = 0
    prev: int = 0
    ts: int = 0
    turn: str | None = None


# Each is what comes next, and then what came before.
_read = lru_cache(KEPT)(msgspec.json.Decoder(_Delta).decode)
_place = attrgetter("conversation", "turn", "message", "block", "kind")
_text_decoder = msgspec.json.Decoder(str)


def is_delta(data: bytes) -> bool:
    """Return whether something encoded is a delta."""
    return data.startswith(b'{"type":"block.delta"')


def shortened(before: bytes, data: bytes) -> bytes | None:
    """Return the short form of a delta, or ``None`` where it has to be whole.

    The last 256 are kept, as each is looked at twice: give none too large for that.

    Args:
        before: The whole delta that the receiver was sent last.
        data: What it is sent next.
    """
    if not is_delta(data):
        return None
    first, second = _read(before), _read(data)
    is_next = second.prev == first.seq == second.seq - 1
    is_same_second = second.ts // SAME_TS_MS == first.ts // SAME_TS_MS
    follows = is_next and is_same_second and _place(second) == _place(first)
    return bytes(second.delta) if follows else None


class FrameReader:
    """Decodes what one connection receives, short deltas as well."""

    def __init__(self) -> None:
        self._delta: BlockDelta | None = None

    def read(self, data: bytes) -> Frame | Event | UnknownEvent:
        """Decode the next of what came; a short delta becomes a whole one.

        Its ``ts`` is that of the delta which it goes on with.

        Raises:
            BadFrame: Neither a frame nor an event, or a short delta without a delta
                before it.
        """
        frame = self._go_on(data) if data.startswith(b'"') else decode_frame(data)
        self._delta = frame if isinstance(frame, BlockDelta) else None
        return frame

    def _go_on(self, data: bytes) -> BlockDelta:
        before = self._delta
        if before is None:
            raise BadFrame("The server sent a short delta that follows no delta.")
        try:
            text = _text_decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise BadFrame("The server sent something that is not JSON.") from None
        return msgspec.structs.replace(
            before, seq=before.seq + 1, prev=before.seq, delta=text
        )
