"""Every statement that changes the tables of the SQLite store.

Nothing here knows a thread or an event loop.
"""

import sqlite3
from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import NamedTuple

from streamchat_nb.conversation.search import MessageText, folded
from streamchat_nb.conversation.sqlite_schema import has_text_index
from streamchat_nb.conversation.store import (
    Append,
    ConversationRecord,
    Marks,
    StoredEvent,
    check_dropped,
    check_sequence,
    no_such_conversation,
)
from streamchat_nb.errors import Conflict

__all__ = ["Tables", "is_one_statement"]

RECENT_EVENTS = 2_000
"""How many events wait in ``recent`` before they are sorted in: each read looks
through them, and sorting them in delays what is written meanwhile."""
RECENT_BYTES = 4_194_304
"""The same by the size of their data."""


ROWS_AT_ONCE = 64
"""How many events one statement adds at most: each statement gives up the interpreter,
and gets it back late while the event loop is busy."""


class _RecentRow(NamedTuple):
    """A row of ``recent``, without its position."""

    conversation: int
    seq: int
    data: bytes
    updated_ms: int
    open_turns: int


class _Place(NamedTuple):
    """Where a conversation's next event goes."""

    key: int
    head: int


class Tables:
    """Changes the tables, for the one connection that may write.

    All that changes them runs in a transaction of the caller, who calls ``forget``
    after undoing any of it.

    Args:
        connection: In autocommit mode.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._recent_events = 0
        self._recent_bytes = 0
        # Of conversations with recent events: spares a query for each append.
        self._places: dict[str, _Place] = {}
        self._texts = _Texts(connection)

    def create(self, record: ConversationRecord, events: Sequence[StoredEvent]) -> bool:
        """Add a conversation.

        Raises:
            Conflict: There is one with this id.
        """
        try:
            self.connection.execute(
                "INSERT INTO conversation (id, log, owner, title, created_ms, "
                "updated_ms, head, open_turns, pinned, archived, deleted_ms, read_seq, "
                "answer_seq) VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?)",
                (
                    record.id,
                    record.log,
                    record.owner,
                    record.title,
                    record.created_ms,
                    record.updated_ms,
                    record.open_turns,
                    record.pinned,
                    record.archived,
                    record.deleted_ms,
                    record.read_seq,
                    record.answer_seq,
                ),
            )
        except sqlite3.IntegrityError:
            raise Conflict("A conversation with this id exists already.") from None
        key, _ = self._place(record.id)
        self._insert(_recent_rows(key, events, record.updated_ms, record.open_turns))
        return True

    def append(self, batch: Sequence[Append]) -> bool:
        """Add events to conversations.

        Raises:
            StoreError: ``store_conflict``, a part does not continue its conversation.
        """
        rows: list[_RecentRow] = []
        for part in batch:
            key, head = self._place(part.conversation)
            check_sequence(part.conversation, head, part.events)
            rows += _recent_rows(key, part.events, part.updated_ms, part.open_turns)
            if part.events:
                head += len(part.events)
                self._places[part.conversation] = _Place(key, head)
            check_dropped(part.conversation, head, part.dropped)
            if part.title is not None or not part.events:
                self._insert(rows)
                rows = []
                self._update_record(key, part)
            if part.dropped:
                self._insert(rows)
                rows = []
                self._drop(key, part.dropped)
            if part.texts:
                self._texts.keep(key, part.texts)
                self._set_answer(key, part.texts)
        self._insert(rows)
        return True

    def mark(self, conversation: str, marks: Marks) -> bool:
        """Change a record beside its log; return whether there was one."""
        changed = self.connection.execute(
            "UPDATE conversation SET pinned = coalesce(?, pinned), "
            "archived = coalesce(?, archived), deleted_ms = coalesce(?, deleted_ms), "
            "read_seq = max(coalesce(?, 0), read_seq) WHERE id = ?",
            (
                marks.pinned,
                marks.archived,
                marks.deleted_ms,
                marks.read_seq,
                conversation,
            ),
        )
        return changed.rowcount > 0

    def index(
        self, conversation: str, texts: Sequence[MessageText], *, is_whole: bool
    ) -> bool:
        """Let old messages be found; return whether there is such a conversation."""
        place = self._find(conversation)
        if place is None:
            return False
        self._texts.keep(place.key, texts)
        if is_whole:
            self.connection.execute(
                "UPDATE conversation SET is_indexed = 1 WHERE key = ?", (place.key,)
            )
        return True

    def delete(self, conversation: str) -> bool:
        """Delete a conversation; return whether there was one."""
        place = self._find(conversation)
        if place is None:
            return False
        self._places.pop(conversation, None)
        self._texts.delete(place.key)
        for table, column in (
            ("recent", "conversation"),
            ("event", "conversation"),
            ("conversation", "key"),
        ):
            self.connection.execute(
                f"DELETE FROM {table} WHERE {column} = ?",  # noqa: S608 - constants
                (place.key,),
            )
        return True

    def forget(self) -> None:
        """Trust only the tables: a change was undone."""
        self._places.clear()

    @property
    def is_sorting_due(self) -> bool:
        """Whether enough events are waiting for ``sort_in``."""
        return (
            self._recent_events >= RECENT_EVENTS or self._recent_bytes >= RECENT_BYTES
        )

    def sort_in(self) -> None:
        """Move recent events to where they are kept, in the caller's transaction."""
        self.connection.execute(
            "INSERT INTO event (conversation, seq, data) "
            "SELECT conversation, seq, data FROM recent ORDER BY conversation, seq"
        )
        latest = self.connection.execute(
            "SELECT head, updated_ms, open_turns, conversation FROM latest"
        ).fetchall()
        self.connection.executemany(
            "UPDATE conversation SET head = ?, updated_ms = ?, open_turns = ? "
            "WHERE key = ?",
            latest,
        )
        self.connection.execute("DELETE FROM recent")
        self._recent_events = self._recent_bytes = 0
        self._places.clear()

    def _place(self, conversation: str) -> _Place:
        place = self._places.get(conversation) or self._find(conversation)
        if place is None:
            raise no_such_conversation(conversation)
        return place

    def _find(self, conversation: str) -> _Place | None:
        row = self.connection.execute(
            "SELECT key, coalesce("
            "(SELECT max(seq) FROM recent WHERE conversation = key), head) "
            "FROM conversation WHERE id = ?",
            (conversation,),
        ).fetchone()
        return None if row is None else _Place(*row)

    def _insert(self, rows: list[_RecentRow]) -> None:
        start = 0
        while start < len(rows):
            count = _rows_at_once(len(rows) - start)
            some = rows[start : start + count]
            self.connection.execute(
                _insertion_of(count), tuple(chain.from_iterable(some))
            )
            start += count
        self._recent_events += len(rows)
        self._recent_bytes += sum(len(row.data) for row in rows)

    def _drop(self, key: int, dropped: Sequence[tuple[int, int]]) -> None:
        """Delete events of one conversation, wherever they are."""
        self.connection.executemany(
            "DELETE FROM event WHERE conversation = ? AND seq BETWEEN ? AND ?",
            [(key, first, last) for first, last in dropped],
        )
        # One look through what has no index by number, however many the ranges.
        recent = self.connection.execute(
            "SELECT seq, position FROM recent WHERE conversation = ? ORDER BY seq",
            (key,),
        ).fetchall()
        found = [
            row
            for first, last in dropped
            for row in recent[
                bisect_left(recent, (first,)) : bisect_left(recent, (last + 1,))
            ]
        ]
        self.connection.executemany(
            "DELETE FROM recent WHERE position = ?",
            [(position,) for _, position in found],
        )

    def _update_record(self, key: int, part: Append) -> None:
        """Change what is not seen from an event that was appended."""
        state = (part.updated_ms, part.open_turns, key)
        self.connection.execute(
            "UPDATE conversation SET updated_ms = ?, open_turns = ? WHERE key = ?",
            state,
        )
        self.connection.execute(
            "UPDATE recent SET updated_ms = ?, open_turns = ? WHERE conversation = ?",
            state,
        )
        if part.title is not None:
            self.connection.execute(
                "UPDATE conversation SET title = ? WHERE key = ?", (part.title, key)
            )

    def _set_answer(self, key: int, texts: Sequence[MessageText]) -> None:
        answers = [text.seq for text in texts if text.is_answer]
        if answers:
            self.connection.execute(
                "UPDATE conversation SET answer_seq = max(answer_seq, ?) WHERE key = ?",
                (max(answers), key),
            )


class _Texts:
    """The messages that can be searched, and their index where there is one."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._has_index = has_text_index(connection)

    def keep(self, conversation: int, texts: Sequence[MessageText]) -> None:
        """Add texts; each takes the place of an older one of its message."""
        for text in texts:
            old = self._connection.execute(
                "SELECT key, seq, body, is_indexed FROM text "
                "WHERE conversation = ? AND message = ?",
                (conversation, text.message),
            ).fetchone()
            if old is not None:
                key, seq, body, is_indexed = old
                if seq > text.seq:
                    continue
                self._remove(key, body, is_indexed=is_indexed)
            self._add(conversation, text)

    def delete(self, conversation: int) -> None:
        """Delete the texts of a conversation."""
        rows = self._connection.execute(
            "SELECT key, body, is_indexed FROM text WHERE conversation = ?",
            (conversation,),
        ).fetchall()
        for key, body, is_indexed in rows:
            self._remove(key, body, is_indexed=is_indexed)

    def _add(self, conversation: int, text: MessageText) -> None:
        added = self._connection.execute(
            "INSERT INTO text (conversation, message, seq, body, is_indexed) "
            "VALUES (?, ?, ?, ?, ?)",
            (conversation, text.message, text.seq, text.text, self._has_index),
        )
        if self._has_index:
            self._connection.execute(
                "INSERT INTO text_index (rowid, folded) VALUES (?, ?)",
                (added.lastrowid, folded(text.text)),
            )

    def _remove(self, key: int, body: str, *, is_indexed: bool) -> None:
        self._connection.execute("DELETE FROM text WHERE key = ?", (key,))
        if is_indexed and self._has_index:
            self._connection.execute(
                "INSERT INTO text_index (text_index, rowid, folded) "
                "VALUES ('delete', ?, ?)",
                (key, folded(body)),
            )


def is_one_statement(batch: Sequence[Append]) -> bool:
    """Return whether ``Tables.append`` makes one statement of a batch."""
    events = sum(len(part.events) for part in batch)
    return 0 < events == _rows_at_once(events) and all(
        part.events and part.title is None and not (part.dropped or part.texts)
        for part in batch
    )


def _rows_at_once(rows: int) -> int:
    """Return how many of so many rows go first: a power of two, of few statements."""
    return min(ROWS_AT_ONCE, 1 << rows.bit_length() >> 1)


@cache
def _insertion_of(rows: int) -> str:
    """Return the statement that adds so many rows."""
    values = ", ".join(["(?, ?, ?, ?, ?)"] * rows)
    return (
        "INSERT INTO recent (conversation, seq, data, updated_ms, open_turns) "  # noqa: S608 - a number
        f"VALUES {values}"
    )


def _recent_rows(
    key: int, events: Sequence[StoredEvent], updated_ms: int, open_turns: int
) -> list[_RecentRow]:
    return [_RecentRow(key, seq, data, updated_ms, open_turns) for seq, data in events]
