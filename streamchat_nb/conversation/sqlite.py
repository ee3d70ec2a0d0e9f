"""The store in one SQLite file: the default, for one server process."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from typing_extensions import override

from streamchat_nb.conversation.sqlite_file import open_database, store_error
from streamchat_nb.conversation.sqlite_writer import Change, SqliteWriter
from streamchat_nb.conversation.store import (
    Append,
    ConversationRecord,
    Store,
    StoredEvent,
    check_sequence,
    no_such_conversation,
    searchable,
    store_closed,
)
from streamchat_nb.errors import Conflict, UsageError

__all__ = ["SqliteStore"]

T = TypeVar("T")


class SqliteStore(Store):
    """Keeps conversations in a SQLite file that this process holds alone.

    One thread writes, another one reads; the event loop never waits for the disk.
    What was accepted survives the end of the process, however it ends, and what is
    ``durable`` survives a loss of power.

    A file that another server holds is left to it: a neighbour (``name-2.sqlite3`` to
    ``name-8.sqlite3``) is used instead. A damaged one is renamed, never deleted, and a
    new one begun. ``notice`` says so after ``open``.

    Args:
        path: The file. Its folder is made, for this user only, when missing.
        wal: Whether to use SQLite's write-ahead log. ``None`` uses it everywhere but on
            network file systems, where it does not work.
        busy_timeout_s: How long to wait for a lock of another program, in seconds,
            before a write or a read fails with ``store_locked``.
        waiting_limit_bytes: Most memory for writes that wait for a slow disk; beyond,
            they are refused with ``store_busy``.
        close_timeout_s: How long ``close`` waits for the disk, in seconds.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        wal: bool | None = None,
        busy_timeout_s: float = 5.0,
        waiting_limit_bytes: int = 67_108_864,
        close_timeout_s: float = 10.0,
    ) -> None:
        self._path = Path(path).expanduser().absolute()
        self._wal = wal
        self._busy_timeout_s = busy_timeout_s
        self._waiting_limit_bytes = waiting_limit_bytes
        self._close_timeout_s = close_timeout_s
        self._notices: tuple[str, ...] = ()
        self._writer: SqliteWriter | None = None
        self._reader: _Reader | None = None

    @property
    @override
    def location(self) -> str:
        return str(self._path)

    @property
    @override
    def notice(self) -> str | None:
        return " ".join(self._notices) or None

    @override
    async def open(self) -> None:
        if self._writer is not None:
            raise UsageError("The store was opened before; make a new one.")
        self._writer = SqliteWriter(
            partial(
                open_database,
                self._path,
                wal=self._wal,
                busy_timeout_s=self._busy_timeout_s,
            ),
            waiting_limit_bytes=self._waiting_limit_bytes,
        )
        database = await self._writer.open()
        self._path, self._notices = database.path, database.notices
        self._reader = _Reader(self._path, self._busy_timeout_s)

    @override
    async def close(self) -> None:
        # Readers first: the writer's connection, the last one, empties the log.
        if self._reader is not None:
            await self._reader.close(timeout_s=self._close_timeout_s)
        if self._writer is not None:
            await self._writer.close(timeout_s=self._close_timeout_s)

    @override
    async def create(
        self, record: ConversationRecord, events: Sequence[StoredEvent]
    ) -> None:
        check_sequence(record.id, 0, events)
        size_bytes = sum(len(event.data) for event in events)
        await self._write(partial(_create, record, events), size_bytes, durable=True)

    @override
    async def append(self, batch: Sequence[Append]) -> None:
        size_bytes = sum(len(event.data) for part in batch for event in part.events)
        durable = any(part.durable for part in batch)
        await self._write(partial(_append, batch), size_bytes, durable=durable)

    @override
    async def delete(self, conversation: str) -> bool:
        return await self._write(partial(_delete, conversation), 0, durable=True)

    @override
    async def read(
        self,
        conversation: str,
        after: int,
        *,
        limit_events: int = 2_000,
        limit_bytes: int = 1_048_576,
    ) -> list[StoredEvent]:
        return await self._read(
            partial(_read, conversation, after, limit_events, limit_bytes)
        )

    @override
    async def get(self, conversation: str) -> ConversationRecord | None:
        return await self._read(partial(_get, conversation))

    @override
    async def unfinished(self) -> list[str]:
        return await self._read(_unfinished)

    async def _write(self, change: Change, size_bytes: int, *, durable: bool) -> bool:
        if self._writer is None:
            raise store_closed()
        return await self._writer.write(change, durable=durable, data_bytes=size_bytes)

    async def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        if self._reader is None:
            raise store_closed()
        return await self._reader.read(query)

    @override
    async def list(
        self,
        owner: str,
        *,
        search: str = "",
        limit: int = 50,
        before: tuple[int, str] | None = None,
    ) -> list[ConversationRecord]:
        return await self._read(
            partial(_list, owner, searchable(search), limit, before)
        )


class _Reader:
    """Owns a connection that cannot write, on a thread of its own."""

    def __init__(self, path: Path, busy_timeout_s: float) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._connection: sqlite3.Connection | None = None
        self._disconnected: asyncio.Future[None] | None = None
        self._thread = ThreadPoolExecutor(
            1, thread_name_prefix="streamchat-store-reader"
        )

    async def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Return the result of ``query``.

        Raises:
            StoreError: The database cannot be read now, or was closed.
        """
        if self._disconnected is not None:
            raise store_closed()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._run, query)

    async def close(self, *, timeout_s: float) -> None:
        """Finish the reads that were begun, then close the connection. Idempotent."""
        if self._disconnected is None:
            loop = asyncio.get_running_loop()
            self._disconnected = loop.run_in_executor(self._thread, self._disconnect)
            self._thread.shutdown(wait=False)
        await asyncio.wait({self._disconnected}, timeout=timeout_s)

    def _run(self, query: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return query(self._connect())
        except sqlite3.Error as error:
            raise store_error(error) from error

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(
                self._path, timeout=self._busy_timeout_s, isolation_level=None
            )
            self._connection.execute("PRAGMA query_only = ON")
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


# Changes: each runs in the writer's transaction, all or nothing.


def _create(
    record: ConversationRecord,
    events: Sequence[StoredEvent],
    connection: sqlite3.Connection,
) -> bool:
    try:
        key = connection.execute(
            "INSERT INTO conversation (id, log, owner, title, searchable_title, "
            "created_ms, updated_ms, head, open_turns) VALUES (?,?,?,?,?,?,?,?,?)",
            (
                record.id,
                record.log,
                record.owner,
                record.title,
                searchable(record.title),
                record.created_ms,
                record.updated_ms,
                len(events),
                record.open_turns,
            ),
        ).lastrowid
    except sqlite3.IntegrityError:
        raise Conflict("A conversation with this id exists already.") from None
    _insert(connection, key, events)
    return True


def _append(batch: Sequence[Append], connection: sqlite3.Connection) -> bool:
    for part in batch:
        row = connection.execute(
            "SELECT key, head FROM conversation WHERE id = ?", (part.conversation,)
        ).fetchone()
        if row is None:
            raise no_such_conversation(part.conversation)
        key, head = row
        check_sequence(part.conversation, head, part.events)
        title = part.title
        connection.execute(
            "UPDATE conversation SET head = ?, updated_ms = ?, open_turns = ?, "
            "title = coalesce(?, title), "
            "searchable_title = coalesce(?, searchable_title) WHERE key = ?",
            (
                head + len(part.events),
                part.updated_ms,
                part.open_turns,
                title,
                None if title is None else searchable(title),
                key,
            ),
        )
        _insert(connection, key, part.events)
    return True


def _insert(
    connection: sqlite3.Connection, key: int | None, events: Sequence[StoredEvent]
) -> None:
    connection.executemany(
        "INSERT INTO event (conversation, seq, data) VALUES (?, ?, ?)",
        [(key, seq, data) for seq, data in events],
    )


def _delete(conversation: str, connection: sqlite3.Connection) -> bool:
    connection.execute(
        "DELETE FROM event WHERE conversation = "
        "(SELECT key FROM conversation WHERE id = ?)",
        (conversation,),
    )
    deleted = connection.execute(
        "DELETE FROM conversation WHERE id = ?", (conversation,)
    )
    return deleted.rowcount > 0


# Queries: each sees one committed state.


def _read(
    conversation: str,
    after: int,
    limit_events: int,
    limit_bytes: int,
    connection: sqlite3.Connection,
) -> list[StoredEvent]:
    rows = connection.execute(
        "SELECT seq, data FROM event WHERE conversation = "
        "(SELECT key FROM conversation WHERE id = ?) AND seq > ? ORDER BY seq LIMIT ?",
        (conversation, after, limit_events),
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


_SELECT_RECORD = (
    "SELECT id, log, owner, title, created_ms, updated_ms, head, open_turns "
    "FROM conversation "
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


def _get(
    conversation: str, connection: sqlite3.Connection
) -> ConversationRecord | None:
    row = connection.execute(
        _SELECT_RECORD + "WHERE id = ?", (conversation,)
    ).fetchone()
    return None if row is None else _record(row)


def _unfinished(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute(
        "SELECT id FROM conversation WHERE open_turns > 0 ORDER BY id"
    )
    return [identity for (identity,) in rows]


def _list(
    owner: str,
    search: str,
    limit: int,
    before: tuple[int, str] | None,
    connection: sqlite3.Connection,
) -> list[ConversationRecord]:
    rows = connection.execute(
        _SELECT_RECORD + "WHERE owner = ? AND instr(searchable_title, ?) > 0 "
        "AND (updated_ms, id) < (?, ?) ORDER BY updated_ms DESC, id DESC LIMIT ?",
        (owner, search, *(before or _BEYOND_ALL), limit),
    )
    return [_record(row) for row in rows]
