"""Delivery: one connection's reading of the logs, from cursors to frames.

The one path of history, live view, late join and reconnect. A ``Delivery`` has one
sender task; a slow reader holds back nobody but itself, because nothing is queued
for it: events, snapshots and who is there are read when its socket has room. What
is queued, the answers to its commands, is bounded in bytes; so a connection holds
1 MiB at most, whatever its peer asks for and does not read.

A reader that has everything and whose socket has room is written to as soon as
something is committed; its task is not woken for that.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

import msgspec

from streamchat_nb.errors import StoreError
from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.frames import Live, Snapshot, Subscribed, Unsubscribed

if TYPE_CHECKING:
    from streamchat_nb.conversation.log import ConversationLog
    from streamchat_nb.protocol.commands import CommandId, Cursor
    from streamchat_nb.protocol.frames import Frame

__all__ = ["Delivery", "Outlet", "Plan", "plan_delivery"]

FEW_EVENTS = 64
"""Whatever their size, so many events may be replayed."""
REPLAY_EVENTS = 2_000
REPLAY_BYTES = 1_048_576
SNAPSHOT_BEHIND_EVENTS = 512
CONTROL_BYTES = 786_432

Join = Callable[[str, Callable[[bytes], None]], Callable[[], None]]
"""Joins those who follow a conversation: takes its id and what to tell an encoded
``presence`` frame, returns what leaves it again."""


class Outlet(Protocol):
    """The end of one connection to which a ``Delivery`` writes."""

    def write(self, data: bytes) -> bool:
        """Write one encoded frame; return whether the socket took it at once.

        It has to be ``taken`` before the next one is written.

        Raises:
            ConnectionError: The peer is gone.
        """
        ...

    async def taken(self) -> None:
        """Wait until the socket took what was written. Safe to cancel.

        Raises:
            ConnectionError: The peer is gone, or reads nothing.
        """
        ...


@dataclass(frozen=True)
class Plan:
    """How a subscription begins.

    Attributes:
        replay_after: Replay the events after this ``seq``; ``None``: snapshot.
        reason: Why a snapshot is sent, as in ``subscribed``.
    """

    replay_after: int | None
    reason: str | None = None


async def plan_delivery(log: ConversationLog, since: Cursor | None) -> Plan:
    """Choose between replay and snapshot, by the rules of the protocol page.

    Raises:
        StoreError: The log could not be read.
    """
    if since is None:
        return Plan(None, "new")
    if since.log != log.log:
        return Plan(None, "log_changed")
    if since.seq > log.head or since.seq < 0:
        return Plan(None, "beyond_head")
    backlog = log.head - since.seq
    if backlog > REPLAY_EVENTS:
        return Plan(None, "backlog")
    if backlog > FEW_EVENTS:
        events = await log.read(
            since.seq, limit_events=REPLAY_EVENTS, limit_bytes=REPLAY_BYTES
        )
        if events and events[-1].seq < since.seq + backlog:
            return Plan(None, "backlog")
    return Plan(since.seq)


@dataclass(eq=False, slots=True)
class _Subscription:
    """One conversation that a connection follows, until it ``is_over``.

    ``cursor`` is ``None`` until its snapshot is begun.
    """

    log: ConversationLog
    cursor: int | None
    is_over: bool = False
    live_announced: bool = False
    presence: bytes | None = None
    ends: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])


class Delivery:
    """Sends frames and events to one connection, in order.

    Args:
        outlet: Where to.
        join: Joins those who follow a conversation; ``None`` for a reader that is
            not shown and not told who is there.
    """

    def __init__(self, outlet: Outlet, join: Join | None = None) -> None:
        self._outlet = outlet
        self._join = join
        self._control: deque[bytes] = deque()
        self._control_bytes = 0
        self._subscriptions: dict[str, _Subscription] = {}
        self._wake = asyncio.Event()
        self._rest = asyncio.Event()
        # At rest and not woken: nothing of this is under way or waits.
        self._is_idle = False
        self._closed = False

    @property
    def heads(self) -> dict[str, int]:
        """The head of each subscribed conversation."""
        return {id_: sub.log.head for id_, sub in self._subscriptions.items()}

    def __contains__(self, conversation: str) -> bool:
        return conversation in self._subscriptions

    def __len__(self) -> int:
        return len(self._subscriptions)

    def send(self, frame: Frame) -> None:
        """Queue a frame, after those queued before it.

        Raises:
            ConnectionAbortedError: The peer asks more than it reads; cut it off.
        """
        data = encode(frame)
        if self._control_bytes + len(data) > CONTROL_BYTES:
            raise ConnectionAbortedError
        self._control.append(data)
        self._control_bytes += len(data)
        self._wake_up()

    async def subscribe(
        self, re: CommandId, log: ConversationLog, since: Cursor | None
    ) -> None:
        """Begin (again) to deliver a log, by replay or by snapshot.

        It takes the place of what was delivered of this log, at whatever point that
        was. Does nothing once this is closed.

        Raises:
            StoreError: The log could not be read; nothing changed.
            ConnectionAbortedError: See ``send``.
        """
        plan = await plan_delivery(log, since)
        if self._closed:
            return
        self.unsubscribe(log.id)
        subscription = _Subscription(log, plan.replay_after)
        self._subscriptions[log.id] = subscription
        subscription.ends.append(log.watch(partial(self._go_on, subscription)))
        if self._join is not None:

            def tell(presence: bytes) -> None:
                subscription.presence = presence
                self._wake_up()

            subscription.ends.append(self._join(log.id, tell))
        self.send(
            Subscribed(
                re=re,
                conversation=log.id,
                log=log.log,
                mode="snapshot" if plan.replay_after is None else "replay",
                head=log.head,
                from_=plan.replay_after,
                reason=plan.reason,  # pyright: ignore[reportArgumentType]
            )
        )

    def unsubscribe(self, conversation: str) -> None:
        """Stop delivering a conversation, if it was delivered."""
        subscription = self._subscriptions.pop(conversation, None)
        if subscription is not None:
            subscription.is_over = True
            for end in subscription.ends:
                end()

    def close(self) -> None:
        """End all subscriptions and begin none. Idempotent."""
        self._closed = True
        for conversation in tuple(self._subscriptions):
            self.unsubscribe(conversation)

    async def drain(self) -> None:
        """Write the frames queued so far; for the last words before a close."""
        while self._control:
            self._busy()
            data = self._control.popleft()
            self._control_bytes -= len(data)
            await self._write(data)

    async def caught_up(self) -> None:
        """Wait until ``run`` has written all that there is to write now."""
        self._busy()
        self._wake_up()
        await self._rest.wait()

    async def run(self) -> None:
        """Send until cancelled or until the peer is gone.

        Raises:
            ConnectionError: From the outlet, or see ``send``.
            StoreError: A log could not be read.
        """
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                self._busy()
                await self._outlet.taken()
                while await self._send_next():
                    pass
                if not self._wake.is_set():
                    self._rest.set()
                    self._is_idle = True
        finally:
            self._busy()

    def _wake_up(self) -> None:
        self._is_idle = False
        self._wake.set()

    def _busy(self) -> None:
        self._is_idle = False
        self._rest.clear()

    async def _send_next(self) -> bool:
        """Send the next of everything; return whether there was any of it."""
        await self.drain()
        progressed = False
        for subscription in tuple(self._subscriptions.values()):
            progressed |= await self._advance(subscription)
        if progressed:
            await asyncio.sleep(0)  # others have a turn
        return progressed

    async def _write(self, data: bytes) -> None:
        if not self._outlet.write(data):
            await self._outlet.taken()

    def _go_on(self, subscription: _Subscription) -> None:
        """Send what was committed: at once while there is room, or from the task."""
        # Once for each commit and reader: no call that can be spared.
        log, cursor = subscription.log, subscription.cursor
        may_send = self._is_idle and not subscription.is_over and log.closed is None
        if may_send and cursor is not None:
            try:
                for event in log.fresh(cursor) or ():
                    subscription.cursor = cursor = event.seq
                    if not self._outlet.write(event.data):
                        break
                else:
                    if cursor == log.head:
                        return
            except ConnectionError:
                pass  # the task will meet it as well
        self._wake_up()

    async def _advance(self, subscription: _Subscription) -> bool:
        """Send the next of one subscription; return whether there was anything."""
        if subscription.is_over:
            return False
        closed = subscription.log.closed
        if closed is not None and closed.code != "store_closed":
            self._end(subscription, closed)
            return False
        if subscription.cursor is None:
            await self._send_snapshot(subscription)
            return True
        if await self._send_events(subscription, subscription.cursor):
            return True
        return await self._send_at_head(subscription, subscription.cursor)

    async def _send_at_head(self, subscription: _Subscription, cursor: int) -> bool:
        """Send what is said to who has read everything, one thing at a time."""
        log = subscription.log
        if not subscription.live_announced:
            subscription.live_announced = True
            await self._write(encode(Live(conversation=log.id, seq=cursor)))
            return True
        presence, subscription.presence = subscription.presence, None
        if presence is not None:
            await self._write(presence)
        elif log.closed is not None:
            self._end(subscription, log.closed)
        return presence is not None

    async def _send_snapshot(self, subscription: _Subscription) -> None:
        log = subscription.log
        # Held until it is sent, so that others who come meanwhile share it.
        snapshot = log.snapshot(behind=SNAPSHOT_BEHIND_EVENTS)
        subscription.cursor = snapshot.seq
        for part, state in enumerate(snapshot.parts, start=1):
            if subscription.is_over:
                break
            frame = Snapshot(
                conversation=log.id,
                log=log.log,
                seq=snapshot.seq,
                part=part,
                parts=len(snapshot.parts),
                state=msgspec.Raw(state),
            )
            await self._write(encode(frame))
            await asyncio.sleep(0)
            await self.drain()

    async def _send_events(self, subscription: _Subscription, cursor: int) -> bool:
        """Send the next events after a cursor; return whether there were any."""
        log = subscription.log
        try:
            events = await log.stream(cursor)
        except StoreError:
            if log.closed is None:
                raise
            self._end(subscription, log.closed)
            return True
        for event in events:
            if subscription.is_over:
                break
            await self._write(event.data)
            subscription.cursor = event.seq
            await self.drain()
        return bool(events) or subscription.is_over

    def _end(self, subscription: _Subscription, why: StoreError) -> None:
        """End a subscription whose log takes no more events."""
        conversation = subscription.log.id
        self.unsubscribe(conversation)
        # A server that stops says so itself; its readers come back to the log.
        if why.code != "store_closed":
            reason = "deleted" if why.code == "conversation_deleted" else "failed"
            self.send(Unsubscribed(conversation=conversation, reason=reason))
