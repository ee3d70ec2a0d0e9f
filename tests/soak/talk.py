"""One conversation of the harness: who asks, and a witness that is never cut."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Self

import msgspec

from streamchat_nb.conversation.state import ConversationState
from streamchat_nb.protocol.content import TextBlock
from streamchat_nb.protocol.events import (
    EventBase,
    ToolApprovalRequested,
    ToolCompleted,
    ToolProgress,
    ToolRequested,
    ToolStarted,
    TurnFinished,
)
from streamchat_nb.protocol.frames import Ack
from streamchat_nb.testing.history import History
from tests.soak.raw_client import SocketFollower, StreamFollower, call, chat_token

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from streamchat_nb.protocol.content import UserBlock
    from streamchat_nb.protocol.events import Event, UnknownEvent
    from streamchat_nb.protocol.frames import Frame
    from streamchat_nb.testing.history import Sent
    from tests.soak.raw_client import Follower
    from tests.soak.real_server import RealServer

__all__ = ["Talk", "ToolEvent", "following"]

ToolEvent = (
    ToolRequested | ToolApprovalRequested | ToolStarted | ToolProgress | ToolCompleted
)

ANSWER_S = 60.0
PATIENCE_S = 30.0
CATCH_UP_S = 60.0


class Talk:
    """A conversation, what is sent in it, and a witness beside the proxy.

    Use ``begin``, and then ``async with``.

    Attributes:
        server: Where it is.
        conversation: Its id.
        token: A chat token of the server.
        history: What everybody saw.
        log: Identity of its log.
        head: How far the witness has seen the log.
        finished: The ends of turns that the witness saw, by turn.
        tool_events: What it saw of calls, in order.
    """

    def __init__(
        self, server: RealServer, conversation: str, log: str, token: str
    ) -> None:
        self.server = server
        self.conversation = conversation
        self.log = log
        self.token = token
        self.history = History(conversation=conversation)
        self.head = 0
        self.finished: dict[str, TurnFinished] = {}
        self.tool_events: list[ToolEvent] = []
        self._changed = asyncio.Event()
        self._running = contextlib.AsyncExitStack()

    @classmethod
    async def begin(cls, server: RealServer, title: str = "") -> Self:
        """Make a conversation."""
        token = await chat_token(server.address)
        _, made = await call(server.address, "POST", "conversations", {"title": title})
        return cls(server, made["id"], made["log"], token)

    async def __aenter__(self) -> Self:
        witness = self.socket_follower("the witness", self.server.address.port)
        witness.silence_s = PATIENCE_S
        witness.on_receive = self._take
        await self._running.enter_async_context(following([witness]))
        await self.until(lambda: self.head > 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._running.aclose()

    def socket_follower(self, name: str, port: int) -> SocketFollower:
        """Return a seat that follows over WebSockets."""
        address = self.server.at(port)
        seat = SocketFollower(address, self.conversation, self.history.seat(name))
        seat.token = self.token
        return seat

    def stream_follower(self, name: str, port: int) -> StreamFollower:
        """Return a seat that follows over event streams."""
        address = self.server.at(port)
        return StreamFollower(address, self.conversation, self.history.seat(name))

    async def send(self, text: str, *blocks: UserBlock) -> str:
        """Send a message, once; return the id of its turn."""
        sent = self.record(text, *blocks)
        status, answer = await call(
            self.server.address,
            *("POST", f"conversations/{self.conversation}/messages"),
            {
                "content": msgspec.to_builtins([TextBlock(text=text), *blocks]),
                "client_message_id": sent.client_message_id,
            },
            "Prefer: respond-async",
        )
        assert status == 202, (status, answer)
        result = {"message": answer["message"], "turn": answer["turn"]}
        sent.answers.append(Ack(re=0, seq=answer["seq"], result=result))
        return answer["turn"]

    async def ask(self, text: str) -> TurnFinished:
        """Send a message and wait for the end of its turn."""
        turn = await self.send(text)
        await self.until(lambda: turn in self.finished)
        return self.finished[turn]

    def record(self, text: str, *blocks: UserBlock, seat: str = "who asks") -> Sent:
        """Write down a message that is about to be sent."""
        id_ = f"w{len(self.history.sends)}"
        return self.history.send(id_, [TextBlock(text=text), *blocks], seat=seat)

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until the witness has seen to it."""
        async with asyncio.timeout(ANSWER_S):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()

    async def caught_up(self, followers: Sequence[Follower]) -> None:
        """Wait until all have seen what the witness has.

        Raises:
            AssertionError: Somebody has not within 60 s.
        """
        deadline = time.monotonic() + CATCH_UP_S
        while lagging := [f for f in followers if f.seq < self.head]:
            if time.monotonic() > deadline:
                places = ", ".join(f"{f.seat.name} at {f.seq}" for f in lagging)
                raise AssertionError(f"the log is at {self.head}, {places}")
            await asyncio.sleep(0.01)

    async def close_the_books(self) -> History:
        """Write down the server's state and its store's log; return all."""
        path = f"conversations/{self.conversation}"
        _, answer = await call(self.server.address, "GET", path)
        state = msgspec.convert(answer["state"], ConversationState)
        self.history.snapshots["the server"] = state
        self.server.take_log(self.history)
        return self.history

    def _take(self, received: Frame | Event | UnknownEvent) -> None:
        cursor = self.history.seat("the witness").cursor
        self.head = 0 if cursor is None else cursor.seq
        if isinstance(received, TurnFinished) and received.turn is not None:
            self.finished[received.turn] = received
        if isinstance(received, ToolEvent):
            self.tool_events.append(received)
        if isinstance(received, EventBase) or self.head:
            self._changed.set()


@contextlib.asynccontextmanager
async def following(seats: Sequence[Follower]) -> AsyncGenerator[None]:
    """Let seats follow for the time of the block; one that fails ends the block."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(seat.run(), name=seat.seat.name) for seat in seats]
        yield
        for task in tasks:
            task.cancel()
