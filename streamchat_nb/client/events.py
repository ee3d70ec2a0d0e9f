"""Iterating over a conversation's events, with no gap and no repeat."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import msgspec

from streamchat_nb.conversation.state import ConversationState
from streamchat_nb.protocol.codec import decode_event, encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from streamchat_nb.client.event_page import EventPage
    from streamchat_nb.client.followed_log import FollowedLog
    from streamchat_nb.protocol.commands import Cursor
    from streamchat_nb.protocol.events import Event, UnknownEvent

__all__ = ["ConversationEvents", "StateReplaced", "copy_of"]

MOST_WAITING = 10_000
MOST_WAITS = 100
"""How often it is waited for the log to reach what was fetched."""
WAIT_S = 1.0


@dataclass(frozen=True)
class StateReplaced:
    """Comes in place of events that cannot be had one by one any more.

    After a long absence the server sends the state in place of what happened, and so
    does an iterator that is read too slowly. The events that follow go on from here.

    Attributes:
        state: The state at this point; a copy.
    """

    state: ConversationState


class ConversationEvents:
    """An endless asynchronous iterator over the events of a conversation.

    It listens from its making on, so nothing is missed between that and the first
    ``anext``. Forgetting it ends it. Made by ``ClientConversation.events``.

    Args:
        log: The log, of which it is to be a listener.
        fetch: Returns a page of it.
        since: Begin after this cursor; ``None`` begins now.
    """

    def __init__(
        self,
        log: FollowedLog,
        fetch: Callable[[Cursor], Awaitable[EventPage]],
        since: Cursor | None,
    ) -> None:
        self._log = log
        self._fetch = fetch
        self._since = since
        self._waiting: deque[Event | UnknownEvent] = deque()
        self._is_replaced = False
        self._news = asyncio.Event()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event | UnknownEvent | StateReplaced:
        """Return the next event.

        Cancellation: no event is lost.

        Raises:
            StreamchatError: The conversation or the connection ended for good.
        """
        while True:
            if self._since is not None:
                await self._catch_up(self._since)
            if self._is_replaced:
                self._is_replaced = False
                self._waiting.clear()
                return StateReplaced(copy_of(self._log.state))
            if self._waiting:
                return self._waiting.popleft()
            if self._log.failure is not None:
                raise self._log.failure
            self._news.clear()
            await self._log.follow()
            await self._news.wait()

    async def _catch_up(self, since: Cursor) -> None:
        """Fetch what lies between a cursor and what was heard since this began."""
        await self._log.current()
        self._waiting.clear()
        self._is_replaced = False
        earlier = await self._until_heard(since)
        if earlier is None:
            self._is_replaced = True
        else:
            self._waiting.extendleft(reversed(earlier))
        self._since = None

    async def _until_heard(self, since: Cursor) -> list[Event | UnknownEvent] | None:
        """Return the events after a cursor up to those that wait; ``None``: gone.

        A page may join deltas beyond what the log has applied, and the log deltas
        beyond a page's last: it goes on until one fits the other.
        """
        events: list[Event | UnknownEvent] = []
        waits = 0
        while not self._is_replaced and waits <= MOST_WAITS:
            here = self._log.cursor
            if here is None or since.log != here.log:
                return None
            if self._fits(since.seq, here.seq):
                return events
            if since.seq > here.seq:
                if not events:
                    return None
                waits += 1
                await self._log_moves()
                continue
            page = await self._fetch(since)
            if page.mode == "snapshot" or page.log != here.log or not page.events:
                return None
            events += [decode_event(bytes(raw)) for raw in page.events]
            since = msgspec.structs.replace(since, seq=events[-1].seq)
        return None

    def _fits(self, seq: int, here: int) -> bool:
        """Forget what waits up to ``seq``, if what is left of it goes on from there."""
        later = deque(event for event in self._waiting if event.seq > seq)
        fits = later[0].prev == seq if later else seq == here
        if fits:
            self._waiting = later
        return fits

    async def _log_moves(self) -> None:
        """Wait for the log's next event, for a moment."""
        self._news.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT_S):
                await self._news.wait()

    # from the log

    def take(self, event: Event | UnknownEvent) -> None:
        """An event was applied."""
        if len(self._waiting) >= MOST_WAITING:
            self._is_replaced = True
        if not self._is_replaced:
            self._waiting.append(event)
        self._news.set()

    def take_replacement(self) -> None:
        """The state was replaced."""
        self._is_replaced = True
        self._news.set()

    def wake(self) -> None:
        """The log has failed."""
        self._news.set()


def copy_of(state: ConversationState) -> ConversationState:
    """Return a state that does not go on changing."""
    return msgspec.json.decode(encode(state), type=ConversationState)
