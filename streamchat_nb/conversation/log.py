"""The log of a conversation: numbers, cursors, wake-ups, commit before fan-out.

``ConversationLog`` is the one writer's end and every reader's end of one log.
``LogWriter`` commits the pending events of all logs together and only then shows
them to readers: what anybody has seen survives a killed process.

Most events, deltas above all, the store takes at once: a delta that comes alone where
it comes, what comes together in the turn of the loop after that. What must survive a
loss of power is forced to the disk after it is shown, and before its author is told so.
Other events are a task's, which waits for the store; what comes to their logs meanwhile
waits for them.
Adjacent deltas of a block that wait together become one event. So grouping adapts by
itself: one event per delta while the store keeps up, fewer when it does not.
``Grouping`` adds a pause when the readers are many, and ``WakeUps`` gives the loop its
turns while they are told.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from streamchat_nb.conversation.batch import Batch, Pending, count_turns
from streamchat_nb.conversation.compaction import Compaction
from streamchat_nb.conversation.delta_merge import joined_deltas, merge_deltas
from streamchat_nb.conversation.grouping import Grouping
from streamchat_nb.conversation.snapshot import SnapshotParts, encode_parts
from streamchat_nb.conversation.state import Fold
from streamchat_nb.conversation.store import StoredEvent
from streamchat_nb.conversation.tail import Tail
from streamchat_nb.conversation.wake_ups import WakeUps
from streamchat_nb.errors import StoreError, UsageError
from streamchat_nb.protocol.codec import carriable, decode_event, encode
from streamchat_nb.protocol.events import BlockDelta, Event, UnknownEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamchat_nb.conversation.state import ConversationState
    from streamchat_nb.conversation.store import ConversationRecord, Store

__all__ = ["ConversationLog", "LogWriter"]

logger = logging.getLogger(__name__)

READ_EVENTS = 64
READ_BYTES = 65_536
"""The largest reads that are kept."""
STREAMS = 16
"""How many reads are kept for readers at the same cursor."""
PENDING_BYTES = 262_144
DELTA_BYTES = 131_072
"""The largest delta that those which wait become."""
UNFOLDED = 64
"""So many deltas wait to be folded, if nobody asks."""
ONE_LOG_ONLY = ("store_conflict", "store_invalid")
"""What is wrong with one log for good, and must not hold up the others."""
FORCE_LATER_S = 0.002
"""How much later the disk is asked for what others go on with once it is shown: the
thread that asks it, and who is told then, take time that the first word can use."""
RETRY_FIRST_S = 0.1
RETRY_MOST_S = 5.0


class ConversationLog:
    """One conversation's log.

    Made by ``LogWriter.create`` and ``LogWriter.load``. Not thread-safe: all calls
    on the event loop of its writer.

    Attributes:
        id: Id of the conversation.
        log: Identity of this log; another one after a lost store.
        owner: Principal it belongs to.
        head: ``seq`` of the last committed event.
        closed: Why the log takes no more events, if it does not.
    """

    def __init__(self, record: ConversationRecord, writer: LogWriter) -> None:
        self.id = record.id
        self.log = record.log
        self.owner = record.owner
        self._writer = writer
        self._fold = Fold()
        self._pending: list[Pending] = []
        self._pending_bytes = 0
        self._drained: asyncio.Event | None = None  # while somebody waits for it
        self._compaction = Compaction()
        # Committed deltas that nobody has asked the fold for.
        self._unfolded: list[BlockDelta] = []
        self._tail = Tail()
        self._watchers: set[Callable[[], None]] = set()
        self._open_turns: set[str] = set()
        self._snapshot: Callable[[], SnapshotParts | None] = lambda: None
        # Of readers at the same cursor, by it and by the limits, at this head.
        self._streams: dict[tuple[int, int, int], list[StoredEvent]] = {}
        self.head = 0
        self.closed: StoreError | None = None

    # reading

    @property
    def fold(self) -> Fold:
        """The fold of all committed events. Read-only for everybody else.

        One that is kept lacks the newest deltas, and nothing else.
        """
        self._fold_deltas()
        return self._fold

    @property
    def state(self) -> ConversationState:
        """The state at ``head``. Read-only."""
        return self.fold.state

    @property
    def readers(self) -> int:
        """How many watch this log."""
        return len(self._watchers)

    @property
    def idle(self) -> bool:
        """Nobody watches, all is committed and no turn is open."""
        return not (self._pending_bytes or self._watchers or self._open_turns)

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
        self,
        after: int,
        *,
        limit_events: int = READ_EVENTS,
        limit_bytes: int = READ_BYTES,
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
        self,
        after: int,
        *,
        limit_events: int = READ_EVENTS,
        limit_bytes: int = READ_BYTES,
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
        if self.head == head:
            self._share(key, merged)
        return merged

    def fresh(self, after: int) -> list[StoredEvent] | None:
        """Return what ``stream`` does, or ``None`` where that takes the store."""
        if after == self.head - 1:
            return self._tail.newest  # as mostly
        if after >= self.head:
            return []
        key = (after, READ_EVENTS, READ_BYTES)
        if (shared := self._streams.get(key)) is not None:
            return shared
        if after < self._tail.after:
            return None
        events = self._tail.read(
            after, limit_events=READ_EVENTS, limit_bytes=READ_BYTES
        )
        merged = merge_deltas(events, after)
        self._share(key, merged)
        return merged

    def _share(self, key: tuple[int, int, int], merged: list[StoredEvent]) -> None:
        """Keep a read at this head for the next reader at its cursor."""
        if merged and key[2] <= READ_BYTES:
            self._streams[key] = merged
            if len(self._streams) > STREAMS:
                del self._streams[next(iter(self._streams))]

    # writing

    def append(
        self,
        *events: Event,
        durable: bool = False,
        rejectable: bool = False,
        shown: Callable[[], None] | None = None,
    ) -> asyncio.Future[int]:
        """Append events, all or none; returns a future of the last one's ``seq``.

        The order of calls is the order in the log. The future need not be awaited.

        Args:
            events: Without envelope; ``turn`` is kept.
            durable: The future waits until they survive a loss of power, too, and not
                only the end of the process, which all do that are shown.
            rejectable: A store failure refuses these events (the future raises
                ``StoreError``) instead of trying again until they are written. Once
                they are shown they are not refused any more.
            shown: Called once when they are in the log and its state; not when refused.
                What it begins goes before the disk is asked for what is ``durable``.

        Raises:
            TypeError: An event has a value that is not JSON.
        """
        if not events:
            raise UsageError("append needs at least one event")
        committed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if self.closed is not None:
            committed.set_exception(self.closed)
            committed.exception()
            return committed
        size = sum(_size_of(event) for event in events)
        # Checked here: what cannot be encoded must fail its author, not the writer.
        checked = [carriable(event) for event in events]
        ts = self._writer.now_ms()
        self._pending.append(
            Pending(checked, ts, committed, rejectable, durable, size, shown=shown)
        )
        self._pending_bytes += size
        self._writer.mark(self, readers=len(self._watchers), urgent=True)
        return committed

    def append_delta(self, delta: BlockDelta) -> None:
        """Append a delta; joined with the one before it if both still wait.

        It may be committed and shown by this: one that comes alone is.
        """
        if self.closed is not None:
            return
        last = self._pending[-1] if self._pending else None
        if (
            last is not None
            and last.committed is None
            and isinstance(previous := last.events[-1], BlockDelta)
            and previous.message == delta.message
            and previous.block == delta.block
            and last.size < DELTA_BYTES
        ):
            # What it joins is marked already.
            size = len(delta.delta)
            last.more.append(delta.delta)
            last.size += size
            self._pending_bytes += size
            return
        size = len(delta.delta) + 64
        ts = self._writer.now_ms()
        self._pending.append(Pending([delta], ts, None, False, False, size))
        self._pending_bytes += size
        self._writer.mark(self, readers=len(self._watchers), urgent=False)

    async def flushed(self) -> None:
        """Wait until everything appended so far is committed.

        Raises:
            StoreError: The log was closed because of a store that went wrong.
        """
        if self.closed is None and self._pending_bytes:
            if self._pending:
                self._writer.mark(self, readers=len(self._watchers), urgent=True)
            if self._drained is None:
                self._drained = asyncio.Event()
            await self._drained.wait()
        if self.closed is not None:
            raise self.closed

    async def room(self) -> None:
        """Wait while more than 256 KiB wait to be committed (back-pressure)."""
        if self._pending_bytes > PENDING_BYTES:
            await self.flushed()

    # for the writer

    def take_batch(self) -> Batch:
        """Number and encode what is pending; nothing is shown yet."""
        groups, self._pending = self._pending, []
        seq, ts, turns = self.head, groups[-1].ts, self._open_turns
        batch = Batch(conversation=self.id, groups=groups, updated_ms=ts, turns=turns)
        batch.open_turns = len(turns)
        for group in groups:
            if group.more:
                group.join()
            for event in group.events:
                seq += 1
                batch.add(event, seq=seq, ts=group.ts)
            if group.committed is not None:
                batch.durable |= group.durable
                batch.waited_for.append((group, group.committed, seq))
        if batch.ends_something:
            self._fold_deltas()
            batch.dropped = self._compaction.with_events(batch.numbered)
        return batch

    def publish(self, batch: Batch) -> None:
        """Show committed events to those who follow; ``settle`` comes right after."""
        self.head = batch.events[-1].seq
        self._tail.extend(batch.events)
        self._streams.clear()
        self._writer.wake(self._watchers)

    def settle(self, batch: Batch, *, is_forced: bool) -> bool:
        """Fold what was published, and tell who waits for it.

        Args:
            batch: What was published.
            is_forced: Whether what is durable of it has been forced to the disk.

        Returns:
            Whether something else waits to be committed.
        """
        for event in batch.numbered:
            if isinstance(event, BlockDelta):
                self._unfolded.append(event)
            else:
                self._fold_deltas()
                self._fold_in(event)
        if len(self._unfolded) > UNFOLDED:
            self._fold_deltas()
        if batch.dropped:
            self._compaction.clear()
        self._open_turns = batch.turns
        for group, committed, seq in batch.waited_for:
            if group.durable and not is_forced:
                has_time = group.shown is not None
                self._writer.force(committed, seq, has_time=has_time)
            elif not committed.done():
                committed.set_result(seq)
        return self._settle()

    def put_back(self, batch: Batch, error: StoreError) -> None:
        """Take a failed batch back: refuse what may be refused, keep the rest."""
        kept: list[Pending] = []
        for group in batch.groups:
            if group.rejectable or self.closed is not None:
                _refuse(group, self.closed or error)
            else:
                kept.append(group)
        self._pending = kept + self._pending
        self._settle()

    def close(self, error: StoreError) -> None:
        """Refuse all writes from now on; what waits fails with ``error``."""
        self.closed = error
        for group in self._pending:
            _refuse(group, error)
        self._pending = []
        self._settle()
        for wake in tuple(self._watchers):
            wake()

    @property
    def has_pending(self) -> bool:
        """Whether something waits to be committed."""
        return bool(self._pending)

    def restore(self, events: list[StoredEvent]) -> None:
        """Fold stored events while loading."""
        for stored in events:
            event = decode_event(stored.data)
            self._fold_in(event)
            count_turns(self._open_turns, event)
        self.head = self._fold.seq
        self._tail.extend(events)

    def _fold_deltas(self) -> None:
        """Fold what was kept for it: as one, the cheaper for each."""
        if self._unfolded:
            unfolded, self._unfolded = self._unfolded, []
            for delta in joined_deltas(unfolded):
                self._fold_in(delta)

    def _fold_in(self, event: Event | UnknownEvent) -> None:
        self._fold.apply(event)
        self._compaction.observe(event)

    def _settle(self) -> bool:
        """Note whether anything waits, after a batch has come back from the store."""
        if self._pending:
            self._pending_bytes = sum(group.size for group in self._pending)
            return True
        self._pending_bytes = 0
        if self._drained is not None:
            self._drained.set()
            self._drained = None
        return False


class LogWriter:
    """Commits the pending events of all logs, many in one transaction.

    One per process and store. ``start`` and ``stop`` on the event loop.

    Args:
        store: An open store.
        wall_clock_ms: Milliseconds since the epoch, for ``ts``.

    Attributes:
        store: The store.
        now_ms: The wall clock.
        mark: Notes that a log has something to commit; see ``Grouping.mark``.
        wake: Notes which readers to wake once all that is committed is shown.
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
        self.now_ms = wall_clock_ms
        self._grouping: Grouping[ConversationLog] = Grouping(self._commit_now)
        self._wake_ups = WakeUps()
        self.mark, self.wake = self._grouping.mark, self._wake_ups.add
        self._at_store: dict[ConversationLog, Batch] = {}
        # Of these, what the task has not begun to write.
        self._left: dict[ConversationLog, Batch] = {}
        self._has_left = asyncio.Event()
        # What could not be written, and waits for the task's next attempt.
        self._put_back: dict[ConversationLog, None] = {}
        # Who waits for what is shown to be forced to the disk, with its ``seq``.
        self._unforced: list[tuple[asyncio.Future[int], int]] = []
        self._has_unforced = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def is_retrying(self) -> bool:
        """Whether events wait that could not be written so far."""
        waiting = self._grouping or self._at_store or self._put_back or self._unforced
        return self.failure is not None and bool(waiting)

    def start(self) -> None:
        """Begin to commit."""
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._run(), name="streamchat log writer"),
            loop.create_task(self._run_forcing(), name="streamchat log forces to disk"),
        ]

    async def stop(self, *, timeout_s: float = 5.0) -> None:
        """Commit what is pending, for at most ``timeout_s``, and end. Idempotent.

        What is not committed by then waits in its log until that is closed; it may
        have been written all the same when the store did not answer.
        """
        if not self._tasks:
            return
        logs = {*self._grouping, *self._at_store, *self._put_back}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await asyncio.gather(
                    *(log.flushed() for log in logs), return_exceptions=True
                )
                if unforced := [committed for committed, _ in self._unforced]:
                    await asyncio.wait(unforced)
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        self._tasks = []
        for committed, _ in self._unforced:
            _fail(committed, _not_written())
        self._unforced.clear()
        self._grouping.stop()
        for log, batch in self._at_store.items():
            log.put_back(batch, _not_written())
        self._at_store.clear()
        self._left.clear()

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
                event,
                conversation=record.id,
                ts=self.now_ms(),
                seq=seq,
                prev=seq - 1,
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

    def force(
        self, committed: asyncio.Future[int], seq: int, *, has_time: bool
    ) -> None:
        """Settle a future once what is shown by now is forced to the disk.

        Args:
            committed: The future.
            seq: Its result.
            has_time: Whether what its events have begun shall go first.
        """
        self._unforced.append((committed, seq))
        if has_time:
            loop = asyncio.get_running_loop()
            loop.call_later(FORCE_LATER_S, self._has_unforced.set)
        else:
            self._has_unforced.set()

    def _commit_now(self, logs: list[ConversationLog]) -> None:
        """Commit what the store takes at once; leave the rest to the task."""
        plain: dict[ConversationLog, Batch] = {}
        for log in logs:
            # What comes to a log whose events wait already waits for them.
            if log in self._at_store or log in self._put_back or not log.has_pending:
                continue
            batch = log.take_batch()
            if batch.is_plain:
                plain[log] = batch
            else:
                self._leave_to_task(log, batch)
        try:
            is_written = bool(plain) and self.store.append_now([*plain.values()])
        except StoreError:
            is_written = False  # the task finds out which of them is at fault
        if is_written:
            self._show(plain, is_forced=False)
            return
        for log, batch in plain.items():
            self._leave_to_task(log, batch)

    def _leave_to_task(self, log: ConversationLog, batch: Batch) -> None:
        self._at_store[log] = self._left[log] = batch
        self._has_left.set()

    async def _run(self) -> None:
        retry_s = RETRY_FIRST_S
        while True:
            await self._has_left.wait()
            self._has_left.clear()
            for log in self._put_back:
                if log.has_pending:
                    self._leave_to_task(log, log.take_batch())
            self._put_back.clear()
            batches, self._left = self._left, {}
            if not batches or await self._commit(batches):
                retry_s = RETRY_FIRST_S
            else:
                await asyncio.sleep(retry_s)
                retry_s = min(RETRY_MOST_S, retry_s * 2)

    async def _commit(self, batches: dict[ConversationLog, Batch]) -> bool:
        try:
            await self.store.append([*batches.values()])
        except StoreError as error:
            if len(batches) > 1 and error.code in ONE_LOG_ONLY:
                return all([await self._commit({log: batches[log]}) for log in batches])
            self._take_back(batches, error)
            return error.code in ONE_LOG_ONLY
        self._note_failure(None)
        for log in batches:
            del self._at_store[log]
        self._show(batches, is_forced=True)
        return True

    async def _run_forcing(self) -> None:
        has_failed, retry_s = False, RETRY_FIRST_S
        while True:
            await self._has_unforced.wait()
            self._has_unforced.clear()
            count = len(self._unforced)
            try:
                await self.store.sync()
            except StoreError as error:
                has_failed = True
                self._note_failure(error)
                self._has_unforced.set()
                await asyncio.sleep(retry_s)
                retry_s = min(RETRY_MOST_S, retry_s * 2)
                continue
            if has_failed:  # else the failure, if there is one, is another one's
                has_failed, retry_s = False, RETRY_FIRST_S
                self._note_failure(None)
            for committed, seq in self._unforced[:count]:
                if not committed.done():
                    committed.set_result(seq)
            del self._unforced[:count]

    def _note_failure(self, failure: StoreError | None) -> None:
        if failure is not None and self.failure is None:
            logger.error("The store cannot write: %s", failure.message)
        if failure is None and self.failure is not None:
            logger.warning("The store writes again.")
        self.failure = failure

    def _show(self, batches: dict[ConversationLog, Batch], *, is_forced: bool) -> None:
        """Show what is committed, and see to what came meanwhile.

        Readers are told first: they see nothing of what is done for others.
        """
        for log, batch in batches.items():
            log.publish(batch)
        self._wake_ups.run()
        for log, batch in batches.items():
            if log.settle(batch, is_forced=is_forced):
                self.mark(log, readers=log.readers, urgent=False)
        for batch in batches.values():
            for group, _, _ in batch.waited_for:
                if group.shown is not None:
                    group.shown()

    def _take_back(
        self, batches: dict[ConversationLog, Batch], error: StoreError
    ) -> None:
        if error.code in ONE_LOG_ONLY:
            logger.error("The store cannot write: %s", error.message)
        else:
            self._note_failure(error)
        for log, batch in batches.items():
            del self._at_store[log]
            log.put_back(batch, error)
            if error.code in ONE_LOG_ONLY:
                log.close(error)
            elif log.has_pending:
                self._put_back[log] = None
                self._has_left.set()


def _refuse(group: Pending, error: StoreError) -> None:
    if group.committed is not None:
        _fail(group.committed, error)


def _fail(committed: asyncio.Future[int], error: StoreError) -> None:
    if not committed.done():
        committed.set_exception(error)
        committed.exception()  # it need not be awaited


def _not_written() -> StoreError:
    return StoreError("The server stopped before this was written.", retryable=True)


def _size_of(event: Event) -> int:
    return len(event.delta) + 64 if isinstance(event, BlockDelta) else 512
