"""How a store must read logs in pages.

Scenarios for an open store that knows none of the conversations yet; run by
``streamchat_nb.testing.store_conformance``.
"""

# ruff: noqa: S101 - assert is how a test speaks, shipped or not

import random

from streamchat_nb.conversation.store import Store
from streamchat_nb.testing.store_samples import (
    append_of,
    events_of,
    read_all,
    record_of,
)

__all__ = ["after_a_number", "long_conversation", "to_its_limits"]


async def after_a_number(store: Store) -> None:
    """The cursor is the last event a reader has; beyond the head is nothing."""
    await store.create(record_of("a"), events_of(1, 10))
    for after in range(13):
        assert await store.read("a", after) == events_of(after + 1, 10)


async def to_its_limits(store: Store) -> None:
    """Neither limit is exceeded, except by a first event that is too large."""
    await store.create(record_of("a"), events_of(1, 10, size=100))
    for limit_bytes, expected in (
        *((1, 1), (99, 1), (100, 1), (199, 1), (200, 2), (999, 9)),
        *((1_000, 10), (5_000, 10)),
    ):
        events = await store.read("a", 0, limit_bytes=limit_bytes)
        assert events == events_of(1, expected, size=100)
    for limit_events in (1, 4, 10, 11):
        events = await store.read("a", 2, limit_events=limit_events)
        last = min(2 + limit_events, 10)
        assert events == events_of(3, last, size=100)


async def long_conversation(store: Store) -> None:
    """Thousands of events, written in groups of many sizes, keep their order."""
    random_sizes = random.Random(7)  # noqa: S311 - the same on each run
    length = 12_000
    await store.create(record_of("a"), [])
    await store.create(record_of("beside"), [])
    head = beside = 0
    while head < length:
        last = min(head + random_sizes.choice((1, 2, 30, 700)), length)
        beside += 1
        await store.append(
            [append_of("a", head + 1, last), append_of("beside", beside, beside)]
        )
        head = last
    assert await read_all(store, "a") == events_of(1, length)
    assert await read_all(store, "beside") == events_of(1, beside)
    assert await store.read("a", 0) == events_of(1, 2_000)
    for after in range(0, length, 1_777):
        page = await store.read("a", after, limit_events=5)
        assert page == events_of(after + 1, min(after + 5, length))
