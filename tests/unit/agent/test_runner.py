from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from streamchat_nb.agent.agent import Agent, AgentEvent, Turn, TurnLimits
from streamchat_nb.agent.runner import TurnRunner
from streamchat_nb.conversation.log import ConversationLog, LogWriter
from streamchat_nb.conversation.memory import MemoryStore
from streamchat_nb.conversation.store import ConversationRecord
from streamchat_nb.protocol.codec import decode_event
from streamchat_nb.protocol.content import Author, TextBlock
from streamchat_nb.protocol.events import (
    BlockCompleted,
    BlockDelta,
    BlockStarted,
    MessageCompleted,
    MessageCreated,
    ToolRequested,
    ToolStarted,
    TurnFinished,
    TurnStarted,
)
from streamchat_nb.tools.registry import ToolSet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from streamchat_nb.conversation.store import Append

USER = Author(id="u", name="u", kind="user")
WORDS = TextBlock(text="Two words")
ANSWER: tuple[AgentEvent, ...] = (
    MessageCreated(
        message="m1", role="assistant", author=Author(id="a", name="a", kind="agent")
    ),
    BlockStarted(message="m1", block="b0", kind="text"),
    BlockDelta(message="m1", block="b0", kind="text", delta="Two"),
    BlockDelta(message="m1", block="b0", kind="text", delta=" words"),
    BlockCompleted(message="m1", block="b0", kind="text", content=WORDS),
    MessageCompleted(message="m1", content=[WORDS], stop_reason="end_turn"),
)
CALL: tuple[AgentEvent, ...] = (
    ToolRequested(
        tool_call="c1", message="m1", block="b1", name="look", label="Look", input={}
    ),
    ToolStarted(tool_call="c1"),
)


class WritesNothingAtOnce(MemoryStore):
    """Takes everything by ``append``, and keeps what came together."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[list[str]] = []

    @override
    async def append(self, batch: Sequence[Append]) -> None:
        await super().append(batch)
        events = [decode_event(e.data) for part in batch for e in part.events]
        self.commits.append([type(event).__name__ for event in events])

    @override
    def append_now(self, batch: Sequence[Append]) -> bool:
        return False


class Says(Agent):
    """Yields events, and notes what was committed each time when it goes on."""

    name = "says"

    def __init__(self, events: Sequence[AgentEvent]) -> None:
        self.log: ConversationLog | None = None
        self.committed: list[str] = []
        self._events = events

    @override
    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        for event in self._events:
            yield event
            if self.log is not None:
                message = self.log.state.messages[-1]
                self.committed.append("".join(block.text for block in message.blocks))


async def answered(store: MemoryStore, agent: Says) -> tuple[TurnFinished, list[str]]:
    """Run a turn; return its end, and the names of all events in the log."""
    await store.open()
    writer = LogWriter(store)
    writer.start()
    try:
        record = ConversationRecord(
            id="c", log="l", owner="u", title="", created_ms=0, updated_ms=0
        )
        log = agent.log = await writer.create(
            record,
            MessageCreated(turn="t", message="m0", role="user", author=USER),
            TurnStarted(turn="t", message="m0", agent="says"),
        )

        async def make_turn(runner: TurnRunner) -> Turn:
            return Turn(
                conversation="c",
                turn=runner.turn_id,
                history=[],
                tools=ToolSet(),
                limits=TurnLimits(),
                new_message_id=lambda: "m1",
            )

        finished = await TurnRunner(log, agent, "t", make_turn).run()
        stored = await log.read(2)
        return finished, [type(decode_event(e.data)).__name__ for e in stored]
    finally:
        await writer.stop()
        await store.close()


def test_last_message_and_turn_end_in_one_commit() -> None:
    store = WritesNothingAtOnce()
    finished, _ = asyncio.run(answered(store, Says(ANSWER)))
    assert finished.status == "completed"
    assert finished.stop_reason == "end_turn"
    assert store.commits[-1] == ["MessageCompleted", "TurnFinished"]


def test_last_words_are_committed_before_the_end_is_seen_to() -> None:
    agent = Says(ANSWER)
    asyncio.run(answered(MemoryStore(), agent))
    assert agent.committed[4:] == ["Two words", "Two words"]


@pytest.mark.parametrize(
    ("events", "ends"),
    [
        (ANSWER[:2], ["BlockCompleted", "MessageCompleted"]),
        ([*ANSWER[:5], *CALL[:1], ANSWER[5]], ["ToolCompleted"]),
        ([*ANSWER[:5], *CALL, ANSWER[5]], ["ToolCompleted"]),
    ],
)
def test_what_an_agent_leaves_open_ends_before_its_turn(
    events: Sequence[AgentEvent], ends: list[str]
) -> None:
    finished, names = asyncio.run(answered(MemoryStore(), Says(events)))
    assert finished.status == "completed"
    assert names[-1 - len(ends) :] == [*ends, "TurnFinished"]
