"""The tables of the SQLite store, and every statement that changes or reads them.

New events go into ``recent`` in the order they come, whatever their conversation: a
commit then touches one page, where a table sorted by conversation would have it touch
one page for each conversation that streams. From time to time ``sort_in`` moves them
into ``event``, all at once. ``conversation_now`` shows records as if that were done.

Nothing here knows a thread or an event loop.
"""

import sqlite3
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, NamedTuple

from streamchat_nb.conversation.store import (
    Append,
    ConversationRecord,
    StoredEvent,
    check_dropped,
    check_sequence,
    no_such_conversation,
    searchable,
)
from streamchat_nb.errors import Conflict

__all__ = [
    "APPLICATION_ID",
    "SCHEMA_VERSION",
    "Tables",
    "create_tables",
    "read_events",
    "read_list",
    "read_record",
    "read_unfinished",
]

APPLICATION_ID = 0x5C8A7B01
"""Marks a file as ours, in SQLite's header."""
SCHEMA_VERSION = 1
RECENT_EVENTS = 2_000
"""How many events wait in ``recent`` before they are sorted in: each read looks
through them, and sorting them in delays what is written meanwhile."""
RECENT_BYTES = 4_194_304
"""The same by the size of their data."""

_SCHEMA = (
    """CREATE TABLE conversation (
        key INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        log TEXT NOT NULL,
        owner TEXT NOT NULL,
        title TEXT NOT NULL,
        searchable_title TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        updated_ms INTEGER NOT NULL,
        head INTEGER NOT NULL,
        open_turns INTEGER NOT NULL
    )""",
    "CREATE INDEX conversation_owner ON conversation (owner)",
    """CREATE TABLE event (
        conversation INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (conversation, seq)
    ) WITHOUT ROWID""",
    """CREATE TABLE recent (
        position INTEGER PRIMARY KEY,
        conversation INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        data BLOB NOT NULL,
        updated_ms INTEGER NOT NULL,
        open_turns INTEGER NOT NULL
    )""",
    # Beside max(), SQLite takes the other columns from the row that has it.
    """CREATE VIEW latest AS
        SELECT conversation, max(seq) AS head, updated_ms, open_turns
        FROM recent GROUP BY conversation""",
    """CREATE VIEW conversation_now AS
        SELECT key, id, log, owner, title, searchable_title, created_ms,
            coalesce(latest.updated_ms, conversation.updated_ms) AS updated_ms,
            coalesce(latest.head, conversation.head) AS head,
            coalesce(latest.open_turns, conversation.open_turns) AS open_turns
        FROM conversation LEFT JOIN latest ON latest.conversation = key""",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)


def create_tables(connection: sqlite3.Connection) -> None:
    """Fill an empty database with empty tables, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in _SCHEMA:
        connection.execute(statement)
    connection.execute("COMMIT")


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

    ``create``, ``append`` and ``delete`` run in a transaction of the caller, who calls
    ``forget`` after undoing any of it.

    Args:
        connection: In autocommit mode.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._recent_events = 0
        self._recent_bytes = 0
        # Of conversations with recent events: spares a query for each append.
        self._places: dict[str, _Place] = {}

    def create(self, record: ConversationRecord, events: Sequence[StoredEvent]) -> bool:
        """Add a conversation.

        Raises:
            Conflict: There is one with this id.
        """
        try:
            self.connection.execute(
                "INSERT INTO conversation (id, log, owner, title, searchable_title, "
                "created_ms, updated_ms, head, open_turns) VALUES (?,?,?,?,?,?,?,0,?)",
                (
                    record.id,
                    record.log,
                    record.owner,
                    record.title,
                    searchable(record.title),
                    record.created_ms,
                    record.updated_ms,
                    record.open_turns,
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
        self._insert(rows)
        return True

    def delete(self, conversation: str) -> bool:
        """Delete a conversation; return whether there was one."""
        place = self._find(conversation)
        if place is None:
            return False
        self._places.pop(conversation, None)
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
        self.connection.executemany(
            "INSERT INTO recent (conversation, seq, data, updated_ms, open_turns) "
            "VALUES (?, ?, ?, ?, ?)",
            rows,
        )
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
                "UPDATE conversation SET title = ?, searchable_title = ? WHERE key = ?",
                (part.title, searchable(part.title), key),
            )


def _recent_rows(
    key: int, events: Sequence[StoredEvent], updated_ms: int, open_turns: int
) -> list[_RecentRow]:
    return [_RecentRow(key, seq, data, updated_ms, open_turns) for seq, data in events]


_SELECT_RECORDS = (
    "SELECT id, log, owner, title, created_ms, updated_ms, head, open_turns "
    "FROM conversation_now "
)
_BEYOND_ALL = (2**63 - 1, "")


def _record(row: tuple[Any, ...]) -> ConversationRecord:
    identity, log, owner, title, created_ms, updated_ms, head, open_turns = row
    return ConversationRecord(
        id=identity,
        log=log,
        owner=owner,
        title=title,
        created_ms=created_ms,
        updated_ms=updated_ms,
        head=head,
        open_turns=open_turns,
    )


def read_record(
    connection: sqlite3.Connection, conversation: str
) -> ConversationRecord | None:
    """Return the record of a conversation; see ``Store.get``."""
    row = connection.execute(
        _SELECT_RECORDS + "WHERE id = ?", (conversation,)
    ).fetchone()
    return None if row is None else _record(row)


def read_list(
    connection: sqlite3.Connection,
    owner: str,
    search: str,
    limit: int,
    before: tuple[int, str] | None,
) -> list[ConversationRecord]:
    """Return records of an owner; see ``Store.list``."""
    rows = connection.execute(
        _SELECT_RECORDS + "WHERE owner = ? AND instr(searchable_title, ?) > 0 "
        "AND (updated_ms, id) < (?, ?) ORDER BY updated_ms DESC, id DESC LIMIT ?",
        (owner, searchable(search), *(before or _BEYOND_ALL), limit),
    )
    return [_record(row) for row in rows]


def read_unfinished(connection: sqlite3.Connection) -> list[str]:
    """Return ids of conversations with open turns; see ``Store.unfinished``."""
    rows = connection.execute(
        "SELECT id FROM conversation_now WHERE open_turns > 0 ORDER BY id"
    )
    return [identity for (identity,) in rows]


def read_events(
    connection: sqlite3.Connection,
    conversation: str,
    after: int,
    limit_events: int,
    limit_bytes: int,
) -> list[StoredEvent]:
    """Return events of a conversation; see ``Store.read``."""
    rows = connection.execute(
        "WITH wanted AS (SELECT key FROM conversation WHERE id = ?) "
        "SELECT seq, data FROM event WHERE conversation = (SELECT key FROM wanted) "
        "AND seq > ? "
        "UNION ALL "
        "SELECT seq, data FROM recent WHERE conversation = (SELECT key FROM wanted) "
        "AND seq > ? ORDER BY seq LIMIT ?",
        (conversation, after, after, limit_events),
    )
    events: list[StoredEvent] = []
    total_bytes = 0
    for seq, data in rows:
        total_bytes += len(data)
        if events and total_bytes > limit_bytes:
            rows.close()
            break
        events.append(StoredEvent(seq, data))
    return events
