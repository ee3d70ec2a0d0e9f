from __future__ import annotations

import pytest

from streamchat_nb.conversation.store import StoredEvent
from streamchat_nb.conversation.tail import TAIL_EVENTS, Tail


def event(seq: int) -> StoredEvent:
    return StoredEvent(seq, b"x" * 10)


@pytest.mark.parametrize(
    "seqs",
    [
        [],
        [7],
        [1, 2, 3, 4, 5],
        [3, 4, 5, 6],
        [1, 4, 5, 9, 10, 11],  # what a compaction left
        [2, 5, 8],
    ],
)
def test_read_from_any_cursor_gives_what_comes_after_it(seqs: list[int]) -> None:
    tail = Tail()
    tail.extend([event(seq) for seq in seqs])
    for after in range(14):
        read = tail.read(after, limit_events=100, limit_bytes=10_000)
        assert [one.seq for one in read] == [seq for seq in seqs if seq > after]


def test_read_stops_at_its_limits_and_gives_at_least_one() -> None:
    tail = Tail()
    tail.extend([event(seq) for seq in range(1, 6)])
    for events, size, expected in ((2, 1_000, 2), (9, 30, 3), (9, 1, 1)):
        read = tail.read(1, limit_events=events, limit_bytes=size)
        assert [one.seq for one in read] == [2, 3, 4, 5][:expected]


def test_old_events_are_forgotten_and_said_to_be() -> None:
    tail = Tail()
    tail.extend([event(seq) for seq in range(1, TAIL_EVENTS + 2)])
    (first, *_) = tail.read(tail.after, limit_events=1, limit_bytes=1_000)
    assert first.seq == tail.after + 1 > 1
