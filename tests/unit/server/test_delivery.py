from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from streamchat_nb.conversation.log import ConversationLog, LogWriter
from streamchat_nb.conversation.store import ConversationRecord, MemoryStore
from streamchat_nb.errors import StoreError
from streamchat_nb.protocol.codec import decode_frame
from streamchat_nb.protocol.events import ConversationCreated
from streamchat_nb.protocol.frames import Live, Snapshot, Subscribed, Unsubscribed
from streamchat_nb.server.delivery import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from streamchat_nb.protocol.events import Event, UnknownEvent
    from streamchat_nb.protocol.frames import Frame

RECORD = ConversationRecord(
    id="c", log="L", owner="ada", title="", created_ms=1, updated_ms=1
)


class Screen:
    """What a reader was sent."""

    def __init__(self) -> None:
        self.frames: list[Frame | Event | UnknownEvent] = []
        self.delivery = Delivery(self._take)

    async def _take(self, data: bytes) -> None:
        self.frames.append(decode_frame(data))

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
