"""One turn of an agent, without a server: what it did, what it left, what it said."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import aclosing
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from streamchat_nb.agent.agent import Agent, Turn, TurnLimits
from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.agent.history import history_of
from streamchat_nb.agent.model import Model
from streamchat_nb.agent.repair import repair
from streamchat_nb.agent.runner import TurnRunner
from streamchat_nb.client.answer import answer_of
from streamchat_nb.conversation.log import LogWriter
from streamchat_nb.conversation.memory import MemoryStore
from streamchat_nb.conversation.store import ConversationRecord
from streamchat_nb.errors import ModelError, UsageError
from streamchat_nb.protocol.content import Author, TextBlock
from streamchat_nb.protocol.events import (
    ConversationCreated,
    MessageCreated,
    ToolApprovalRequested,
    ToolApprovalResolved,
    TurnStarted,
)
from streamchat_nb.tools.decorator import tool
from streamchat_nb.tools.registry import ToolSet
from streamchat_nb.tools.tool import Tool

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Iterable,
    )

    from streamchat_nb.agent.agent import AgentEvent
    from streamchat_nb.client.answer import Answer
    from streamchat_nb.conversation.log import ConversationLog
    from streamchat_nb.conversation.state import ConversationState

__all__ = ["AgentRun", "run_agent"]

_TURN = "t_1"
_USER = Author(id="test", name="Test", kind="user")
_LONGEST_STOP_S = 5.0


@dataclass(frozen=True, kw_only=True)
class AgentRun:
    """What came of a turn.

    Attributes:
        events: What the agent yielded, in order.
        state: The conversation as a screen shows it at the end.
        answer: What the turn gave: ``text``, ``status``, ``tool_calls``, ``error``…
        history: All messages, as a model is sent them; with one more message of the
            user, what the next turn is asked with.
    """

    events: list[AgentEvent]
    state: ConversationState
    answer: Answer
    history: list[dict[str, Any]]


async def run_agent(  # noqa: PLR0913 (facts of one turn, by keyword)
    agent: Agent | Model,
    asked: str | list[dict[str, Any]],
    *,
    tools: Iterable[Tool | Callable[..., object]] = (),
    limits: TurnLimits | None = None,
    approve: bool | Callable[[ToolApprovalRequested], bool] | None = None,
    output_schema: dict[str, Any] | None = None,
    timeout_s: float = 30.0,
) -> AgentRun:
    """Let an agent answer, as a server does, and wait for the end of the turn.

    An agent that fails does not raise here: ``answer.status`` is ``failed`` then, and
    ``answer.error`` says why. The agent stays open.

    Args:
        agent: Who answers; for a model, the built-in agent with it.
        asked: A text, or messages in the shape of Anthropic's Messages API, of which
            the last one is the user's.
        tools: Tools, or functions to be made into tools.
        limits: Where the turn stops by itself.
        approve: The answer to every call that asks a person first, or what gives it;
            ``None`` where nobody can be asked.
        output_schema: JSON Schema of an object that the answer is to be.
        timeout_s: Longest run.

    Raises:
        ModelError: The cassette has no answer, or cannot be used: that is a fault of
            the test and not of the agent.
        TimeoutError: It took longer; it was ended.
        UsageError: There is no message of the user to answer.
    """
    listening = _Listening(AnthropicAgent(agent) if isinstance(agent, Model) else agent)
    history = repair(_messages(asked))
    store = MemoryStore()
    await store.open()
    writer = LogWriter(store)
    writer.start()
    try:
        log = await writer.create(_record(), *_beginning(history, listening))
        numbers = count(2)

        async def make_turn(runner: TurnRunner) -> Turn:
            return Turn(
                conversation=log.id,
                turn=runner.turn_id,
                history=history,
                tools=ToolSet(
                    each if isinstance(each, Tool) else tool(each) for each in tools
                ),
                limits=limits or TurnLimits(),
                new_message_id=lambda: f"m_{next(numbers)}",
                approval=None if approve is None else listening.approval(log, approve),
                output_schema=output_schema,
            )

        runner = TurnRunner(log, listening, _TURN, make_turn)
        await _run_within(runner, timeout_s)
    finally:
        await writer.stop()
        await store.close()
    answer = answer_of(log.state, _TURN)
    if answer.error is not None and answer.error.code.startswith("model_cassette_"):
        raise ModelError(answer.error.message, code=answer.error.code)
    return AgentRun(
        events=listening.events,
        state=log.state,
        answer=answer,
        history=[*history[:-1], *_said_since(log)],
    )


class _Listening(Agent):
    """An agent whose events are noted."""

    def __init__(self, agent: Agent) -> None:
        self.name = agent.name
        self.model_name = agent.model_name
        self.offline = agent.offline
        self.shapes_answers = agent.shapes_answers
        self.events: list[AgentEvent] = []
        self._agent = agent

    @override
    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        events = cast("AsyncGenerator[AgentEvent]", self._agent.run(turn))
        async with aclosing(events):
            async for event in events:
                self.events.append(event)
                yield event

    def approval(
        self,
        log: ConversationLog,
        approve: bool | Callable[[ToolApprovalRequested], bool],
    ) -> Callable[[str], Awaitable[ToolApprovalResolved]]:
        """Return what answers the approvals that were asked for."""

        async def answer(approval: str) -> ToolApprovalResolved:
            request = next(
                event
                for event in self.events
                if isinstance(event, ToolApprovalRequested)
                and event.approval == approval
            )
            agreed = approve(request) if callable(approve) else approve
            resolved = ToolApprovalResolved(
                approval=approval,
                tool_call=request.tool_call,
                decision="approved" if agreed else "denied",
                by=_USER,
            )
            await log.append(resolved)
            return resolved

        return answer


def _messages(asked: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    messages = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    if not messages or messages[-1].get("role") != "user":
        raise UsageError("The last message must be the user's: it is what is answered.")
    return messages


def _record() -> ConversationRecord:
    return ConversationRecord(
        id="c_1",
        log=secrets.token_hex(16),
        owner=_USER.id,
        title="",
        created_ms=0,
        updated_ms=0,
    )


def _beginning(
    history: list[dict[str, Any]], agent: Agent
) -> tuple[ConversationCreated, MessageCreated, TurnStarted]:
    message = "m_1"
    texts = [b["text"] for b in history[-1]["content"] if b.get("type") == "text"]
    return (
        ConversationCreated(by=_USER),
        MessageCreated(
            turn=_TURN,
            message=message,
            role="user",
            author=_USER,
            content=[TextBlock(text=text) for text in texts],
        ),
        TurnStarted(
            turn=_TURN,
            message=message,
            agent=agent.name,
            model=agent.model_name,
            offline=agent.offline,
        ),
    )


async def _run_within(runner: TurnRunner, timeout_s: float) -> None:
    running = asyncio.ensure_future(runner.run())
    try:
        done, _ = await asyncio.wait({running}, timeout=timeout_s)
        if not done:
            raise TimeoutError(f"The agent did not answer within {timeout_s:g} s.")
        running.result()
    finally:
        runner.cancel()
        await asyncio.wait({running}, timeout=_LONGEST_STOP_S)


def _said_since(log: ConversationLog) -> list[dict[str, Any]]:
    """Return the user's message and what followed, without a word to go on."""
    said = history_of(log.state)
    is_answered = log.state.messages[-1].role == "assistant"
    ends_in_text = all(block["type"] == "text" for block in said[-1]["content"])
    if is_answered and ends_in_text and said[-1]["role"] == "user":
        return said[:-1]
    return said
