"""The store in one SQLite file: the default, for one server process."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from typing_extensions import override

from streamchat_nb.conversation.held_events import Held, HeldEvents, Place
from streamchat_nb.conversation.journal import JOURNAL_SUFFIXES, Journal
from streamchat_nb.conversation.search import MessageText
from streamchat_nb.conversation.sqlite_file import open_database, store_error
from streamchat_nb.conversation.sqlite_queries import (
    list_values,
    read_deleted_before,
    read_events,
    read_hits,
    read_list,
    read_places,
    read_record,
    read_unfinished,
    read_unindexed,
)
from streamchat_nb.conversation.sqlite_tables import Tables
from streamchat_nb.conversation.sqlite_writer import Change, SqliteWriter
from streamchat_nb.conversation.store import (
    Append,
    ConversationRecord,
    ListPosition,
    Marks,
    SearchHit,
    Store,
    StoredEvent,
    check_sequence,
    store_closed,
)
from streamchat_nb.errors import StoreError, StreamchatError, UsageError

__all__ = ["SqliteStore"]

P = ParamSpec("P")
T = TypeVar("T")


class SqliteStore(Store):
    """Keeps conversations in a SQLite file that this process holds alone.

    One thread writes, another one reads and a third one searches; the event loop does
    not wait for a transaction, and no other reader for a search. Beside the file is a
    journal, where a write-ahead log is used: what ``append_now`` takes is one write to
    it on the event loop, forced to the disk by ``sync``, and moved into the tables
    later, with whatever else is to be changed of its conversation. A disk that was
    slow to take one is left to the threads for a second. After ``close`` the journal
    is gone. What was accepted survives the end of the process, however it ends, and
    what is ``durable`` survives a loss of power.

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
        self._searcher: _Reader | None = None
        self._held = HeldEvents(None)
        self._moving: asyncio.Task[None] | None = None
        # Whether the last transaction waited for the disk, and so all before it.
        self._tables_are_forced = True
        self._is_journal_trusted = True
        self._syncing = asyncio.Lock()

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
        self._reader = _Reader("reader", self._path, self._busy_timeout_s)
        self._searcher = _Reader("searcher", self._path, self._busy_timeout_s)
        await self._open_journal(takes_events=database.uses_wal)

    @override
    async def close(self) -> None:
        await self._close_journal()
        # Readers first: the writer's connection, the last one, empties the log.
        for reader in (self._reader, self._searcher):
            if reader is not None:
                await reader.close(timeout_s=self._close_timeout_s)
        if self._writer is not None:
            await self._writer.close(timeout_s=self._close_timeout_s)

    @override
    async def create(
        self, record: ConversationRecord, events: Sequence[StoredEvent]
    ) -> None:
        check_sequence(record.id, 0, events)
        size_bytes = sum(len(event.data) for event in events)
        with self._held.changing(record.id) as places:
            await self._write(
                lambda tables: tables.create(record, events), size_bytes, durable=True
            )
            places[record.id] = Place(record.log, len(events))

    @override
    async def append(self, batch: Sequence[Append]) -> None:
        size_bytes = sum(len(event.data) for part in batch for event in part.events)
        size_bytes += sum(len(text.text) for part in batch for text in part.texts)
        conversations = {part.conversation for part in batch}
        held = self._held.of(*conversations) if conversations else {}
        with self._held.changing(*conversations) as places:

            def change(tables: Tables) -> bool:
                places.update(tables.append(batch, held))
                return True

            durable = any(part.durable for part in (*batch, *held.values()))
            await self._write(change, size_bytes, durable=durable)

    @override
    def append_now(self, batch: Sequence[Append]) -> bool:
        is_taken = self._held.take(batch)
        if self._moving is None and (moved := self._held.in_the_way()):
            self._begin_to_move(moved)
        return is_taken

    @override
    async def sync(self) -> None:
        async with self._syncing:
            await self._sync()

    async def _sync(self) -> None:
        with self._held.forcing() as force:
            if force is None or self._writer is None:
                return
            if self._tables_are_forced and self._is_journal_trusted:
                with suppress(OSError):
                    self._is_journal_trusted = False
                    await self._writer.run(force)
                    self._is_journal_trusted = True
                    return
            await self._move(self._held.durable())
            self._is_journal_trusted = True

    @override
    async def delete(self, conversation: str) -> bool:
        with self._held.changing(conversation):
            return await self._write(
                lambda tables: tables.delete(conversation), 0, durable=True
            )

    @override
    async def read(
        self,
        conversation: str,
        after: int,
        *,
        limit_events: int = 2_000,
        limit_bytes: int = 1_048_576,
    ) -> list[StoredEvent]:
        held = self._held.of(conversation).get(conversation)
        events = () if held is None else held.events
        return await self._read(
            read_events, conversation, after, limit_events, limit_bytes, events
        )

    @override
    async def get(self, conversation: str) -> ConversationRecord | None:
        return await self._read(read_record, conversation, self._held.of(conversation))

    @override
    async def unfinished(self) -> list[str]:
        return await self._read(read_unfinished, self._held.of())

    @override
    async def mark(self, conversation: str, marks: Marks) -> bool:
        return await self._write(
            lambda tables: tables.mark(conversation, marks), 0, durable=True
        )

    @override
    async def deleted_before(self, time_ms: int, *, limit: int = 100) -> list[str]:
        return await self._read(read_deleted_before, time_ms, limit)

    @override
    async def unindexed(self, *, limit: int = 100) -> list[str]:
        return await self._read(read_unindexed, limit)

    @override
    async def index(
        self, conversation: str, texts: Sequence[MessageText], *, is_whole: bool
    ) -> None:
        await self._write(
            lambda tables: tables.index(conversation, texts, is_whole=is_whole),
            sum(len(text.text) for text in texts),
            durable=False,
        )

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
        if self._searcher is None:
            raise store_closed()
        if held := self._held.with_texts():
            await self._move(held)
        values = list_values(
            owner,
            archived=archived,
            deleted=deleted,
            limit=limit,
            before=before,
            held=self._held.of(),
        )
        return await self._searcher.read(
            lambda connection: read_hits(connection, text, values)
        )

    async def _open_journal(self, *, takes_events: bool) -> None:
        """Hold what a process that did not end well has left; begin to move it.

        Raises:
            StoreError: It cannot be read.
        """
        journal = Journal(self._path)
        try:
            entries = await asyncio.to_thread(journal.read)
        except OSError as error:
            raise StoreError(
                f"Cannot read the files {self._path}{JOURNAL_SUFFIXES[0][:-1]}*: "
                f"{error.strerror}. Make them readable for this user.",
                retryable=False,
            ) from None
        names = {entry.conversation for _, entry in entries}
        self._held = HeldEvents(journal, takes_events=takes_events)
        self._held.restore(await self._read(read_places, names), entries)
        if held := self._held.of():
            self._begin_to_move(held)

    async def _move(self, held: Mapping[str, Held]) -> None:
        """Move what is held into the tables, and force it to the disk there.

        Raises:
            StoreError: It is still held; the next one tries again.
        """

        def change(tables: Tables) -> bool:
            tables.append((), held)
            return True

        await self._write(change, 0, durable=True)
        self._held.release(held)

    def _begin_to_move(self, held: Mapping[str, Held]) -> None:
        async def move() -> None:
            try:
                with suppress(StreamchatError):
                    await self._move(held)
            finally:
                self._moving = None

        self._moving = asyncio.get_running_loop().create_task(
            move(), name="streamchat store moves events"
        )

    async def _close_journal(self) -> None:
        """Move what is held, if the disk takes it in time, and close the journal."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._close_timeout_s):
                if self._moving is not None:
                    await asyncio.wait({self._moving})
                if held := self._held.of():
                    self._begin_to_move(held)
                if self._moving is not None:
                    await asyncio.wait({self._moving})
        await asyncio.to_thread(self._held.close)

    async def _write(self, change: Change, size_bytes: int, *, durable: bool) -> bool:
        if self._writer is None:
            raise store_closed()
        written = await self._writer.write(
            change, durable=durable, data_bytes=size_bytes
        )
        self._tables_are_forced = durable
        return written

    async def _read(
        self,
        query: Callable[Concatenate[sqlite3.Connection, P], T],
        *arguments: P.args,
        **options: P.kwargs,
    ) -> T:
        if self._reader is None:
            raise store_closed()
        return await self._reader.read(
            lambda connection: query(connection, *arguments, **options)
        )

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
        values = list_values(
            owner,
            archived=archived,
            deleted=deleted,
            limit=limit,
            before=before,
            held=self._held.of(),
        )
        return await self._read(read_list, values)


class _Reader:
    """Owns a connection that cannot write, on a thread of its own."""

    def __init__(self, name: str, path: Path, busy_timeout_s: float) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._connection: sqlite3.Connection | None = None
        self._disconnected: asyncio.Future[None] | None = None
        self._thread = ThreadPoolExecutor(
            1, thread_name_prefix=f"streamchat-store-{name}"
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
