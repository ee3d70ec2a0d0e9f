"""Every statement that changes the tables of the SQLite store.

Nothing here knows a thread or an event loop.
"""

import sqlite3
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain
from typing import NamedTuple

from streamchat_nb.conversation.held_events import Held, Place
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

__all__ = ["Tables"]

ROWS_AT_ONCE = 64
"""How many events one statement adds at most: each statement gives up the interpreter,
and gets it back late while the event loop is busy."""


class _Row(NamedTuple):
    """Where a conversation is in the tables."""

    key: int
    place: Place


class Tables:
    """Changes the tables, for the one connection that may write.

    All that changes them runs in a transaction of the caller.

    Args:
        connection: In autocommit mode.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
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
                "answer_seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    record.id,
                    record.log,
                    record.owner,
                    record.title,
                    record.created_ms,
                    record.updated_ms,
                    len(events),
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
        self._insert(self._row(record.id).key, events)
        return True

    def append(
        self, batch: Sequence[Append], held: Mapping[str, Held]
    ) -> dict[str, Place]:
        """Add events to conversations; return where those of the batch stand then.

        Args:
            batch: What is appended.
            held: What is held of these conversations, and of others that are there or
                not. It comes before the batch, and what of it is there already does
                not come again.

        Raises:
            StoreError: ``store_conflict``, a part does not continue its conversation.
        """
        rows: dict[str, _Row] = {}
        for name, events in held.items():
            row = self._find(name)
            if row is not None:
                dropped = [
                    span
                    for part in batch
                    if part.conversation == name
                    for span in part.dropped
                ]
                rows[name] = self._move(row, events, dropped)
        for part in batch:
            name = part.conversation
            rows[name] = self._append(rows.get(name) or self._row(name), part)
        return {part.conversation: rows[part.conversation].place for part in batch}

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
        row = self._find(conversation)
        if row is None:
            return False
        self._texts.keep(row.key, texts)
        if is_whole:
            self.connection.execute(
                "UPDATE conversation SET is_indexed = 1 WHERE key = ?", (row.key,)
            )
        return True

    def delete(self, conversation: str) -> bool:
        """Delete a conversation; return whether there was one."""
        row = self._find(conversation)
        if row is None:
            return False
        self._texts.delete(row.key)
        self.connection.execute("DELETE FROM event WHERE conversation = ?", (row.key,))
        self.connection.execute("DELETE FROM conversation WHERE key = ?", (row.key,))
        return True

    def _row(self, conversation: str) -> _Row:
        row = self._find(conversation)
        if row is None:
            raise no_such_conversation(conversation)
        return row

    def _find(self, conversation: str) -> _Row | None:
        row = self.connection.execute(
            "SELECT key, log, head FROM conversation WHERE id = ?", (conversation,)
        ).fetchone()
        return None if row is None else _Row(row[0], Place(row[1], row[2]))

    def _move(self, row: _Row, held: Held, dropped: Sequence[tuple[int, int]]) -> _Row:
        """Add what is held and not there yet, but for what is dropped at once."""
        fresh = [event for event in held.events if event.seq > row.place.head]
        if not fresh:
            return row
        self._insert(row.key, _kept(fresh, dropped))
        self.connection.execute(
            "UPDATE conversation SET head = ?, updated_ms = ?, open_turns = ? "
            "WHERE key = ?",
            (held.head, held.updated_ms, held.open_turns, row.key),
        )
        self._texts.keep(
            row.key, [text for text in held.texts if text.seq > row.place.head]
        )
        return row._replace(place=row.place._replace(head=held.head))

    def _append(self, row: _Row, part: Append) -> _Row:
        log, head = row.place
        check_sequence(part.conversation, head, part.events)
        head += len(part.events)
        check_dropped(part.conversation, head, part.dropped)
        self._insert(row.key, _kept(part.events, part.dropped))
        self.connection.executemany(
            "DELETE FROM event WHERE conversation = ? AND seq BETWEEN ? AND ?",
            [(row.key, first, last) for first, last in part.dropped],
        )
        self.connection.execute(
            "UPDATE conversation SET head = ?, updated_ms = ?, open_turns = ?, "
            "title = coalesce(?, title) WHERE key = ?",
            (head, part.updated_ms, part.open_turns, part.title, row.key),
        )
        if part.texts:
            self._texts.keep(row.key, part.texts)
            self._set_answer(row.key, part.texts)
        return _Row(row.key, Place(log, head))

    def _insert(self, key: int, events: Sequence[StoredEvent]) -> None:
        start = 0
        while start < len(events):
            count = _rows_at_once(len(events) - start)
            some = events[start : start + count]
            self.connection.execute(
                _insertion_of(count),
                tuple(chain.from_iterable((key, each.seq, each.data) for each in some)),
            )
            start += count

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


def _kept(
    events: Sequence[StoredEvent], dropped: Sequence[tuple[int, int]]
) -> Sequence[StoredEvent]:
    """Return the events that are in none of the ranges, which are in order."""
    if not dropped:
        return events
    lasts = [last for _, last in dropped]
    kept: list[StoredEvent] = []
    for event in events:
        position = bisect_left(lasts, event.seq)
        if position == len(dropped) or event.seq < dropped[position][0]:
            kept.append(event)
    return kept


def _rows_at_once(rows: int) -> int:
    """Return how many of so many rows go first: a power of two, of few statements."""
    return min(ROWS_AT_ONCE, 1 << rows.bit_length() >> 1)


@cache
def _insertion_of(rows: int) -> str:
    """Return the statement that adds so many rows."""
    values = ", ".join(["(?, ?, ?)"] * rows)
    return f"INSERT INTO event (conversation, seq, data) VALUES {values}"  # noqa: S608 - a number
