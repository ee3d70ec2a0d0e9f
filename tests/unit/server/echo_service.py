"""A real service with an agent that says back what it was told, for tests."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from streamchat_nb.agent.agent import Agent, AgentEvent, Turn
from streamchat_nb.conversation.memory import MemoryStore
from streamchat_nb.errors import ModelError, StoreError
from streamchat_nb.protocol.content import Author, TextBlock, ToolUseBlock, Usage
from streamchat_nb.protocol.events import (
    BlockDelta,
    BlockStarted,
    MessageCompleted,
    MessageCreated,
    ToolCompleted,
    ToolRequested,
    ToolStarted,
)
from streamchat_nb.protocol.limits import Limits
from streamchat_nb.server.principal import Principal
from streamchat_nb.server.service import Service
from streamchat_nb.server.settings import Settings
from streamchat_nb.tools.registry import ToolSet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

    from streamchat_nb.conversation.log import ConversationLog
    from streamchat_nb.conversation.store import Append, Store
    from streamchat_nb.server.sent_messages import Receipt

ADA = Principal(id="ada", name="Ada")
EVE = Principal(id="eve", name="Eve")
AGENT = Author(id="agent", name="Agent", kind="agent")


class EchoAgent(Agent):
    """Says back what it was told; by word: fails, hangs, ignores a cancel."""

    name = "echo"
    model_name = "echo-1"

    def __init__(self) -> None:
        self.histories: list[list[dict[str, Any]]] = []
        self.release = asyncio.Event()
        self.closed = False

    @override
    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        self.histories.append(turn.history)
        text = turn.history[-1]["content"][-1]["text"]
        message = turn.new_message_id()
        yield MessageCreated(message=message, role="assistant", author=AGENT)
        yield BlockStarted(message=message, block="b0", kind="text")
        yield BlockDelta(message=message, block="b0", kind="text", delta="You said ")
        if "tool" in text:
            yield request_of(message, "tc")
            yield ToolStarted(tool_call="tc")
        await self._misbehave(text)
        if "steps" in text:
            async for event in self._call_a_tool(message):
                yield event
            if turn.is_superseded():
                return
            message = turn.new_message_id()
            yield MessageCreated(message=message, role="assistant", author=AGENT)
            yield BlockStarted(message=message, block="b0", kind="text")
        yield BlockDelta(message=message, block="b0", kind="text", delta=text)
        yield MessageCompleted(
            message=message,
            content=[TextBlock(text=f"You said {text}")],
            stop_reason="end_turn",
            usage=Usage(input_tokens=3, output_tokens=4),
        )

    async def _misbehave(self, text: str) -> None:
        if "crash" in text:
            raise RuntimeError("secret detail")
        if "model" in text:
            raise ModelError("The model is overloaded.", code="model_overloaded")
        if "wait" in text:
            await self.release.wait()
        while "deaf" in text and not self.release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await self.release.wait()
        if "stubborn" in text:
            for _ in range(100):
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(0.05)

    async def _call_a_tool(self, message: str) -> AsyncIterator[AgentEvent]:
        use = ToolUseBlock(id="call", name="x", input={})
        yield MessageCompleted(message=message, content=[use], stop_reason="tool_use")
        yield request_of(message, "call")
        yield ToolStarted(tool_call="call")
        await self.release.wait()
        yield ToolCompleted(tool_call="call", status="ok", output="42")

    @override
    async def close(self) -> None:
        self.closed = True


def request_of(message: str, tool_call: str) -> ToolRequested:
    return ToolRequested(
        message=message,
        block="b1",
        tool_call=tool_call,
        name="x",
        label="Using x…",
        input={},
    )


class FullStore(MemoryStore):
    full = False

    @override
    async def append(self, batch: Sequence[Append]) -> None:
        if self.full:
            raise StoreError("The disk is full; free some space.", code="store_full")
        await super().append(batch)

    @override
    def append_now(self, batch: Sequence[Append]) -> bool:
        return not self.full and super().append_now(batch)


def play(
    scenario: Callable[[Service, EchoAgent], Coroutine[Any, Any, None]],
    *,
    store: Store | None = None,
    limits: Limits | None = None,
    settings: Settings | None = None,
) -> None:
    async def main() -> None:
        agent = EchoAgent()
        service = Service(
            settings or Settings(limits=limits or Limits()),
            store=store or MemoryStore(),
            make_agent=lambda _: agent,
            make_tools=ToolSet,
        )
        await service.start()
        try:
            async with asyncio.timeout(30):
                await scenario(service, agent)
        finally:
            await service.stop()
            assert agent.closed

    asyncio.run(main())


async def send(
    service: Service, log: ConversationLog, text: str, *, id_: str = "", **more: Any
) -> Receipt:
    return await service.send(
        ADA,
        log.id,
        client_message_id=id_ or f"w-{text}",
        content=[TextBlock(text=text)],
        **more,
    )


async def ended(log: ConversationLog, turn: str) -> Any:
    changed = asyncio.Event()
    unwatch = log.watch(changed.set)
    try:
        while True:
            state = log.fold.turn(turn)
            if state is not None and state.finished_ts is not None:
                return state
            changed.clear()
            await changed.wait()
    finally:
        unwatch()
