"""What the server of the AG-UI tests answers with: the offline demo, and thinking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.agent.offline_model import OfflineModel
from streamchat_nb.protocol.content import TextBlock, ThinkingBlock
from streamchat_nb.testing.scripted_model import script
from streamchat_nb.tools.decorator import tool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streamchat_nb.agent.model import ModelEvent, ModelRequest

__all__ = ["make_agent", "write_note"]


class ThinkingDemo(OfflineModel):
    """The offline demo, which thinks where it is told to."""

    @override
    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        if "think first" in str(request.messages[-1]):
            thought = ThinkingBlock(thinking="Let me see, step by step.", signature="s")
            for event in script(thought, TextBlock(text="I have thought about it.")):
                yield event
            return
        async for event in super().stream(request):
            yield event


def make_agent() -> AnthropicAgent:
    return AnthropicAgent(ThinkingDemo(pace_s=0.001), system="Be brief.")


@tool(risk="write")
def write_note(text: str) -> str:
    """Write a note down.

    Args:
        text: What to write.
    """
    return f"Noted: {text}"
