"""The log of a conversation: numbers, cursors, wake-ups, commit before fan-out.

``ConversationLog`` is the one writer's end and every reader's end of one log.
``LogWriter`` commits the pending events of all logs in one store transaction and
only then shows them to readers: what anybody has seen survives a killed process.

While a commit is under way new events wait; adjacent deltas of a block that wait
together become one event. So grouping adapts by itself: one event per delta while
the store keeps up, fewer when it does not. ``grouping_delay_s`` adds a pause when
the event loop lags or the readers are many.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import weakref
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import msgspec

from streamchat_nb.conversation.compaction import Compaction
from streamchat_nb.conversation.delta_merge import merge_deltas
from streamchat_nb.conversation.message_texts import message_text
from streamchat_nb.conversation.snapshot import SnapshotParts, encode_parts
from streamchat_nb.conversation.state import Fold
from streamchat_nb.conversation.store import Append, StoredEvent
from streamchat_nb.conversation.tail import Tail
from streamchat_nb.errors import StoreError, UsageError
from streamchat_nb.protocol.codec import carriable, decode_event, encode
from streamchat_nb.protocol.events import (
    BlockDelta,
    ConversationUpdated,
    Event,
    TurnFinished,
    TurnQueued,
    TurnStarted,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamchat_nb.conversation.state import ConversationState
    from streamchat_nb.conversation.store import ConversationRecord, Store

__all__ = ["ConversationLog", "LogWriter", "grouping_delay_s"]

logger = logging.getLogger(__name__)

STREAMS = 16
"""How many reads are kept for readers at the same cursor."""
STREAM_BYTES = 65_536
"""The largest reads that are kept."""
PENDING_BYTES = 262_144
DELTA_BYTES = 131_072
"""The largest delta that those which wait become."""
ONE_LOG_ONLY = ("store_conflict", "store_invalid")
"""What is wrong with one log for good, and must not hold up the others."""
RETRY_FIRST_S = 0.1
RETRY_MOST_S = 5.0
LAG_THRESHOLD_S = 0.010
MANY_READERS = 50


@dataclass
class _Pending:
    """Events that commit together, and who waits for them."""

    events: list[Event]
    committed: asyncio.Future[int] | None
    rejectable: bool
    durable: bool
    size: int


@dataclass(eq=False)
class _Batch:
    """What one log puts into one transaction."""

    log: ConversationLog
    groups: list[_Pending]
    events: list[Event] = field(default_factory=list[Event])
    stored: list[StoredEvent] = field(default_factory=list[StoredEvent])
    open_turns: set[str] = field(default_factory=set[str])
    dropped: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])


def grouping_delay_s(*, lag_s: float, readers: int) -> float:
    """Return how long deltas may wait for company, in seconds.

    None while the loop keeps up and the readers are few; otherwise 16 ms, rising
    to 50 ms with the lag (a fixed window costs latency and saves nothing).
    """
    if lag_s < LAG_THRESHOLD_S and readers <= MANY_READERS:
        return 0.0
    return min(0.050, 0.016 + lag_s)


class ConversationLog:
    """One conversation's log.

    Made by ``LogWriter.create`` and ``LogWriter.load``. Not thread-safe: all calls
    on the event loop of its writer.

    Attributes:
        id: Id of the conversation.
        log: Identity of this log; another one after a lost store.
        owner: Principal it belongs to.
    """

    def __init__(self, record: ConversationRecord, writer: LogWriter) -> None:
        self.id = record.id
        self.log = record.log
        self.owner = record.owner
        self._writer = writer
        self._fold = Fold()
        self._pending: list[_Pending] = []
        self._pending_bytes = 0
        self._drained = asyncio.Event()
        self._drained.set()
        self._compaction = Compaction()
        self._tail = Tail()
        self._watchers: set[Callable[[], None]] = set()
        self._open_turns: set[str] = set()
        self._snapshot: Callable[[], SnapshotParts | None] = lambda: None
        # Of readers at the same cursor, by it and by the limits, at this head.
        self._streams: dict[tuple[int, int, int], list[StoredEvent]] = {}
        self._closed: StoreError | None = None

    # reading

    @property
    def head(self) -> int:
        """``seq`` of the last committed event."""
        return self._fold.seq

    @property
    def fold(self) -> Fold:
        """The fold of all committed events. Read-only for everybody else."""
        return self._fold

    @property
    def state(self) -> ConversationState:
        """The state at ``head``. Read-only."""
        return self._fold.state

    @property
    def readers(self) -> int:
        """How many watch this log."""
        return len(self._watchers)

    @property
    def idle(self) -> bool:
        """Nobody watches, all is committed and no turn is open."""
        return self._drained.is_set() and not (self._watchers or self._open_turns)

    def watch(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call ``wake`` after each commit; returns the function that ends it."""
        self._watchers.add(wake)
        return lambda: self._watchers.discard(wake)

    def snapshot(self, *, behind: int = 0) -> SnapshotParts:
        """Return a state, encoded, and its ``seq``: of one moment.

        All who hold it share it; so those who read slowly, and those who come at
        once, do not cost a state each.

        Args:
            behind: How many events one that somebody holds may be behind the head.
        """
        held = self._snapshot()
        if held is None or held.seq < self.head - behind:
            held = encode_parts(self.state)
            self._snapshot = weakref.ref(held)
        return held

    async def read(
        self, after: int, *, limit_events: int = 64, limit_bytes: int = 65_536
    ) -> list[StoredEvent]:
        """Return committed events after a ``seq``, from memory or else the store.

        At least one event if there is one; stops before a limit is exceeded.

        Raises:
            StoreError: The store could not be read.
        """
        if after >= self.head:
            return []
        if after < self._tail.after:
            events = await self._writer.store.read(
                self.id, after, limit_events=limit_events, limit_bytes=limit_bytes
            )
            committed = [event for event in events if event.seq <= self.head]
            if committed:
                return committed
            # What was between here and the tail has been dropped meanwhile.
        return self._tail.read(
            after, limit_events=limit_events, limit_bytes=limit_bytes
        )

    async def stream(
        self, after: int, *, limit_events: int = 64, limit_bytes: int = 65_536
    ) -> list[StoredEvent]:
        """Return committed events after a cursor as a reader at that cursor gets them.

        As ``read``, with adjacent deltas joined and ``prev`` fitting. All readers at
        one cursor share the result, so that each event is encoded once for them; do
        not change it.

        Raises:
            StoreError: The store could not be read.
        """
        key = (after, limit_events, limit_bytes)
        if (shared := self._streams.get(key)) is not None:
            return shared
        head = self.head
        events = await self.read(
            after, limit_events=limit_events, limit_bytes=limit_bytes
        )
        merged = merge_deltas(events, after)
        if merged and self.head == head and limit_bytes <= STREAM_BYTES:
            self._streams[key] = merged
            if len(self._streams) > STREAMS:
                del self._streams[next(iter(self._streams))]
        return merged

    # writing

    def append(
        self, *events: Event, durable: bool = False, rejectable: bool = False
    ) -> asyncio.Future[int]:
        """Append events, all or none; returns a future of the last one's ``seq``.

        The order of calls is the order in the log. The future need not be awaited.

        Args:
            events: Without envelope; ``turn`` is kept.
            durable: Survive power loss, not only a killed process.
            rejectable: A store failure refuses these events (the future raises
                ``StoreError``) instead of trying again until they are written.

        Raises:
            TypeError: An event has a value that is not JSON.
        """
        if not events:
            raise UsageError("append needs at least one event")
        committed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if self._closed is not None:
            committed.set_exception(self._closed)
            committed.exception()
            return committed
        size = sum(_size_of(event) for event in events)
        # Checked here: what cannot be encoded must fail its author, not the writer.
        stamped = [self._writer.stamp(self.id, carriable(event)) for event in events]
        self._pending.append(_Pending(stamped, committed, rejectable, durable, size))
        self._grow(size, urgent=True)
        return committed

    def append_delta(self, delta: BlockDelta) -> None:
        """Append a delta; joined with the one before it if both still wait."""
        if self._closed is not None:
            return
        delta = cast("BlockDelta", carriable(delta))
        last = self._pending[-1] if self._pending else None
        size = len(delta.delta) + 64
        if (
            last is not None
            and last.committed is None
            and isinstance(previous := last.events[-1], BlockDelta)
            and previous.message == delta.message
            and previous.block == delta.block
            and last.size < DELTA_BYTES
        ):
            last.events[-1] = msgspec.structs.replace(
                previous, delta=previous.delta + delta.delta
            )
            last.size += len(delta.delta)
            self._grow(len(delta.delta), urgent=False)
            return
        event = self._writer.stamp(self.id, delta)
        self._pending.append(_Pending([event], None, False, False, size))
        self._grow(size, urgent=False)

    async def flushed(self) -> None:
        """Wait until everything appended so far is committed.

        Raises:
            StoreError: The log was closed because of a store that went wrong.
        """
        if self._closed is None and not self._drained.is_set():
            await self._drained.wait()
        if self._closed is not None:
            raise self._closed

    async def room(self) -> None:
        """Wait while more than 256 KiB wait to be committed (back-pressure)."""
        if self._pending_bytes > PENDING_BYTES:
            await self.flushed()

    def _grow(self, size: int, *, urgent: bool) -> None:
        self._pending_bytes += size
        self._drained.clear()
        self._writer.mark(self, urgent=urgent)

    # for the writer

    def take_batch(self) -> _Batch:
        """Number and encode what is pending; nothing is shown yet."""
        batch = _Batch(self, self._pending, open_turns=set(self._open_turns))
        self._pending = []
        seq = self.head
        for group in batch.groups:
            for event in group.events:
                numbered = msgspec.structs.replace(event, seq=seq + 1, prev=seq)
                seq += 1
                batch.events.append(numbered)
                batch.stored.append(StoredEvent(seq, encode(numbered)))
                _count_turns(batch.open_turns, numbered)
        if any(isinstance(event, TurnFinished) for event in batch.events):
            batch.dropped = self._compaction.with_events(batch.events)
        return batch

    def publish(self, batch: _Batch) -> None:
        """Show committed events: fold, tail, futures, wake-ups."""
        for event in batch.events:
            self._fold.apply(event)
            self._compaction.observe(event)
        if batch.dropped:
            self._compaction.clear()
        self._tail.extend(batch.stored)
        self._open_turns = batch.open_turns
        self._streams.clear()
        seq = self.head - len(batch.events)
        for group in batch.groups:
            seq += len(group.events)
            if group.committed is not None and not group.committed.done():
                group.committed.set_result(seq)
        self._settle()
        for wake in tuple(self._watchers):
            wake()

    def put_back(self, batch: _Batch, error: StoreError) -> None:
        """Take a failed batch back: refuse what may be refused, keep the rest."""
        kept: list[_Pending] = []
        for group in batch.groups:
            if group.rejectable or self._closed is not None:
                _refuse(group, self._closed or error)
            else:
                kept.append(group)
        self._pending = kept + self._pending
        self._settle()

    def close(self, error: StoreError) -> None:
        """Refuse all writes from now on; what waits fails with ``error``."""
        self._closed = error
        for group in self._pending:
            _refuse(group, error)
        self._pending = []
        self._settle()
        for wake in tuple(self._watchers):
            wake()

    @property
    def closed(self) -> StoreError | None:
        """Why the log takes no more events, if it does not."""
        return self._closed

    @property
    def has_pending(self) -> bool:
        """Whether something waits to be committed."""
        return bool(self._pending)

    def restore(self, events: list[StoredEvent]) -> None:
        """Fold stored events while loading."""
        for stored in events:
            event = decode_event(stored.data)
            self._fold.apply(event)
            self._compaction.observe(event)
            _count_turns(self._open_turns, event)
        self._tail.extend(events)

    def _settle(self) -> None:
        self._pending_bytes = sum(group.size for group in self._pending)
        if not self._pending:
            self._drained.set()


class LogWriter:
    """Commits the pending events of all logs, many in one transaction.

    One per process and store. ``start`` and ``stop`` on the event loop.

    Args:
        store: An open store.
        wall_clock_ms: Milliseconds since the epoch, for ``ts``.

    Attributes:
        store: The store.
        failure: The store's last error while it cannot write, else ``None``.
    """

    def __init__(
        self,
        store: Store,
        *,
        wall_clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.store = store
        self.failure: StoreError | None = None
        self._wall_clock_ms = wall_clock_ms
        self._dirty: dict[str, ConversationLog] = {}
        self._wake = asyncio.Event()
        self._urgent = asyncio.Event()
        self._marked_at = 0.0
        self._lag_s = 0.0
        self._at_store: list[_Batch] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def is_retrying(self) -> bool:
        """Whether events wait that could not be written so far."""
        return self.failure is not None and bool(self._dirty or self._at_store)

    def start(self) -> None:
        """Begin to commit."""
        self._task = asyncio.get_running_loop().create_task(
            self._run(), name="streamchat log writer"
        )

    async def stop(self, *, timeout_s: float = 5.0) -> None:
        """Commit what is pending, for at most ``timeout_s``, and end. Idempotent.

        What is not committed by then waits in its log until that is closed; it may
        have been written all the same when the store did not answer.
        """
        if self._task is None:
            return
        logs = {*self._dirty.values(), *(batch.log for batch in self._at_store)}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await asyncio.gather(
                    *(log.flushed() for log in logs), return_exceptions=True
                )
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._task = None
        for batch in self._at_store:
            batch.log.put_back(batch, _not_written())
        self._at_store = []

    async def create(
        self, record: ConversationRecord, *events: Event
    ) -> ConversationLog:
        """Write a new conversation's first events, durably; return its log.

        Raises:
            StoreError: The store could not write; nothing was created.
        """
        log = ConversationLog(record, self)
        stored: list[StoredEvent] = []
        for seq, event in enumerate(events, start=1):
            numbered = msgspec.structs.replace(
                self.stamp(record.id, event), seq=seq, prev=seq - 1
            )
            stored.append(StoredEvent(seq, encode(numbered)))
        await self.store.create(replace(record, head=len(stored)), stored)
        log.restore(stored)
        return log

    async def load(self, record: ConversationRecord) -> ConversationLog:
        """Read a conversation's log from the store.

        Raises:
            StoreError: The store could not be read.
        """
        log = ConversationLog(record, self)
        while events := await self.store.read(record.id, log.head):
            log.restore(events)
        return log

    def stamp(self, conversation: str, event: Event) -> Event:
        """Return the event with conversation and wall clock filled in."""
        return msgspec.structs.replace(
            event, conversation=conversation, ts=self._wall_clock_ms()
        )

    def mark(self, log: ConversationLog, *, urgent: bool) -> None:
        """Note that a log has something to commit."""
        if not self._dirty:
            self._marked_at = time.monotonic()
        self._dirty[log.id] = log
        self._wake.set()
        if urgent:
            self._urgent.set()

    async def _run(self) -> None:
        retry_s = RETRY_FIRST_S
        while True:
            await self._wake.wait()
            await self._wait_for_company()
            self._wake.clear()
            self._urgent.clear()
            batches = [
                log.take_batch() for log in self._dirty.values() if log.has_pending
            ]
            self._dirty.clear()
            if not batches:
                continue
            self._at_store = list(batches)
            if await self._commit(batches):
                retry_s = RETRY_FIRST_S
            else:
                await asyncio.sleep(retry_s)
                retry_s = min(RETRY_MOST_S, retry_s * 2)

    async def _wait_for_company(self) -> None:
        self._lag_s = 0.7 * self._lag_s + 0.3 * (time.monotonic() - self._marked_at)
        readers = max((log.readers for log in self._dirty.values()), default=0)
        delay_s = grouping_delay_s(lag_s=self._lag_s, readers=readers)
        if delay_s == 0 or self._urgent.is_set():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await self._urgent.wait()

    async def _commit(self, batches: list[_Batch]) -> bool:
        try:
            await self.store.append([self._append_of(batch) for batch in batches])
        except StoreError as error:
            if len(batches) > 1 and error.code in ONE_LOG_ONLY:
                return all([await self._commit([batch]) for batch in batches])
            self._take_back(batches, error)
            return error.code in ONE_LOG_ONLY
        if self.failure is not None:
            logger.warning("The store writes again.")
            self.failure = None
        for batch in batches:
            self._at_store.remove(batch)
            batch.log.publish(batch)
        return True

    def _take_back(self, batches: list[_Batch], error: StoreError) -> None:
        if self.failure is None:
            logger.error("The store cannot write: %s", error.message)
        for batch in batches:
            self._at_store.remove(batch)
            batch.log.put_back(batch, error)
            if error.code in ONE_LOG_ONLY:
                batch.log.close(error)
            elif batch.log.has_pending:
                self.mark(batch.log, urgent=True)
        if error.code not in ONE_LOG_ONLY:
            self.failure = error

    def _append_of(self, batch: _Batch) -> Append:
        title = None
        for event in batch.events:
            if isinstance(event, ConversationUpdated) and event.title is not None:
                title = event.title
        return Append(
            conversation=batch.log.id,
            events=batch.stored,
            durable=any(group.durable for group in batch.groups),
            title=title,
            updated_ms=batch.events[-1].ts,
            open_turns=len(batch.open_turns),
            dropped=batch.dropped,
            texts=[text for text in map(message_text, batch.events) if text],
        )


def _count_turns(open_turns: set[str], event: object) -> None:
    match event:
        case TurnQueued(turn=str(turn)) | TurnStarted(turn=str(turn)):
            open_turns.add(turn)
        case TurnFinished(turn=str(turn)):
            open_turns.discard(turn)
        case _:
            pass


def _refuse(group: _Pending, error: StoreError) -> None:
    if group.committed is not None and not group.committed.done():
        group.committed.set_exception(error)
        group.committed.exception()  # it need not be awaited


def _not_written() -> StoreError:
    return StoreError("The server stopped before this was written.", retryable=True)


def _size_of(event: Event) -> int:
    return len(event.delta) + 64 if isinstance(event, BlockDelta) else 512
