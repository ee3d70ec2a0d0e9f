"""More of a text in a model's stream, as nearly all of it looks: at a glance. Pure."""

from __future__ import annotations

import re

import msgspec

__all__ = ["more_text"]

MOST_BYTES = 8_192
"""Of what is read at a glance: as much as one delta may have."""

# An event with nothing but a text: what has more, or looks otherwise, is not for here.
_EVENT = re.compile(
    rb"event: content_block_delta\n"
    rb'data: \{"type": ?"content_block_delta", ?"index": ?(0|[1-9][0-9]{0,5}), ?'
    rb'"delta": ?\{"type": ?"text_delta", ?'
    rb'"text": ?("[^"\\\r\n]+(?:\\[^\r\n][^"\\\r\n]*)*"|"(?:\\[^\r\n][^"\\\r\n]*)+")'
    rb"\} *\}\n\n"
).match
_decode_text = msgspec.json.Decoder(str).decode


def more_text(chunk: bytes) -> tuple[int, str, int] | None:
    """Return what a chunk adds that holds nothing but whole deltas of one text.

    ``None`` for every other chunk, and for one that would take a closer look.

    Args:
        chunk: Bytes of a stream, the first of which begins an event.

    Returns:
        The block's index, as the endpoint counts; the text of all events, which is not
        empty; how many they are.
    """
    event = _EVENT(chunk)
    if event is None or len(chunk) > MOST_BYTES:
        return None
    try:
        index, text, events = event[1], _decode_text(event[2]), 1
        while (end := event.end()) < len(chunk):
            event = _EVENT(chunk, end)
            if event is None or event[1] != index:
                return None
            text += _decode_text(event[2])
            events += 1
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return int(index), text, events
