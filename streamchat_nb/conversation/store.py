"""Where conversations are kept: the interface, and the store in memory.

A store keeps numbered events as bytes and one record for each conversation. It knows
nothing of what an event says. The log above it hands out the numbers; the store makes
sure that none is skipped or used twice, and that what it has accepted is there.

Another store passes ``streamchat_nb.testing.store_conformance`` to be usable here.
"""

import unicodedata
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from typing_extensions import override

from streamchat_nb.errors import Conflict, StoreError

__all__ = [
    "Append",
    "ConversationRecord",
    "MemoryStore",
    "Store",
    "StoredEvent",
    "check_dropped",
    "check_sequence",
    "no_such_conversation",
    "searchable",
    "store_closed",
]


@dataclass(frozen=True, kw_only=True)
class ConversationRecord:
    """What a store knows about a conversation without reading its events.

    Attributes:
        id: The conversation's public id.
        log: Random identity of the log, 128 bits in hex. Another log under the same
            id has another identity.
        owner: The principal that the conversation belongs to.
        title: Shown in lists, and searched.
        created_ms: When it was made, milliseconds since the epoch.
        updated_ms: When it was last appended to, milliseconds since the epoch.
        head: ``seq`` of the last event, 0 when there is none.
        open_turns: How many turns were queued or running after the last append.
    """

    id: str
    log: str
    owner: str
    title: str
    created_ms: int
    updated_ms: int
    head: int = 0
    open_turns: int = 0


class StoredEvent(NamedTuple):
    """One event as it is kept: its number and its encoded form."""

    seq: int
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Append:
    """One conversation's part of a batch.

    Attributes:
        conversation: The conversation's id.
        events: Events numbered on from the conversation's head without a gap. May be
            empty, when only the record changes.
        updated_ms: The record's new time, milliseconds since the epoch.
        durable: Whether the events must survive a loss of power, not only the end of
            the process. One durable part makes the whole batch durable.
        title: The record's new title; ``None`` keeps the old one.
        open_turns: How many turns are queued or running after this batch.
        dropped: First and last ``seq`` of events that need not be kept any longer, of
            this part or written before; in order, apart from each other, and never
            with the conversation's last event.
    """

    conversation: str
    events: Sequence[StoredEvent]
    updated_ms: int
    durable: bool = False
    title: str | None = None
    open_turns: int = 0
    dropped: Sequence[tuple[int, int]] = ()


class Store(ABC):
    """Keeps conversations. Every method belongs to the event loop that opened it.

    All methods but ``open`` and ``close`` raise ``StoreError`` with the code
    ``store_closed`` on a store that is not open, and a retryable ``StoreError`` when
    the store cannot serve now; it recovers by itself once the cause is gone.

    Cancelling a wait never harms the store. A cancelled ``create``, ``append`` or
    ``delete`` may or may not have taken effect, as one whole; who must know the
    outcome awaits it under ``asyncio.shield``.
    """

    @property
    @abstractmethod
    def location(self) -> str:
        """Where the data is, for people: ``"memory"`` or a path."""

    @property
    def notice(self) -> str | None:
        """What a person should know about how the store was opened, if anything."""
        return None

    @abstractmethod
    async def open(self) -> None:
        """Make the store ready. Call it once, before anything else.

        Raises:
            StoreError: It cannot be opened; the message says what to do.
        """

    @abstractmethod
    async def close(self) -> None:
        """Finish what was accepted and let go of everything. Idempotent."""

    @abstractmethod
    async def create(
        self, record: ConversationRecord, events: Sequence[StoredEvent]
    ) -> None:
        """Add a conversation with its first events, durably.

        Args:
            record: The new record. Its ``head`` is taken from ``events``.
            events: The first events, numbered from 1 without a gap. May be empty.

        Raises:
            Conflict: There is a conversation with this id.
            StoreError: Nothing was written; ``store_conflict`` for wrong numbers.
        """

    @abstractmethod
    async def append(self, batch: Sequence[Append]) -> None:
        """Write a batch: all of it or nothing. When it returns, all of it is readable.

        A conversation may have several parts, in their order. The sequences given must
        not change until the call has returned. What a part has ``dropped`` is not read
        again; the numbers of the other events stay.

        Raises:
            StoreError: Nothing was written or dropped. The code is ``store_conflict``,
                not retryable, when a conversation does not exist, its events do not
                continue from its head or what is dropped is not in order, and
                ``store_full`` when there is no room.
        """

    @abstractmethod
    async def read(
        self,
        conversation: str,
        after: int,
        *,
        limit_events: int = 2_000,
        limit_bytes: int = 1_048_576,
    ) -> list[StoredEvent]:
        """Return events with ``seq > after``, in order and without those dropped.

        Args:
            conversation: The conversation's id. An unknown one has no events.
            after: A ``seq``; 0 reads from the beginning.
            limit_events: Most events returned.
            limit_bytes: Most bytes of data returned, except that the first event is
                returned whatever its size.
        """

    @abstractmethod
    async def get(self, conversation: str) -> ConversationRecord | None:
        """Return a conversation's record, or ``None`` when there is none."""

    @abstractmethod
    async def delete(self, conversation: str) -> bool:
        """Delete a conversation and its events; return whether there was one."""

    @abstractmethod
    async def unfinished(self) -> list[str]:
        """Return the ids of conversations with open turns, sorted."""

    # Last in the class: below it, ``list`` is this method and no longer the type.
    @abstractmethod
    async def list(
        self,
        owner: str,
        *,
        search: str = "",
        limit: int = 50,
        before: tuple[int, str] | None = None,
    ) -> list[ConversationRecord]:
        """Return an owner's records, the most recently updated first.

        Args:
            owner: Whose conversations.
            search: Only those whose title contains this text, in any case.
            limit: Most records returned.
            before: Continue a list after its last record, given by that record's
                ``(updated_ms, id)``. A record that is not updated between two pages
                is neither repeated nor left out.
        """


def searchable(text: str) -> str:
    """Return ``text`` in the form in which titles are compared for a search."""
    return unicodedata.normalize("NFKC", text).casefold()


def check_sequence(conversation: str, head: int, events: Sequence[StoredEvent]) -> None:
    """Check that ``events`` continue a conversation whose last event is ``head``.

    Raises:
        StoreError: ``store_conflict``, they do not.
    """
    for expected, event in enumerate(events, head + 1):
        if event.seq != expected:
            raise StoreError(
                f"Event {event.seq} was offered where {expected} comes next; "
                "nothing was written. Read the conversation's head again.",
                code="store_conflict",
                retryable=False,
                details={"conversation": conversation, "head": head},
            )


def check_dropped(
    conversation: str, head: int, dropped: Sequence[tuple[int, int]]
) -> None:
    """Check that ranges are in order and keep a conversation's last event, ``head``.

    Raises:
        StoreError: ``store_conflict``, they do not.
    """
    before = 0
    for first, last in dropped:
        if not before < first <= last < head:
            raise StoreError(
                f"Events {first} to {last} cannot be dropped after {before} from a "
                f"conversation whose last event is {head}; nothing was written.",
                code="store_conflict",
                retryable=False,
                details={"conversation": conversation, "head": head},
            )
        before = last


def no_such_conversation(conversation: str) -> StoreError:
    """Return the error of an append to a conversation that is not there."""
    return StoreError(
        "The conversation does not exist or was deleted; nothing was written.",
        code="store_conflict",
        retryable=False,
        details={"conversation": conversation},
    )


def store_closed() -> StoreError:
    """Return the error of a store that is not open."""
    return StoreError("The store is not open.", code="store_closed", retryable=False)


EVENT_OVERHEAD_BYTES = 128
"""What an event costs in memory beside its data."""
RECORD_OVERHEAD_BYTES = 1_024
"""What a conversation costs in memory beside its title and events."""


class MemoryStore(Store):
    """Keeps everything in this process and loses it with the process.

    Args:
        limit_bytes: Most memory used for conversations, 256 MiB by default. What
            would exceed it is refused with ``store_full`` until something is deleted.
    """

    def __init__(self, *, limit_bytes: int = 268_435_456) -> None:
        self.limit_bytes = limit_bytes
        self._is_open = False
        self._used_bytes = 0
        self._records: dict[str, ConversationRecord] = {}
        self._events: dict[str, list[StoredEvent]] = {}

    @property
    @override
    def location(self) -> str:
        return "memory"

    @override
    async def open(self) -> None:
        self._is_open = True

    @override
    async def close(self) -> None:
        self._is_open = False

    @override
    async def create(
        self, record: ConversationRecord, events: Sequence[StoredEvent]
    ) -> None:
        self._check_open()
        if record.id in self._records:
            raise Conflict("A conversation with this id exists already.")
        check_sequence(record.id, 0, events)
        record = replace(record, head=len(events))
        self._reserve(_record_bytes(record) + _events_bytes(events))
        self._records[record.id] = record
        self._events[record.id] = _copies(events)

    @override
    async def append(self, batch: Sequence[Append]) -> None:
        self._check_open()
        records: dict[str, ConversationRecord] = {}
        growth_bytes = 0
        for part in batch:
            old = records.get(part.conversation, self._records.get(part.conversation))
            if old is None:
                raise no_such_conversation(part.conversation)
            check_sequence(part.conversation, old.head, part.events)
            head = old.head + len(part.events)
            check_dropped(part.conversation, head, part.dropped)
            new = replace(
                old,
                head=head,
                updated_ms=part.updated_ms,
                title=old.title if part.title is None else part.title,
                open_turns=part.open_turns,
            )
            growth_bytes += _events_bytes(part.events)
            growth_bytes += _record_bytes(new) - _record_bytes(old)
            records[part.conversation] = new
        self._reserve(growth_bytes)
        self._records.update(records)
        for part in batch:
            self._events[part.conversation].extend(_copies(part.events))
            for first, last in part.dropped:
                self._drop(part.conversation, first, last)

    @override
    async def read(
        self,
        conversation: str,
        after: int,
        *,
        limit_events: int = 2_000,
        limit_bytes: int = 1_048_576,
    ) -> list[StoredEvent]:
        self._check_open()
        events = self._events.get(conversation, [])
        start = _position(events, after + 1)
        events = events[start : start + limit_events]
        total_bytes = 0
        for count, event in enumerate(events):
            total_bytes += len(event.data)
            if count and total_bytes > limit_bytes:
                return events[:count]
        return events

    @override
    async def get(self, conversation: str) -> ConversationRecord | None:
        self._check_open()
        return self._records.get(conversation)

    @override
    async def delete(self, conversation: str) -> bool:
        self._check_open()
        record = self._records.pop(conversation, None)
        if record is None:
            return False
        events = self._events.pop(conversation)
        self._used_bytes -= _record_bytes(record) + _events_bytes(events)
        return True

    @override
    async def unfinished(self) -> list[str]:
        self._check_open()
        return sorted(
            record.id for record in self._records.values() if record.open_turns
        )

    def _check_open(self) -> None:
        if not self._is_open:
            raise store_closed()

    def _drop(self, conversation: str, first: int, last: int) -> None:
        events = self._events[conversation]
        found = slice(_position(events, first), _position(events, last + 1))
        self._used_bytes -= _events_bytes(events[found])
        del events[found]

    def _reserve(self, growth_bytes: int) -> None:
        if growth_bytes > 0 and self._used_bytes + growth_bytes > self.limit_bytes:
            raise StoreError(
                f"The store in memory is full ({self.limit_bytes} bytes); nothing was "
                "written. Delete conversations, or keep them in a file.",
                code="store_full",
                details={"limit_bytes": self.limit_bytes},
            )
        self._used_bytes += growth_bytes

    @override
    async def list(
        self,
        owner: str,
        *,
        search: str = "",
        limit: int = 50,
        before: tuple[int, str] | None = None,
    ) -> list[ConversationRecord]:
        self._check_open()
        wanted = searchable(search)
        found = [
            record
            for record in self._records.values()
            if record.owner == owner
            and (before is None or _recency(record) < before)
            and wanted in searchable(record.title)
        ]
        return sorted(found, key=_recency, reverse=True)[:limit]


def _recency(record: ConversationRecord) -> tuple[int, str]:
    return record.updated_ms, record.id


def _position(events: Sequence[StoredEvent], seq: int) -> int:
    """Return the index of the first event numbered ``seq`` or higher."""
    return bisect_left(events, seq, key=lambda event: event.seq)


def _copies(events: Sequence[StoredEvent]) -> list[StoredEvent]:
    """Return events that share nothing mutable with the caller's."""
    return [StoredEvent(seq, bytes(data)) for seq, data in events]


def _events_bytes(events: Sequence[StoredEvent]) -> int:
    return sum(len(event.data) + EVENT_OVERHEAD_BYTES for event in events)


def _record_bytes(record: ConversationRecord) -> int:
    return len(record.title) * 4 + RECORD_OVERHEAD_BYTES
