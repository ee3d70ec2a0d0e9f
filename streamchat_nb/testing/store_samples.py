"""Records, events and appends to try a store with."""

from collections.abc import Awaitable, Iterable
from dataclasses import replace

import msgspec

from streamchat_nb.conversation.store import (
    Append,
    ConversationRecord,
    Store,
    StoredEvent,
)
from streamchat_nb.errors import StoreError

__all__ = ["append_of", "events_of", "kept", "read_all", "record_of", "refusal"]


def record_of(conversation: str, **changes: object) -> ConversationRecord:
    """Return a record with plain values for what ``changes`` leaves out."""
    record = ConversationRecord(
        id=conversation,
        log="5eed" * 8,
        owner="ada",
        title="A conversation",
        created_ms=1_000,
        updated_ms=1_000,
    )
    return replace(record, **changes)


def events_of(first: int, last: int, *, size: int = 24) -> list[StoredEvent]:
    """Return events ``first`` to ``last``, each of ``size`` bytes and recognisable."""
    return [
        StoredEvent(seq, f'{{"seq":{seq}}}'.encode().ljust(size))
        for seq in range(first, last + 1)
    ]


def append_of(
    conversation: str,
    first: int,
    last: int,
    *,
    updated_ms: int = 2_000,
    **changes: object,
) -> Append:
    """Return the part of a batch that adds events ``first`` to ``last``.

    Plain, but for what ``changes`` says.
    """
    part = Append(
        conversation=conversation,
        events=events_of(first, last),
        updated_ms=updated_ms,
    )
    return msgspec.structs.replace(part, **changes)


def kept(
    events: Iterable[StoredEvent], dropped: Iterable[tuple[int, int]]
) -> list[StoredEvent]:
    """Return the events that are in none of the ranges."""
    gone = {seq for first, last in dropped for seq in range(first, last + 1)}
    return [event for event in events if event.seq not in gone]


async def read_all(store: Store, conversation: str) -> list[StoredEvent]:
    """Return all events of a conversation, read page by page."""
    events: list[StoredEvent] = []
    while page := await store.read(conversation, events[-1].seq if events else 0):
        events += page
    return events


async def refusal(attempt: Awaitable[object]) -> StoreError:
    """Return the ``StoreError`` that ``attempt`` must fail with."""
    try:
        await attempt
    except StoreError as error:
        return error
    raise AssertionError("it was not refused")
