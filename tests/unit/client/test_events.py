from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

import msgspec
import pytest

from streamchat_nb.client import events as events_module
from streamchat_nb.client.event_page import EventPage
from streamchat_nb.client.events import ConversationEvents, StateReplaced
from streamchat_nb.client.followed_log import FollowedLog
from streamchat_nb.conversation.state import ConversationState
from streamchat_nb.errors import NotFound
from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.commands import Cursor
from streamchat_nb.protocol.events import ConversationUpdated

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Host:
    """A connection that follows at once and keeps the whole log."""

    def __init__(self, *, head: int = 0, page_events: int = 3) -> None:
        self.head = head
        self.pages = 0
        self.forgotten = False
        self._page_events = page_events
        self.log = FollowedLog("c_1", self)

    async def follow(self, log: FollowedLog) -> None:
        if log.cursor is None:
            log.take_state("l_1", ConversationState(seq=self.head))
            log.take_live(self.head)

    def append(self, count: int = 1) -> None:
        for _ in range(count):
            self.head += 1
            assert self.log.take_event(event(self.head))

    async def fetch(self, since: Cursor) -> EventPage:
        self.pages += 1
        if self.forgotten:
            return EventPage(log="l_1", head=self.head, mode="snapshot")
        last = min(self.head, since.seq + self._page_events)
        raw = [msgspec.Raw(encode(event(n))) for n in range(since.seq + 1, last + 1)]
        self.append()  # the log goes on meanwhile
        return EventPage(log="l_1", head=self.head, mode="replay", events=raw)

    def events(self, since: int | None = None, log: str = "l_1") -> ConversationEvents:
        cursor = None if since is None else Cursor(log=log, seq=since)
        events = ConversationEvents(self.log, self.fetch, cursor)
        self.log.listen(events)
        return events


def event(seq: int) -> ConversationUpdated:
    return ConversationUpdated(seq=seq, prev=seq - 1, title=f"title {seq}")


async def take(events: ConversationEvents, count: int) -> list[int]:
    taken: list[int] = []
    for _ in range(count):
        item = await anext(events)
        assert not isinstance(item, StateReplaced)
        taken.append(item.seq)
    return taken


def play(scenario: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 10))


def test_iterator_listens_from_its_making_on() -> None:
    async def scenario() -> None:
        host = Host(head=5)
        await host.log.current()
        host.append()
        events = host.events()
        host.append(3)
        assert await take(events, 3) == [7, 8, 9]

    play(scenario())


@pytest.mark.parametrize("head", [0, 1, 3, 7])
def test_iterator_from_a_cursor_gives_every_event_once(head: int) -> None:
    async def scenario() -> None:
        host = Host(head=head)
        events = host.events(since=0)
        before = await take(events, head)
        host.append(5)
        behind = host.head - head
        after = await take(events, behind)
        assert before + after == [*range(1, head + behind + 1)]

    play(scenario())


def test_state_comes_in_place_of_events_that_are_gone() -> None:
    async def scenario() -> None:
        for since, log in ((1, "l_other"), (99, "l_1")):
            host = Host(head=4)
            item = await anext(host.events(since=since, log=log))
            assert isinstance(item, StateReplaced)
            assert host.pages == 0
        host = Host(head=4)
        host.forgotten = True
        events = host.events(since=1)
        item = await anext(events)
        assert isinstance(item, StateReplaced)
        assert item.state.seq == 4
        host.append()
        assert await take(events, 1) == [5]
        assert item.state.seq == 4  # a copy

    play(scenario())


def test_iterator_read_too_slowly_goes_on_from_a_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events_module, "MOST_WAITING", 5)

    async def scenario() -> None:
        host = Host()
        await host.log.current()
        events = host.events()
        host.append(20)
        item = await anext(events)
        assert isinstance(item, StateReplaced)
        assert item.state.title == "title 20"
        host.append(2)
        assert await take(events, 2) == [21, 22]

    play(scenario())


def test_replaced_state_reaches_iterators_and_an_old_one_does_not() -> None:
    async def scenario() -> None:
        host = Host(head=4)
        await host.log.current()
        events = host.events()
        host.log.take_state("l_1", ConversationState(seq=3))
        assert host.log.seq == 4
        host.log.take_state("l_1", ConversationState(seq=9))
        host.head = 9
        item = await anext(events)
        assert isinstance(item, StateReplaced)
        assert item.state.seq == 9
        host.append()
        assert await take(events, 1) == [10]

    play(scenario())


def test_failure_ends_iterators_after_what_came_before() -> None:
    async def scenario() -> None:
        host = Host()
        await host.log.current()
        events = host.events()
        host.append()
        host.log.take_failure(NotFound("deleted"))
        assert await take(events, 1) == [1]
        for _ in range(2):
            with pytest.raises(NotFound):
                await anext(events)

    play(scenario())


def test_forgotten_iterator_holds_nothing() -> None:
    async def scenario() -> None:
        host = Host()
        events = host.events()
        assert host.log.is_held
        del events
        gc.collect()
        assert not host.log.is_held

    play(scenario())


def test_turn_of_another_log_is_not_waited_for() -> None:
    async def scenario() -> None:
        host = Host(head=4)
        await host.log.current()
        waiting = asyncio.ensure_future(host.log.finished("t_1"))
        await asyncio.sleep(0)
        host.log.take_state("l_2", ConversationState(seq=1))
        with pytest.raises(NotFound, match="lost"):
            await waiting

    play(scenario())


def test_gaps_ask_again_and_at_last_for_the_state() -> None:
    async def scenario() -> None:
        host = Host(head=4)
        await host.log.current()
        for _ in range(4):
            assert host.log.since == Cursor(log="l_1", seq=4)
            assert not host.log.take_event(event(7))
        assert host.log.since is None
        assert host.log.take_event(event(5))
        assert host.log.since == Cursor(log="l_1", seq=5)

    play(scenario())
