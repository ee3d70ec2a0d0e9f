"""One end for each message, call and turn of a function, wherever it is stopped."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from streamchat_nb.agent.function_agent import (
    FunctionAgent,
    Thinking,
    ToolEnd,
    ToolStart,
)
from streamchat_nb.tools.decorator import tool
from streamchat_nb.tools.registry import ToolSet
from tests.integration.agent.graph_conversation import Conversation, conversation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streamchat_nb.agent.function_agent import FunctionTurn
    from streamchat_nb.protocol import events as e


@tool
async def look(what: str) -> str:
    """Look at something."""
    await asyncio.sleep(0)
    return f"{what}: seen"


@tool(risk="write")
async def change(what: str) -> str:
    """Change something."""
    return f"{what}: changed"


async def everything(turn: FunctionTurn) -> AsyncIterator[object]:
    yield Thinking("Well, ")
    yield "I look. "
    await asyncio.gather(turn.call("look", what="one"), turn.call("look", what="two"))
    yield "I change. "
    yield (await turn.call("change", what="three")).output
    yield ToolStart("mine", "own", {})
    yield "Meanwhile "
    yield ToolEnd("mine", "own result")
    yield "Done."


def approve(_request: e.ToolApprovalRequested) -> dict[str, str]:
    return {"decision": "approved"}


async def play(at: int | None) -> tuple[Conversation, e.TurnFinished]:
    async with conversation() as talk:
        talk.tools = ToolSet([look, change])
        agent = FunctionAgent(everything)
        end = await talk.ask(agent, answer=approve, cancel_at=at)
        return talk, end


def test_wherever_it_is_stopped() -> None:
    talk, end = asyncio.run(play(None))
    assert end.status == "completed"
    assert [call.status for call in talk.state.tool_calls] == ["ok"] * 4
    most = len(talk.events)
    assert most > 40
    for number in range(most):
        _, end = asyncio.run(play(number))
        assert end.status == "cancelled" or number > most - 4
