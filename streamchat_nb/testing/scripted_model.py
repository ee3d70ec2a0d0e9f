"""A model that says what a test tells it to."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec
from typing_extensions import override

from streamchat_nb.agent.model import (
    Model,
    ModelBlockDelta,
    ModelBlockStart,
    ModelBlockStop,
    ModelEvent,
    ModelMessageStop,
    ModelRequest,
)
from streamchat_nb.errors import UsageError
from streamchat_nb.protocol.content import (
    AssistantBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from streamchat_nb.protocol.events import BlockKind

__all__ = ["ScriptStep", "ScriptedModel", "script", "tool_use"]

ScriptStep = ModelEvent | BaseException | Callable[[], Awaitable[object]]
"""An event to yield, an error to raise, or something to wait for (a gate)."""


class ScriptedModel(Model):
    """Plays one script for each request, in order, and keeps the requests.

    Args:
        scripts: The steps of each request; see ``script`` for whole messages.
        name: As in ``Model``.
        offline: As in ``Model``.
        repeat_last: Play the last script again for every further request; else a
            further request raises ``UsageError``.

    Attributes:
        requests: What was asked, oldest first.
        open_streams: Streams begun and neither ended nor closed.
        closed: ``close`` was called.
    """

    def __init__(
        self,
        scripts: Iterable[Iterable[ScriptStep]],
        *,
        name: str = "scripted",
        offline: bool = False,
        repeat_last: bool = False,
    ) -> None:
        self.name = name
        self.offline = offline
        self.requests: list[ModelRequest] = []
        self.open_streams = 0
        self.closed = False
        self._scripts = [list(steps) for steps in scripts]
        self._repeat_last = repeat_last

    @override
    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        number = len(self.requests)
        self.requests.append(request)
        if self._repeat_last:
            number = min(number, len(self._scripts) - 1)
        if number >= len(self._scripts):
            raise UsageError(
                f"Request {number + 1} has no script: {len(self._scripts)} were given."
            )
        self.open_streams += 1
        try:
            for step in self._scripts[number]:
                if isinstance(step, BaseException):
                    raise step
                if callable(step):
                    await step()
                else:
                    yield step
        finally:
            self.open_streams -= 1

    @override
    async def close(self) -> None:
        self.closed = True


def tool_use(
    name: str, input_: dict[str, Any] | None = None, *, id_: str = "toolu_1"
) -> ToolUseBlock:
    """Return a tool call for a script."""
    return ToolUseBlock(id=id_, name=name, input=input_ or {})


def script(
    *blocks: AssistantBlock | str,
    stop_reason: str | None = None,
    usage: Usage | None = None,
    cut: bool = False,
) -> list[ModelEvent]:
    """Return the events of one whole message.

    Args:
        blocks: What it holds; a text is a ``TextBlock``, streamed word by word.
        stop_reason: ``None`` for ``tool_use`` where there is a tool call, else
            ``end_turn``.
        usage: What it is said to have cost.
        cut: Leave the end off. Put the error that follows after it.
    """
    content = [TextBlock(text=b) if isinstance(b, str) else b for b in blocks]
    events: list[ModelEvent] = []
    for index, block in enumerate(content):
        kind, parts = _streamed(block)
        events.append(ModelBlockStart(index=index, kind=kind))
        events.extend(
            ModelBlockDelta(index=index, kind=kind, text=part) for part in parts
        )
        events.append(ModelBlockStop(index=index, kind=kind, content=block))
    has_tool = any(isinstance(block, ToolUseBlock) for block in content)
    stop = ModelMessageStop(
        content=content,
        stop_reason=stop_reason or ("tool_use" if has_tool else "end_turn"),
        usage=usage or Usage(),
    )
    return events if cut else [*events, stop]


def _streamed(block: AssistantBlock) -> tuple[BlockKind, Sequence[str]]:
    """Return the kind of a block and the parts that it comes in."""
    match block:
        case TextBlock():
            return "text", re.findall(r"\S+\s*|\s+", block.text)
        case ThinkingBlock():
            return "thinking", re.findall(r"\S+\s*|\s+", block.thinking)
        case ToolUseBlock():
            return "tool_use", [msgspec.json.encode(block.input).decode()]
        case _:
            return "server_tool", []
