"""Events as one reader gets them: adjacent deltas joined, ``prev`` fitting."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, cast

import msgspec

from streamchat_nb.conversation.store import StoredEvent
from streamchat_nb.protocol.codec import decode_event, encode
from streamchat_nb.protocol.events import BlockDelta

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["joined_deltas", "merge_deltas"]

_block = attrgetter("message", "block")


def joined_deltas(deltas: Iterable[BlockDelta]) -> Iterator[BlockDelta]:
    """Yield deltas with those joined that stand together and are of one block.

    Args:
        deltas: In order; each but the first follows the one before it in the log.
    """
    for _, adjacent in groupby(deltas, key=_block):
        run = list(adjacent)
        yield run[0] if len(run) == 1 else _as_one(run, run[0].prev)


def merge_deltas(events: list[StoredEvent], prev: int) -> list[StoredEvent]:
    """Join adjacent deltas of a block and make ``prev`` fit the reader's stream.

    Args:
        events: In order; the first one's predecessor in the stream is ``prev``.
        prev: The reader's cursor.

    Returns:
        As few events as possible with the same fold; encoded data is reused
        where nothing changed.
    """
    if len(events) == 1:
        return [_with_prev(events[0], prev)]
    merged: list[StoredEvent] = []
    for _, adjacent in groupby(events, key=_block_or_seq):
        run = list(adjacent)
        merged.append(_with_prev(run[0], prev) if len(run) == 1 else _joined(run, prev))
        prev = run[-1].seq
    return merged


def _block_or_seq(stored: StoredEvent) -> tuple[str, str] | int:
    """Return what the deltas of a block have in common, and no two other events."""
    if b'"block.delta"' in stored.data[:40]:
        delta = decode_event(stored.data)
        if isinstance(delta, BlockDelta):
            return delta.message, delta.block
    return stored.seq


def _joined(run: list[StoredEvent], prev: int) -> StoredEvent:
    deltas = cast("list[BlockDelta]", [decode_event(stored.data) for stored in run])
    return StoredEvent(run[-1].seq, encode(_as_one(deltas, prev)))


def _as_one(run: list[BlockDelta], prev: int) -> BlockDelta:
    text = "".join([delta.delta for delta in run])
    return msgspec.structs.replace(run[-1], prev=prev, delta=text)


def _with_prev(stored: StoredEvent, prev: int) -> StoredEvent:
    if stored.seq == prev + 1:
        return stored
    event = msgspec.structs.replace(decode_event(stored.data), prev=prev)
    return StoredEvent(stored.seq, encode(event))
