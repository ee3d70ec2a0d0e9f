"""The one thread that writes to a SQLite database, and groups what waits."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import NamedTuple, TypeVar

from streamchat_nb.conversation.sqlite_file import OpenDatabase, store_error
from streamchat_nb.conversation.sqlite_tables import Tables
from streamchat_nb.conversation.store import store_closed
from streamchat_nb.errors import StoreError, StreamchatError

__all__ = ["Change", "Job", "SqliteWriter"]

T = TypeVar("T")

Change = Callable[[Tables], bool]
"""Runs in a transaction and returns whether there was anything to change. What it
raises undoes what it did, and nothing else."""
Job = Callable[[], None]
"""Runs beside all transactions."""

WRITE_OVERHEAD_BYTES = 1_024
"""What a waiting write costs in memory beside its data."""


class _Write(NamedTuple):
    """A change that waits for its turn, and the caller who waits for its outcome."""

    change: Change
    durable: bool
    size_bytes: int
    outcome: asyncio.Future[bool]


class _Job(NamedTuple):
    """A job that waits for its turn, and its caller."""

    job: Job
    outcome: asyncio.Future[None]


class _Settled(NamedTuple):
    """A write with its result, or with the error that kept it from being made."""

    write: _Write
    result: bool | StreamchatError


class _Transactions:
    """Makes writes so that each is made as a whole or not at all."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._connection = tables.connection
        self._is_durable: bool | None = None

    def commit(self, writes: list[_Write]) -> list[_Settled]:
        """Make all writes in one transaction; return what became of each."""
        durable = any(write.durable for write in writes)
        try:
            with self._transaction(durable=durable):
                if len(writes) == 1:
                    return [_Settled(writes[0], writes[0].change(self._tables))]
                return [self._make_apart(write) for write in writes]
        except Exception as error:  # noqa: BLE001 - its caller is told
            return [_Settled(write, store_error(error)) for write in writes]

    def _make_apart(self, write: _Write) -> _Settled:
        """Make one write of several: what it raises undoes it alone."""
        connection = self._connection
        connection.execute("SAVEPOINT one_write")
        try:
            result = write.change(self._tables)
        except Exception as error:
            if not connection.in_transaction:  # SQLite has rolled back everything
                raise
            connection.execute("ROLLBACK TO one_write")
            connection.execute("RELEASE one_write")
            return _Settled(write, store_error(error))
        connection.execute("RELEASE one_write")
        return _Settled(write, result)

    @contextmanager
    def _transaction(self, *, durable: bool) -> Generator[None]:
        """Commit what the body does, or nothing when it raises.

        Args:
            durable: Whether to wait for the disk.
        """
        try:
            self._wait_for_disk(durable=durable)
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
            raise

    def _wait_for_disk(self, *, durable: bool) -> None:
        if durable != self._is_durable:
            # NORMAL survives the end of the process; FULL waits for the disk as well.
            level = "FULL" if durable else "NORMAL"
            self._connection.execute(f"PRAGMA synchronous = {level}")
            self._is_durable = durable


class SqliteWriter:
    """Owns the writing connection on a thread of its own, from opening to closing.

    All writes that wait when a transaction begins go into it together: one commit
    serves them all, and a slow disk makes groups larger rather than the queue longer.

    Args:
        open_database: Opens the database; called on the thread.
        waiting_limit_bytes: Most memory for writes that wait; what would exceed it is
            refused with ``store_busy``.
    """

    def __init__(
        self, open_database: Callable[[], OpenDatabase], *, waiting_limit_bytes: int
    ) -> None:
        self._open_database = open_database
        self._waiting_limit_bytes = waiting_limit_bytes
        self._waiting_bytes = 0
        self._queue: SimpleQueue[_Write | _Job | None] = SimpleQueue()
        self._is_closing = False
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[OpenDatabase] = self._loop.create_future()
        self._closed: asyncio.Future[None] = self._loop.create_future()
        # A daemon: a disk that hangs must not keep the process from ending.
        self._thread = threading.Thread(
            target=self._run, name="streamchat-store-writer", daemon=True
        )

    async def open(self) -> OpenDatabase:
        """Start the thread; return what it opened.

        Raises:
            StoreError: The database cannot be opened.
        """
        self._thread.start()
        return await asyncio.shield(self._opened)

    async def write(self, change: Change, *, durable: bool, data_bytes: int) -> bool:
        """Return the result of ``change`` once it is committed.

        Has no deadline: a write that was given up on could still be made. Cancelling
        the wait leaves the write as it is.

        Args:
            change: What to do.
            durable: Whether the commit must survive a loss of power.
            data_bytes: Size of the data that ``change`` holds.

        Raises:
            StreamchatError: What ``change`` raised, or the failure of the disk;
                nothing was written.
        """
        if self._is_closing:
            raise store_closed()
        size_bytes = data_bytes + WRITE_OVERHEAD_BYTES
        waiting_bytes = self._waiting_bytes + size_bytes
        if self._waiting_bytes and waiting_bytes > self._waiting_limit_bytes:
            raise StoreError(
                "The disk is slower than what is to be written; nothing of this was "
                "written. Try again in a moment.",
                code="store_busy",
                retry_after_ms=1_000,
            )
        self._waiting_bytes = waiting_bytes
        outcome: asyncio.Future[bool] = self._loop.create_future()
        self._queue.put(_Write(change, durable, size_bytes, outcome))
        return await outcome

    async def run(self, job: Job) -> None:
        """Run a job on the thread, when no transaction is open there.

        Cancelling the wait leaves the job as it is.

        Raises:
            Exception: What the job raised; ``StoreError`` after ``close``.
        """
        if self._is_closing:
            raise store_closed()
        outcome: asyncio.Future[None] = self._loop.create_future()
        self._queue.put(_Job(job, outcome))
        await outcome

    async def close(self, *, timeout_s: float) -> None:
        """Make the writes that were accepted, then close the database. Idempotent.

        Raises:
            StoreError: The disk took longer than ``timeout_s`` seconds. The thread
                goes on trying for as long as the process lives.
        """
        if not self._is_closing:
            self._is_closing = True
            self._queue.put(None)
        await asyncio.wait({self._closed}, timeout=timeout_s)
        if not self._closed.done():
            raise StoreError(
                f"The disk did not take the last writes within {timeout_s} s; what was "
                "not confirmed may be lost.",
                retryable=False,
            )

    def _run(self) -> None:
        try:
            database = self._open_database()
        except Exception as error:  # noqa: BLE001 - whatever it is, open() raises it
            self._call_loop(_resolve, self._opened, store_error(error))
        else:
            self._call_loop(_resolve, self._opened, database)
            with closing(database):
                self._write_until_closed(_Transactions(Tables(database.connection)))
        finally:
            self._call_loop(_resolve, self._closed, None)

    def _write_until_closed(self, transactions: _Transactions) -> None:
        is_closing = False
        while not is_closing:
            writes: list[_Write] = []
            with suppress(Empty):
                waiting = self._queue.get()
                while waiting is not None:
                    if isinstance(waiting, _Job):
                        self._run_job(waiting)
                    else:
                        writes.append(waiting)
                    waiting = self._queue.get_nowait()
                is_closing = True
            if writes:
                self._call_loop(self._settle, transactions.commit(writes))

    def _run_job(self, waiting: _Job) -> None:
        try:
            waiting.job()
        except Exception as error:  # noqa: BLE001 - its caller is told
            self._call_loop(_resolve, waiting.outcome, error)
        else:
            self._call_loop(_resolve, waiting.outcome, None)

    def _settle(self, settled: list[_Settled]) -> None:
        """Tell the callers, on the loop, all in one callback."""
        for write, result in settled:
            self._waiting_bytes -= write.size_bytes
            _resolve(write.outcome, result)

    def _call_loop(self, callback: Callable[..., None], *arguments: object) -> None:
        # A loop that was closed before the store has nobody left to tell.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, *arguments)


def _resolve(future: asyncio.Future[T], result: T | Exception) -> None:
    if future.done():  # its caller was cancelled
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
