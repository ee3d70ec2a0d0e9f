"""The quickest agent there is, for faults that are not about answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from streamchat_nb.agent.agent import Agent, AgentEvent, Turn
from streamchat_nb.protocol.content import Author, TextBlock
from streamchat_nb.protocol.events import MessageCompleted, MessageCreated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["BriefAgent"]


class BriefAgent(Agent):
    """Says the same to everything, at once."""

    name = "brief"

    @override
    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        message = turn.new_message_id()
        author = Author(id="brief", name="Brief", kind="agent")
        yield MessageCreated(message=message, role="assistant", author=author)
        yield MessageCompleted(message=message, content=[TextBlock(text="Yes.")])
