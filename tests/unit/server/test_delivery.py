from __future__ import annotations

import asyncio
import tracemalloc
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from streamchat_nb.conversation.log import ConversationLog, LogWriter
from streamchat_nb.conversation.memory import MemoryStore
from streamchat_nb.conversation.store import ConversationRecord
from streamchat_nb.errors import StoreError
from streamchat_nb.protocol.codec import decode_frame, encode
from streamchat_nb.protocol.commands import Cursor
from streamchat_nb.protocol.content import Author, TextBlock
from streamchat_nb.protocol.events import (
    ConversationCreated,
    ConversationUpdated,
    MessageCreated,
)
from streamchat_nb.protocol.frames import (
    Live,
    Pong,
    Snapshot,
    Subscribed,
    Unsubscribed,
)
from streamchat_nb.server.delivery import CONTROL_BYTES, Delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from streamchat_nb.protocol.events import Event, UnknownEvent
    from streamchat_nb.protocol.frames import Frame

FrameT = TypeVar("FrameT")
ADA = Author(id="ada", name="Ada", kind="user")
RECORD = ConversationRecord(
    id="c", log="L", owner="ada", title="", created_ms=1, updated_ms=1
)


class Screen:
    """What a reader was sent.

    While ``reads`` is not set it reads nothing but what begins with ``takes``.
    """

    def __init__(self) -> None:
        self.frames: list[Frame | Event | UnknownEvent] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.takes: tuple[bytes, ...] = ()
        self.delivery = Delivery(self)
        self.writes = 0
        self._written: list[bytes] = []

    def write(self, *data: bytes) -> bool:
        assert not self._written, "what was written before was not taken"
        self.writes += 1
        self._written += data
        if self.reads.is_set() or (self.takes and data[-1].startswith(self.takes)):
            self._read()
        return not self._written

    async def taken(self) -> None:
        if self._written:
            await self.reads.wait()
            self._read()

    def _read(self) -> None:
        self.frames += map(decode_frame, self._written)
        self._written.clear()

    def of(self, kind: type[FrameT]) -> list[FrameT]:
        return [frame for frame in self.frames if isinstance(frame, kind)]

    def kinds(self) -> list[type[Any]]:
        return [type(frame) for frame in self.frames]


def play(
    scenario: Callable[[ConversationLog, Screen], Coroutine[Any, Any, None]],
) -> None:
    async def main() -> None:
        store = MemoryStore()
        await store.open()
        writer = LogWriter(store)
        writer.start()
        log = await writer.create(RECORD, ConversationCreated(title="T"))
        screen = Screen()
        sending = asyncio.ensure_future(screen.delivery.run())
        try:
            async with asyncio.timeout(10):
                await scenario(log, screen)
        finally:
            sending.cancel()
            await writer.stop()
            await store.close()

    asyncio.run(main())


async def live(screen: Screen) -> None:
    while Live not in screen.kinds():
        await asyncio.sleep(0.001)


def test_new_reader_gets_a_snapshot_and_is_live() -> None:
    async def scenario(log: ConversationLog, screen: Screen) -> None:
        await screen.delivery.subscribe(1, log, None)
        await live(screen)
        assert screen.kinds() == [Subscribed, Snapshot, Live]

    play(scenario)


def test_closed_delivery_begins_nothing_and_watches_nothing() -> None:
    async def scenario(log: ConversationLog, screen: Screen) -> None:
        screen.delivery.close()
        await screen.delivery.subscribe(1, log, None)
        assert (log.readers, len(screen.delivery)) == (0, 0)

    play(scenario)


def test_reader_of_a_deleted_conversation_is_told() -> None:
    async def scenario(log: ConversationLog, screen: Screen) -> None:
        await screen.delivery.subscribe(1, log, None)
        await live(screen)
        log.close(StoreError("Deleted.", code="conversation_deleted"))
        while len(screen.delivery):
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        assert screen.frames[-1] == Unsubscribed(conversation="c", reason="deleted")

    play(scenario)


def test_reader_of_a_server_that_stops_keeps_its_place() -> None:
    async def scenario(log: ConversationLog, screen: Screen) -> None:
        await screen.delivery.subscribe(1, log, None)
        await live(screen)
        log.close(StoreError("The server stops.", code="store_closed"))
        while len(screen.delivery):
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        assert Unsubscribed not in screen.kinds()

    play(scenario)


async def grow(log: ConversationLog, *, messages: int, characters: int) -> None:
    for number in range(messages):
        text = TextBlock(text="x" * characters)
        await log.append(
            MessageCreated(
                message=f"m{number}", role="user", author=ADA, content=[text]
            )
        )


async def pause() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_reader_that_does_not_read_holds_no_more_than_a_mebibyte() -> None:
    async def scenario(log: ConversationLog, screen: Screen) -> None:
        await grow(log, messages=40, characters=100_000)
        screen.reads.clear()
        shared = log.snapshot()
        tracemalloc.start()
        try:
            for number in range(90):
                await screen.delivery.subscribe(number, log, None)
                await pause()
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert held < 1_048_576
        screen.reads.set()
        await live(screen)
        assert [s.re for s in screen.of(Subscribed)] == list(range(90))
        begun = screen.frames.index(screen.of(Subscribed)[-1])
        parts = [f for f in screen.frames[begun:] if isinstance(f, Snapshot)]
        assert [p.part for p in parts] == list(range(1, len(shared.parts) + 1))
        assert [bytes(p.state) for p in parts] == shared.parts

    play(scenario)


def test_reader_that_asks_more_than_it_reads_is_cut_off() -> None:
    async def scenario(_log: ConversationLog, screen: Screen) -> None:
        screen.reads.clear()
        pong = Pong(heads={f"c{number}": number for number in range(100)})

        def ask(times: int) -> None:
            for _ in range(times):
                screen.delivery.send(pong)

        bound = CONTROL_BYTES // len(encode(pong))
        ask(bound)
        with pytest.raises(ConnectionAbortedError):
            ask(1)
        screen.reads.set()
        await screen.delivery.caught_up()
        assert screen.of(Pong) == [pong] * bound
        ask(1)

    play(scenario)


def test_new_subscription_takes_the_place_of_one_in_the_middle_of_its_snapshot() -> (
    None
):
    async def scenario(log: ConversationLog, screen: Screen) -> None:
        await grow(log, messages=8, characters=100_000)
        screen.reads.clear()
        await screen.delivery.subscribe("old", log, None)
        await pause()
        since = Cursor(log=log.log, seq=log.head)
        await screen.delivery.subscribe("new", log, since)
        await log.append(ConversationUpdated(title="New"))
        screen.reads.set()
        await live(screen)
        kinds = screen.kinds()
        assert kinds[-3:] == [Subscribed, ConversationUpdated, Live]
        assert kinds.count(Snapshot) <= 1

    play(scenario)


def test_state_and_cursor_of_a_late_snapshot_are_of_one_moment() -> None:
    async def scenario(log: ConversationLog, screen: Screen) -> None:
        screen.reads.clear()
        screen.delivery.send(Pong())
        await pause()
        await screen.delivery.subscribe(1, log, None)
        await log.append(ConversationUpdated(title="Between"))
        screen.reads.set()
        await live(screen)
        await log.append(ConversationUpdated(title="After"))
        await screen.delivery.caught_up()
        (snapshot,) = screen.of(Snapshot)
        assert b"Between" in bytes(snapshot.state)
        (event,) = screen.of(ConversationUpdated)
        assert (event.prev, event.seq) == (snapshot.seq, snapshot.seq + 1)

    play(scenario)


def test_reader_gets_what_was_written_before_the_server_stops() -> None:
    async def scenario(log: ConversationLog, screen: Screen) -> None:
        await screen.delivery.subscribe(1, log, None)
        await live(screen)
        screen.reads.clear()
        await log.append(ConversationUpdated(title="One"))
        await log.append(ConversationUpdated(title="Two"))
        log.close(StoreError("The server stops.", code="store_closed"))
        screen.reads.set()
        await screen.delivery.caught_up()
        assert [event.title for event in screen.of(ConversationUpdated)][-1] == "Two"
        assert len(screen.delivery) == 0

    play(scenario)


def test_readers_that_do_not_read_share_a_snapshot_though_the_log_goes_on() -> None:
    async def scenario(log: ConversationLog, screen: Screen) -> None:
        await grow(log, messages=40, characters=100_000)
        screens = [Screen() for _ in range(20)]
        sending = [asyncio.ensure_future(s.delivery.run()) for s in screens]
        tracemalloc.start()
        try:
            for number, stalled in enumerate(screens):
                stalled.reads.clear()
                stalled.takes = (b'{"type":"subscribed"',)
                await stalled.delivery.subscribe(1, log, None)
                await pause()
                await log.append(ConversationUpdated(title=f"{number}"))
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert held < 4_200_000 + len(screens) * 400_000
        for stalled in screens:
            stalled.reads.set()
            await live(stalled)
            assert stalled.of(Snapshot)[0].seq + 20 == log.head
            assert stalled.of(Live)[0].seq == log.head
        for task in sending:
            task.cancel()
        await screen.delivery.subscribe(2, log, None)
        await live(screen)
        assert screen.of(Snapshot)[0].seq == log.head

    play(scenario)


def test_reader_with_room_is_written_to_without_its_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(log: ConversationLog, screen: Screen) -> None:
        await screen.delivery.subscribe(1, log, None)
        await live(screen)
        await screen.delivery.caught_up()

        async def fail() -> bool:
            raise AssertionError("the task was woken")

        monkeypatch.setattr(screen.delivery, "_send_next", fail)
        for number in range(5):
            await log.append(ConversationUpdated(title=f"{number}"))
            await pause()
        titles = [event.title for event in screen.of(ConversationUpdated)]
        assert titles == list("01234")

    play(scenario)


def test_what_is_committed_together_is_written_as_one() -> None:
    async def scenario(log: ConversationLog, screen: Screen) -> None:
        await screen.delivery.subscribe(1, log, None)
        await live(screen)
        await screen.delivery.caught_up()
        writes = screen.writes
        await log.append(*(ConversationUpdated(title=title) for title in "012"))
        titles = [event.title for event in screen.of(ConversationUpdated)]
        assert (titles, screen.writes - writes) == (list("012"), 1)

    play(scenario)


def test_answer_to_a_reader_at_rest_is_written_at_once_and_in_order() -> None:
    async def scenario(log: ConversationLog, screen: Screen) -> None:
        await screen.delivery.subscribe(1, log, None)
        await live(screen)
        await screen.delivery.caught_up()
        screen.delivery.send(Pong(heads={"c": 1}))
        assert screen.of(Pong) == [Pong(heads={"c": 1})]
        screen.reads.clear()
        for number in (2, 3):
            screen.delivery.send(Pong(heads={"c": number}))
        await log.append(ConversationUpdated(title="After"))
        screen.reads.set()
        await screen.delivery.caught_up()
        assert [pong.heads["c"] for pong in screen.of(Pong)] == [1, 2, 3]
        assert screen.kinds()[-1] is ConversationUpdated

    play(scenario)


def test_reader_that_stops_in_the_middle_gets_everything_once_and_in_order() -> None:
    async def scenario(log: ConversationLog, screen: Screen) -> None:
        await screen.delivery.subscribe(1, log, None)
        await live(screen)
        await screen.delivery.caught_up()
        seq = log.head
        for number in range(300):
            if number % 60 == 10:
                screen.reads.clear()
            if number % 60 == 40:
                screen.reads.set()
            await log.append(ConversationUpdated(title=f"{number}"))
            if number % 7 == 0:
                screen.delivery.send(Pong(heads={"c": number}))
        await screen.delivery.caught_up()
        for number, event in enumerate(screen.of(ConversationUpdated)):
            assert (event.title, event.prev, event.seq) == (f"{number}", seq, seq + 1)
            seq = event.seq
        assert seq == log.head
        assert [p.heads["c"] for p in screen.of(Pong)] == list(range(0, 300, 7))

    play(scenario)
