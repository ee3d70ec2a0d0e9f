"""A conversation without a server: turns of any agents, one after the other."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from streamchat_nb.agent.agent import Agent, Turn, TurnLimits
from streamchat_nb.agent.history import history_of, thread_of
from streamchat_nb.agent.runner import TurnRunner
from streamchat_nb.conversation.log import LogWriter
from streamchat_nb.conversation.memory import MemoryStore
from streamchat_nb.conversation.store import ConversationRecord
from streamchat_nb.protocol import events as e
from streamchat_nb.protocol.content import Author, TextBlock
from streamchat_nb.testing.request_validation import check_request
from streamchat_nb.tools.registry import ToolSet

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from streamchat_nb.agent.agent import AgentEvent
    from streamchat_nb.conversation.log import ConversationLog
    from streamchat_nb.conversation.state import ConversationState

USER = Author(id="u", name="U", kind="user")
DEADLINE_S = 30.0


class Conversation:
    """Turns of agents in one log.

    Attributes:
        events: What the agents of all turns yielded.
        tools: The tools of the next turns.
    """

    def __init__(self, log: ConversationLog) -> None:
        self.log = log
        self.events: list[AgentEvent] = []
        self.tools = ToolSet()
        self._numbers = count(1)

    @property
    def state(self) -> ConversationState:
        return self.log.state

    @property
    def history(self) -> list[dict[str, Any]]:
        return history_of(self.state)

    async def ask(  # noqa: PLR0913 (facts of one turn, by keyword)
        self,
        agent: Agent,
        text: str = "Hi",
        *,
        answer: Callable[[e.ToolApprovalRequested], dict[str, Any] | None]
        | None = None,
        cancel_at: int | None = None,
        limits: TurnLimits | None = None,
        is_superseded: Callable[[], bool] = lambda: False,
        parent: str | None = None,
    ) -> e.TurnFinished:
        """Run a turn.

        ``answer`` gives what a person says; ``None`` cancels the turn instead.
        ``cancel_at`` cancels it when the agent yields the event of that number.
        """
        turn = f"t{next(self._numbers)}"
        message = f"m{next(self._numbers)}"
        await self.log.append(
            e.MessageCreated(
                turn=turn,
                message=message,
                role="user",
                author=USER,
                parent=parent,
                content=[TextBlock(text=text)],
            ),
            e.TurnStarted(turn=turn, message=message, agent=agent.name),
        )
        noting = _Noting(agent, self.events, cancel_at)

        async def approval(approval: str) -> e.ToolApprovalResolved:
            request = next(
                event
                for event in self.events
                if isinstance(event, e.ToolApprovalRequested)
                and event.approval == approval
            )
            assert answer is not None
            said = answer(request)
            if said is None:
                runner.cancel()
                await asyncio.Event().wait()
            resolved = e.ToolApprovalResolved(
                turn=turn, approval=approval, tool_call=request.tool_call, **said or {}
            )
            await self.log.append(resolved)
            return resolved

        async def make_turn(runner: TurnRunner) -> Turn:
            noting.runner = runner
            return Turn(
                conversation=self.log.id,
                turn=turn,
                thread=thread_of(self.state, turn),
                history=history_of(self.state, until_turn=turn),
                tools=self.tools,
                limits=limits or TurnLimits(),
                new_message_id=lambda: f"m{next(self._numbers)}",
                approval=None if answer is None else approval,
                is_superseded=is_superseded,
            )

        runner = TurnRunner(self.log, noting, turn, make_turn)
        finished = await asyncio.wait_for(runner.run(), DEADLINE_S)
        self.check(turn)
        return finished

    def check(self, turn: str) -> None:
        """Check that all has one end, and that a model takes what follows."""
        assert [t.status for t in self.state.turns if t.turn == turn] != ["running"]
        assert all(m.status != "streaming" for m in self.state.messages)
        calls = {c.tool_call: c for c in self.state.tool_calls}
        assert len(calls) == len(self.state.tool_calls)
        for call in calls.values():
            assert call.status not in ("requested", "running"), call
        for kind, name in (
            (e.MessageCompleted, "message"),
            (e.ToolCompleted, "tool_call"),
            (e.ToolRequested, "tool_call"),
        ):
            ids = [getattr(v, name) for v in self.events if isinstance(v, kind)]
            assert max(Counter(ids).values(), default=0) <= 1, (kind, ids)
        messages = [*self.history]
        if messages[-1]["role"] == "assistant":
            messages.append({"role": "user", "content": "Go on."})
        check_request({"model": "m", "max_tokens": 1, "messages": messages})


class _Noting(Agent):
    """An agent whose events are noted, and which is cancelled at one of them."""

    def __init__(
        self, agent: Agent, events: list[AgentEvent], cancel_at: int | None
    ) -> None:
        self.name = agent.name
        self.runner: TurnRunner | None = None
        self._agent = agent
        self._events = events
        self._cancel_at = cancel_at

    @override
    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        events = cast("AsyncGenerator[AgentEvent]", self._agent.run(turn))
        number = 0
        try:
            async for event in events:
                self._events.append(event)
                if number == self._cancel_at and self.runner is not None:
                    self.runner.cancel()
                number += 1
                yield event
        finally:
            await events.aclose()


@asynccontextmanager
async def conversation() -> AsyncGenerator[Conversation]:
    """Give a conversation of its own."""
    store = MemoryStore()
    await store.open()
    writer = LogWriter(store)
    writer.start()
    record = ConversationRecord(
        id="c_1", log="l", owner=USER.id, title="", created_ms=0, updated_ms=0
    )
    try:
        yield Conversation(await writer.create(record, e.ConversationCreated(by=USER)))
    finally:
        await writer.stop()
        await store.close()
