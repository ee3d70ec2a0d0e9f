"""Delivery: one connection's reading of the logs, from cursors to frames.

The one path of history, live view, late join and reconnect. A ``Delivery`` has one
sender task; a slow reader holds back nobody but itself, because nothing is queued
for it: it reads the log again from its cursor when its socket has room.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from streamchat_nb.errors import RateLimited
from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.frames import Live, Snapshot, Subscribed, Unsubscribed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from streamchat_nb.conversation.log import ConversationLog
    from streamchat_nb.protocol.commands import CommandId, Cursor
    from streamchat_nb.protocol.frames import Frame

__all__ = ["Delivery", "Plan", "plan_delivery"]

READ_EVENTS = 64
READ_BYTES = 65_536
REPLAY_EVENTS = 2_000
REPLAY_BYTES = 1_048_576
CONTROL_FRAMES = 1_024


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
    if backlog > READ_EVENTS:
        events = await log.read(
            since.seq, limit_events=REPLAY_EVENTS, limit_bytes=REPLAY_BYTES
        )
        if events and events[-1].seq < since.seq + backlog:
            return Plan(None, "backlog")
    return Plan(since.seq)


@dataclass
class _Subscription:
    log: ConversationLog
    cursor: int
    unwatch: Callable[[], None]
    live_announced: bool = False


class Delivery:
    """Sends frames and events to one connection, in order, from one task.

    Args:
        write: Writes one encoded frame and returns once the socket took it. It must
            raise (``ConnectionError``) when the peer is gone or stalled.
    """

    def __init__(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        self._write = write
        self._control: deque[bytes] = deque()
        self._subscriptions: dict[str, _Subscription] = {}
        self._wake = asyncio.Event()
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
            RateLimited: The peer asks more than it reads; end the connection.
        """
        if len(self._control) >= CONTROL_FRAMES:
            raise RateLimited("This connection does not read its answers.")
        self._control.append(encode(frame))
        self._wake.set()

    async def subscribe(
        self, re: CommandId, log: ConversationLog, since: Cursor | None
    ) -> None:
        """Begin (again) to deliver a log, by replay or by snapshot.

        Does nothing once this is closed.

        Raises:
            StoreError: The log could not be read; nothing changed.
        """
        plan = await plan_delivery(log, since)
        if self._closed:
            return
        self.unsubscribe(log.id)
        # From here to the end there is no await: state and cursor are of one moment.
        if plan.replay_after is not None:
            cursor = plan.replay_after
            self.send(
                Subscribed(
                    re=re,
                    conversation=log.id,
                    log=log.log,
                    mode="replay",
                    head=log.head,
                    from_=cursor,
                )
            )
        else:
            cursor = log.head
            self._send_snapshot(re, log, plan.reason)
        self._subscriptions[log.id] = _Subscription(
            log, cursor, log.watch(self._wake.set)
        )
        self._wake.set()

    def _send_snapshot(
        self, re: CommandId, log: ConversationLog, reason: str | None
    ) -> None:
        self.send(
            Subscribed(
                re=re,
                conversation=log.id,
                log=log.log,
                mode="snapshot",
                head=log.head,
                reason=reason,  # pyright: ignore[reportArgumentType]
            )
        )
        snapshot = log.snapshot()
        for part, state in enumerate(snapshot.parts, start=1):
            self.send(
                Snapshot(
                    conversation=log.id,
                    log=log.log,
                    seq=snapshot.seq,
                    part=part,
                    parts=len(snapshot.parts),
                    state=msgspec.Raw(state),
                )
            )

    def unsubscribe(self, conversation: str) -> None:
        """Stop delivering a conversation, if it was delivered."""
        subscription = self._subscriptions.pop(conversation, None)
        if subscription is not None:
            subscription.unwatch()

    def close(self) -> None:
        """End all subscriptions and begin none. Idempotent."""
        self._closed = True
        for conversation in tuple(self._subscriptions):
            self.unsubscribe(conversation)

    async def drain(self) -> None:
        """Write the frames queued so far; for the last words before a close."""
        while self._control:
            await self._write(self._control.popleft())

    async def run(self) -> None:
        """Send until cancelled or until ``write`` raises.

        Raises:
            ConnectionError: From ``write``.
            StoreError: A log could not be read.
        """
        while True:
            await self._wake.wait()
            self._wake.clear()
            progressed = True
            while progressed:
                await self.drain()
                progressed = False
                for subscription in tuple(self._subscriptions.values()):
                    progressed |= await self._advance(subscription)

    async def _advance(self, subscription: _Subscription) -> bool:
        """Send the next events of one subscription; return whether there were any."""
        log = subscription.log
        if log.closed is not None:
            code = log.closed.code
            self.unsubscribe(log.id)
            # A server that stops says so itself; its readers come back to the log.
            if code != "store_closed":
                reason = "deleted" if code == "conversation_deleted" else "failed"
                self.send(Unsubscribed(conversation=log.id, reason=reason))
            return True
        events = await log.stream(
            subscription.cursor, limit_events=READ_EVENTS, limit_bytes=READ_BYTES
        )
        if self._subscriptions.get(log.id) is not subscription:
            return bool(self._control)
        if not events:
            if not subscription.live_announced:
                subscription.live_announced = True
                self.send(Live(conversation=log.id, seq=subscription.cursor))
                return True
            return False
        for event in events:
            await self._write(event.data)
            subscription.cursor = event.seq
            if self._subscriptions.get(log.id) is not subscription:
                break
            if self._control:
                await self.drain()
        return True
