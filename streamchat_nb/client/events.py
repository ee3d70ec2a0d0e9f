"""Iterating over a conversation's events, with no gap and no repeat."""

from __future__ import annotations

import asyncio
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
        """Fetch what lies between a cursor and now; what follows is heard."""
        await self._log.current()
        here = self._log.cursor
        self._waiting.clear()
        self._is_replaced = False
        earlier = None if here is None else await self._between(since, here)
        if earlier is None:
            self._is_replaced = True
        else:
            self._waiting.extendleft(reversed(earlier))
        self._since = None

    async def _between(
        self, since: Cursor, here: Cursor
    ) -> list[Event | UnknownEvent] | None:
        """Return the events after one cursor up to another; ``None``: gone."""
        if since.log != here.log or since.seq > here.seq:
            return None
        events: list[Event | UnknownEvent] = []
        while since.seq < here.seq:
            page = await self._fetch(since)
            if page.mode == "snapshot" or page.log != here.log or not page.events:
                return None
            events += [decode_event(bytes(raw)) for raw in page.events]
            since = msgspec.structs.replace(since, seq=events[-1].seq)
        return [event for event in events if event.seq <= here.seq]

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
