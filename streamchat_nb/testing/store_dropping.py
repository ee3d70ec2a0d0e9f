"""What a store must do with events that need not be kept any longer.

Scenarios for an open store that knows none of the conversations yet; run by
``streamchat_nb.testing.store_conformance``.
"""

# ruff: noqa: S101 - assert is how a test speaks, shipped or not

import random

from streamchat_nb.conversation.store import Append, Store, StoredEvent
from streamchat_nb.testing.store_samples import (
    append_of,
    events_of,
    kept,
    read_all,
    record_of,
    refusal,
)

__all__ = [
    "dropped_with_others",
    "dropped_with_their_batch",
    "refused_drops",
    "scattered_drops",
]


async def scattered_drops(store: Store) -> None:
    """Events go from anywhere in a long log; the others keep number and place."""
    dice = random.Random(11)  # noqa: S311 - the same on each run
    await store.create(record_of("a"), [])
    await store.create(record_of("beside"), events_of(1, 30))
    expected: list[StoredEvent] = []
    head, length = 0, 6_000
    while head < length:
        first, head = head + 1, head + dice.choice((1, 5, 400))
        lowest = dice.choice((1, max(1, head - 300)))
        marks = sorted(dice.sample(range(lowest, head), min(6, head - lowest)))
        dropped = list(zip(marks[::2], marks[1::2], strict=False))
        part = append_of("a", first, head, dropped=dropped)
        await store.append([part])
        expected = kept([*expected, *part.events], dropped)
        record = await store.get("a")
        assert record is not None
        assert record.head == head
        after = dice.randrange(head)
        rest = [event for event in expected if event.seq > after]
        assert await store.read("a", after, limit_events=70) == rest[:70]
        assert await store.read("a", after, limit_bytes=240) == rest[:10]
    assert await read_all(store, "a") == expected
    assert await read_all(store, "beside") == events_of(1, 30)
    error = await refusal(store.append([append_of("a", len(expected), len(expected))]))
    assert error.code == "store_conflict"


async def dropped_with_their_batch(store: Store) -> None:
    """What is dropped may come with the same batch, or be gone already."""
    await store.create(record_of("a", open_turns=1), events_of(1, 2))
    await store.append([append_of("a", 3, 10, dropped=[(2, 9)])])
    await store.append([append_of("a", 11, 20, dropped=[(2, 5), (8, 19)])])
    assert await store.read("a", 0) == [*events_of(1, 1), *events_of(20, 20)]
    drop_alone = Append(
        conversation="a", events=[], updated_ms=7, open_turns=2, dropped=[(1, 19)]
    )
    await store.append([append_of("a", 21, 22), drop_alone])
    assert await store.read("a", 0) == events_of(20, 22)
    expected = record_of("a", head=22, updated_ms=7, open_turns=2)
    assert await store.get("a") == expected
    assert await store.unfinished() == ["a"]
    assert await store.list("ada") == [expected]
    for after, following in ((0, 20), (5, 20), (19, 20), (20, 21), (21, 22)):
        assert await store.read("a", after, limit_events=1) == events_of(
            following, following
        )
    assert await store.read("a", 22) == []


async def refused_drops(store: Store) -> None:
    """The last event stays, and ranges are in order; else nothing is written."""
    await store.create(record_of("a"), events_of(1, 9))
    before = await store.get("a")
    for dropped in (
        [(1, 10)],
        [(10, 10)],
        [(12, 13)],
        [(0, 3)],
        [(4, 3)],
        [(1, 4), (4, 5)],
        [(5, 6), (1, 2)],
    ):
        part = append_of("a", 10, 10, title="X", dropped=dropped)
        error = await refusal(store.append([part]))
        assert error.code == "store_conflict"
        assert not error.retryable
    alone = Append(conversation="a", events=[], updated_ms=9, dropped=[(9, 9)])
    assert (await refusal(store.append([alone]))).code == "store_conflict"
    assert await store.get("a") == before
    assert await store.read("a", 0) == events_of(1, 9)


async def dropped_with_others(store: Store) -> None:
    """A batch that is refused drops nothing; one that is written, all it names."""
    for name in ("a", "b"):
        await store.create(record_of(name), events_of(1, 9))
    good = append_of("a", 10, 10, dropped=[(2, 4), (6, 8)])
    for wrong in (append_of("b", 12, 12), append_of("nobody", 1, 1)):
        for batch in ([good, wrong], [wrong, good]):
            await refusal(store.append(batch))
            assert await store.read("a", 0) == events_of(1, 9)
    later = append_of("a", 11, 11, dropped=[(5, 10)])
    await store.append([good, append_of("b", 10, 10), later])
    assert await store.read("a", 0) == [*events_of(1, 1), *events_of(11, 11)]
    assert await store.read("b", 0) == events_of(1, 10)
    assert await store.delete("a")
    await store.create(record_of("a"), events_of(1, 11))
    assert await store.read("a", 0) == events_of(1, 11)
