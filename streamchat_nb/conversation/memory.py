"""The store in memory: what it keeps ends with the process."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

from typing_extensions import override

from streamchat_nb.conversation.search import MessageText, Search
from streamchat_nb.conversation.store import (
    Append,
    ConversationRecord,
    ListPosition,
    Marks,
    SearchHit,
    Store,
    StoredEvent,
    check_dropped,
    check_sequence,
    hit_of,
    no_such_conversation,
    store_closed,
)
from streamchat_nb.errors import Conflict, StoreError

__all__ = ["MemoryStore"]

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
        self._texts: dict[str, dict[str, MessageText]] = {}

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
        self._texts[record.id] = {}

    @override
    async def append(self, batch: Sequence[Append]) -> None:
        self._append(batch)

    @override
    def append_now(self, batch: Sequence[Append]) -> bool:
        self._append(batch)
        return True

    def _append(self, batch: Sequence[Append]) -> None:
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
                answer_seq=max((old.answer_seq, *_answers(part.texts))),
            )
            growth_bytes += self._texts_growth(part.conversation, part.texts)
            growth_bytes += _events_bytes(part.events)
            growth_bytes += _record_bytes(new) - _record_bytes(old)
            records[part.conversation] = new
        self._reserve(growth_bytes)
        self._records.update(records)
        for part in batch:
            self._events[part.conversation].extend(_copies(part.events))
            self._keep_texts(part.conversation, part.texts)
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
        texts = self._texts.pop(conversation).values()
        self._used_bytes -= _record_bytes(record) + _events_bytes(events)
        self._used_bytes -= sum(map(_text_bytes, texts))
        return True

    @override
    async def mark(self, conversation: str, marks: Marks) -> bool:
        self._check_open()
        record = self._records.get(conversation)
        if record is None:
            return False
        self._records[conversation] = replace(
            record,
            pinned=record.pinned if marks.pinned is None else marks.pinned,
            archived=record.archived if marks.archived is None else marks.archived,
            deleted_ms=(
                record.deleted_ms if marks.deleted_ms is None else marks.deleted_ms
            ),
            read_seq=max(record.read_seq, marks.read_seq or 0),
        )
        return True

    @override
    async def deleted_before(self, time_ms: int, *, limit: int = 100) -> list[str]:
        self._check_open()
        found = sorted(
            (record.deleted_ms, record.id)
            for record in self._records.values()
            if 0 < record.deleted_ms < time_ms
        )
        return [identity for _, identity in found[:limit]]

    @override
    async def unindexed(self, *, limit: int = 100) -> list[str]:
        self._check_open()
        return []

    @override
    async def index(
        self, conversation: str, texts: Sequence[MessageText], *, is_whole: bool
    ) -> None:
        self._check_open()
        if conversation in self._records:
            self._reserve(self._texts_growth(conversation, texts))
            self._keep_texts(conversation, texts)

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

    def _texts_growth(self, conversation: str, texts: Sequence[MessageText]) -> int:
        """Return at most how many bytes more these texts take."""
        kept = self._texts.get(conversation, {})
        fresh = {text.message: text for text in texts if text.message not in kept}
        return sum(map(_text_bytes, fresh.values()))

    def _keep_texts(self, conversation: str, texts: Sequence[MessageText]) -> None:
        kept = self._texts[conversation]
        for text in texts:
            old = kept.get(text.message)
            if old is None or old.seq <= text.seq:
                if old is not None:
                    self._used_bytes += _text_bytes(text) - _text_bytes(old)
                kept[text.message] = text

    @override
    async def search(
        self,
        owner: str,
        text: str,
        *,
        archived: bool | None = None,
        deleted: bool = False,
        limit: int = 50,
        before: ListPosition | None = None,
    ) -> list[SearchHit]:
        search = Search(text)
        hits: list[SearchHit] = []
        for record in self._listed(owner, archived, deleted, before):
            found = [
                each
                for each in self._texts[record.id].values()
                if search.finds(each.text)
            ]
            if len(hits) < limit and (found or search.finds(record.title)):
                latest = max(found, key=lambda each: each.seq, default=None)
                hits.append(hit_of(search, record, latest))
        return hits

    def _listed(
        self,
        owner: str,
        archived: bool | None,
        deleted: bool,
        before: ListPosition | None,
    ) -> list[ConversationRecord]:
        self._check_open()
        found = (
            record
            for record in self._records.values()
            if record.owner == owner
            and archived in (None, record.archived)
            and deleted == (record.deleted_ms > 0)
            and (before is None or record.position < before)
        )
        return sorted(found, key=lambda record: record.position, reverse=True)

    @override
    async def list(
        self,
        owner: str,
        *,
        archived: bool | None = None,
        deleted: bool = False,
        limit: int = 50,
        before: ListPosition | None = None,
    ) -> list[ConversationRecord]:
        return self._listed(owner, archived, deleted, before)[:limit]


def _position(events: Sequence[StoredEvent], seq: int) -> int:
    """Return the index of the first event numbered ``seq`` or higher."""
    return bisect_left(events, seq, key=lambda event: event.seq)


def _copies(events: Sequence[StoredEvent]) -> list[StoredEvent]:
    """Return events that share nothing mutable with the caller's."""
    return [StoredEvent(event.seq, bytes(event.data)) for event in events]


def _events_bytes(events: Sequence[StoredEvent]) -> int:
    return sum(len(event.data) + EVENT_OVERHEAD_BYTES for event in events)


def _record_bytes(record: ConversationRecord) -> int:
    return len(record.title) * 4 + RECORD_OVERHEAD_BYTES


def _text_bytes(text: MessageText) -> int:
    return len(text.text) * 4 + EVENT_OVERHEAD_BYTES


def _answers(texts: Sequence[MessageText]) -> list[int]:
    return [text.seq for text in texts if text.is_answer]
