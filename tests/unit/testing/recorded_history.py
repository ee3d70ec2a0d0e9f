"""A history of a real service: what several seats see, some of them often cut."""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from streamchat_nb.conversation.memory import MemoryStore
from streamchat_nb.protocol.commands import Cursor
from streamchat_nb.protocol.content import TextBlock
from streamchat_nb.protocol.frames import Ack
from streamchat_nb.server.delivery import Delivery
from streamchat_nb.server.principal import Principal
from streamchat_nb.server.service import Service
from streamchat_nb.server.settings import Settings
from streamchat_nb.server.wiring import make_agent, make_tools
from streamchat_nb.testing.history import History
from streamchat_nb.testing.store_samples import read_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamchat_nb.conversation.log import ConversationLog
    from streamchat_nb.conversation.store import Append
    from streamchat_nb.testing.history import SeatConnection, Sent

HAS_ROOM = 0.5
ADA = Principal(id="ada", name="Ada")


class KeepingStore(MemoryStore):
    """Keeps what may be dropped."""

    @override
    async def append(self, batch: Sequence[Append]) -> None:
        await super().append(
            [msgspec.structs.replace(part, dropped=()) for part in batch]
        )


@dataclass
class CutLine:
    """An end of a connection that is cut after some frames, and has room or not."""

    connection: SeatConnection
    frames: int
    dice: random.Random

    def write(self, *data: bytes) -> bool:
        for one in data:
            if not self.frames:
                raise ConnectionResetError
            self.frames -= 1
            self.connection.receive(one)
        return self.dice.random() < HAS_ROOM

    async def taken(self) -> None:
        await asyncio.sleep(0)


@dataclass
class Follower:
    """Follows a log over connections that end after some frames."""

    history: History
    log: ConversationLog
    name: str
    frames_each: int
    dice: random.Random
    start: Cursor | None = None

    @property
    def seq(self) -> int:
        """How far it has seen the log."""
        cursor = self.history.seat(self.name).cursor
        return 0 if cursor is None else cursor.seq

    async def follow(self) -> None:
        while True:
            await self.connect(self.dice.randrange(1, self.frames_each + 1))
            await asyncio.sleep(0)

    async def connect(self, frames: int) -> None:
        """Follow until so many frames have come."""
        seat = self.history.seat(self.name)
        connection = seat.connect(seat.cursor or self.start)
        delivery = Delivery(CutLine(connection, frames, self.dice))
        try:
            await delivery.subscribe(1, self.log, connection.since)
            await delivery.run()
        except ConnectionResetError:
            pass
        finally:
            delivery.close()


async def send(
    service: Service, history: History, text: str, *, attempts: int = 1
) -> Sent:
    content = [TextBlock(text=text)]
    sent = history.send(f"w{len(history.sends)}", [*content], seat="ada")
    sent.attempts = attempts
    for number in range(attempts):
        receipt = await service.send(
            ADA,
            history.conversation,
            client_message_id=sent.client_message_id,
            content=[*content],
        )
        result = {"message": receipt.message, "turn": receipt.turn}
        sent.answers.append(
            Ack(re=number, seq=receipt.seq, duplicate=receipt.duplicate, result=result)
        )
    return sent


async def idle(log: ConversationLog) -> None:
    changed = asyncio.Event()
    unwatch = log.watch(changed.set)
    try:
        async with asyncio.timeout(20):
            while any(turn.finished_ts is None for turn in log.state.turns):
                changed.clear()
                await changed.wait()
    finally:
        unwatch()


async def seen_by_all(followers: list[Follower], log: ConversationLog) -> None:
    async with asyncio.timeout(20):
        while any(follower.seq < log.head for follower in followers):
            await asyncio.sleep(0)


async def talk(service: Service, history: History, log: ConversationLog) -> None:
    await send(service, history, "Who is Ada Lovelace?", attempts=2)
    await idle(log)
    sent = await send(service, history, "/demo slow 0.01")
    await send(service, history, "/demo long 150")
    await send(service, history, "Who works at Bell Labs?")
    await asyncio.sleep(0.05)
    turn = str((sent.acks[0].result or {})["turn"])
    await service.cancel(ADA, log.id, turn)
    await idle(log)


def record(*, store: MemoryStore, seed: int = 1) -> History:
    """Return the history of one conversation with tools, a queue and a cancel."""

    async def main() -> History:
        settings = Settings(model="offline-demo", offline_pace_s=0.0)
        service = Service(
            settings,
            store=store,
            make_agent=partial(make_agent, settings),
            make_tools=lambda: make_tools(settings),
        )
        await service.start()
        log = await service.create(ADA)
        history = History(conversation=log.id)
        dice = random.Random(seed)  # noqa: S311 - the same on each run
        pace = {"steady": 1_000_000, "often cut": 4, "sometimes cut": 60}
        followers = [
            Follower(history, log, name, frames, dice) for name, frames in pace.items()
        ]
        tasks = [asyncio.ensure_future(follower.follow()) for follower in followers]
        talking = asyncio.ensure_future(talk(service, history, log))
        await asyncio.sleep(0.1)
        late = Follower(history, log, "late", 1_000_000, dice)
        tasks.append(asyncio.ensure_future(late.follow()))
        await talking
        whole = Follower(
            history, log, "from the start", 50, dice, Cursor(log=log.log, seq=0)
        )
        tasks.append(asyncio.ensure_future(whole.follow()))
        await seen_by_all([*followers, late, whole], log)
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        history.take_log(log.log, [e.data for e in await read_all(store, log.id)])
        history.snapshots["the server"] = log.state
        await service.stop()
        return history

    return asyncio.run(main())
