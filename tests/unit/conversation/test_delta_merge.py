from __future__ import annotations

from streamchat_nb.conversation.delta_merge import joined_deltas, merge_deltas
from streamchat_nb.conversation.store import StoredEvent
from streamchat_nb.protocol.codec import decode_event, encode
from streamchat_nb.protocol.events import BlockDelta, TurnStatus


def delta(seq: int, text: str, block: str = "b0") -> StoredEvent:
    event = BlockDelta(
        message="m", block=block, kind="text", delta=text, seq=seq, prev=seq - 1
    )
    return StoredEvent(seq, encode(event))


def status(seq: int) -> StoredEvent:
    event = TurnStatus(phase="thinking", label='"block.delta"', seq=seq, prev=seq - 1)
    return StoredEvent(seq, encode(event))


def shape(events: list[StoredEvent]) -> list[tuple[int, int, str | None]]:
    decoded = [decode_event(event.data) for event in events]
    assert [event.seq for event in decoded] == [event.seq for event in events]
    return [
        (event.seq, event.prev, event.delta if isinstance(event, BlockDelta) else None)
        for event in decoded
    ]


def test_adjacent_deltas_of_a_block_become_one() -> None:
    events = [
        delta(2, "a"),
        delta(3, "b"),
        delta(4, "x", "b1"),
        status(5),
        delta(6, "c"),
    ]
    assert shape(merge_deltas(events, 1)) == [
        (3, 1, "ab"),
        (4, 3, "x"),
        (5, 4, None),
        (6, 5, "c"),
    ]


def test_gap_is_bridged_by_prev() -> None:
    assert shape(merge_deltas([status(9)], 2)) == [(9, 2, None)]
    assert shape(merge_deltas([status(4), status(9)], 3)) == [
        (4, 3, None),
        (9, 4, None),
    ]
    assert shape(merge_deltas([delta(4, "a"), delta(9, "b")], 3)) == [(9, 3, "ab")]


def test_deltas_are_joined_by_their_blocks() -> None:
    deltas = [
        decode_event(stored.data)
        for stored in (delta(2, "a"), delta(3, "b"), delta(4, "x", "b1"), delta(5, "c"))
    ]
    assert list(joined_deltas([])) == []
    joined = joined_deltas([d for d in deltas if isinstance(d, BlockDelta)])
    assert [(one.seq, one.prev, one.delta) for one in joined] == [
        (3, 1, "ab"),
        (4, 3, "x"),
        (5, 4, "c"),
    ]


def test_what_does_not_change_is_not_encoded_again() -> None:
    events = [status(2), delta(3, "a"), status(4)]
    assert all(
        new is old for new, old in zip(merge_deltas(events, 1), events, strict=True)
    )
    assert merge_deltas([events[0]], 1)[0] is events[0]
    assert merge_deltas([], 1) == []
