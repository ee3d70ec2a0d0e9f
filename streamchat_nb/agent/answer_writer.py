"""From the parts of an answer to the events of whole messages. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

from streamchat_nb.agent.repair import own_id
from streamchat_nb.protocol.content import (
    Action,
    Author,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
)
from streamchat_nb.protocol.events import (
    BlockCompleted,
    BlockDelta,
    BlockStarted,
    MessageCompleted,
    MessageCreated,
    ToolCompleted,
    ToolProgress,
    ToolRequested,
    TurnStatus,
)
from streamchat_nb.tools.actions import usable_actions
from streamchat_nb.tools.output import clean_text, cut_middle, is_blank

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamchat_nb.agent.agent import AgentEvent, Turn
    from streamchat_nb.protocol.content import AssistantBlock, Display, Usage
    from streamchat_nb.protocol.events import Risk, ToolStatus

__all__ = ["AnswerWriter"]

_MOST_DELTA_CHARACTERS = 8_192
_MOST_MESSAGE_CHARACTERS = 40_000
"""So many fit into an event, whatever they are."""
_MOST_PROGRESS_CHARACTERS = 500


class AnswerWriter:
    """Makes messages of what an agent says, each with one end, and tool calls too.

    Gives the events that follow from each thing said. What is open when nothing more
    is said stays open: the runner closes it. Text beyond 40,000 characters goes on in
    a new message.

    Args:
        turn: The turn; gives the ids of messages and the tool calls before it.
        name: The agent's.
        tool_output_bytes: Largest tool output in an event; the rest is cut out.

    Attributes:
        message: Id of the newest message; empty before the first.
        content: Blocks of the newest message that has ended; ``b0`` is the first.
        running: Ids of the tool calls that have not ended, in the order they began.
    """

    def __init__(
        self, turn: Turn, *, name: str, tool_output_bytes: int = 131_072
    ) -> None:
        self.message = ""
        self.content: list[AssistantBlock] = []
        self.running: list[str] = []
        self._new_message_id = turn.new_message_id
        self._author = Author(id=name, name=name, kind="agent")
        self._tool_output_bytes = tool_output_bytes
        self._taken_ids = _tool_use_ids(turn.history)
        self._is_open = False
        self._blocks: list[AssistantBlock] = []
        self._kind: Literal["text", "thinking"] | None = None
        self._text: list[str] = []
        self._characters = 0
        self._said_text = False
        self._actions: list[Action] = []

    def say(self, text: str) -> list[AgentEvent]:
        """Return the events of more text."""
        events: list[AgentEvent] = []
        if text and not self._said_text:
            self._said_text = True
            events.append(TurnStatus(phase="responding", label="Agent is writing…"))
        return events + self._more("text", text)

    def think(self, text: str) -> list[AgentEvent]:
        """Return the events of more thinking."""
        return self._more("thinking", text)

    def ask(
        self, calls: Iterable[ToolUseBlock], *, usage: Usage | None = None
    ) -> tuple[list[AgentEvent], list[ToolUseBlock]]:
        """Return the events of a message that asks for calls, and ends there.

        Returns:
            The events, and the calls in order, each under an id of its own.
        """
        events = [*self._open(), *self._end_block()]
        asked: list[ToolUseBlock] = []
        for call in calls:
            id_ = own_id(call.id, self._taken_ids)
            self._taken_ids.add(id_)
            own = ToolUseBlock(id=id_, name=call.name, input=call.input)
            block = self._block()
            events += [
                BlockStarted(message=self.message, block=block, kind="tool_use"),
                BlockCompleted(
                    message=self.message, block=block, kind="tool_use", content=own
                ),
            ]
            self._blocks.append(own)
            asked.append(own)
        return [*events, self._end_message("tool_use", usage)], asked

    def requested(
        self,
        call: ToolUseBlock,
        *,
        label: str | None = None,
        risk: Risk = "read",
        needs_approval: bool = False,
    ) -> ToolRequested:
        """Return the event of a call that the newest message asks for.

        It is running from now on, until ``ended``.
        """
        self.running.append(call.id)
        return ToolRequested(
            message=self.message,
            block=f"b{self.content.index(call)}",
            tool_call=call.id,
            name=call.name,
            label=label if label is not None else f"Using {call.name}…",
            input=call.input,
            needs_approval=needs_approval,
            risk=risk,
        )

    def news(
        self, tool_call: str, text: str, fraction: float | None = None
    ) -> list[AgentEvent]:
        """Return the events of a report of a tool; none when it does not run."""
        if tool_call not in self.running:
            return []
        if fraction is not None:
            fraction = min(1.0, max(0.0, float(fraction)))
        message = clean_text(str(text)[:_MOST_PROGRESS_CHARACTERS])
        return [ToolProgress(tool_call=tool_call, message=message, fraction=fraction)]

    def ended(
        self,
        tool_call: str,
        *,
        status: ToolStatus,
        output: str,
        display: Iterable[Display] = (),
        actions: Iterable[Action] = (),
    ) -> list[AgentEvent]:
        """Return the events of a tool's end; none when it does not run."""
        if tool_call not in self.running:
            return []
        self.running.remove(tool_call)
        if is_blank(output):
            output = "Done." if status == "ok" else f"The tool ended as {status}."
        shown, truncated = cut_middle(output, self._tool_output_bytes)
        offered = usable_actions(actions)
        self.offer(offered)
        return [
            ToolCompleted(
                tool_call=tool_call,
                status=status,
                output=shown,
                truncated=truncated,
                display=[*display] or None,
                actions=offered or None,
            )
        ]

    def offer(self, actions: Iterable[Action]) -> None:
        """Note links and buttons for the end of the answer."""
        self._actions += actions

    def end_message(
        self, stop_reason: str = "end_turn", usage: Usage | None = None
    ) -> list[AgentEvent]:
        """Return the events that end the open message; none when none is open."""
        if not self._is_open:
            return []
        return [*self._end_block(), self._end_message(stop_reason, usage)]

    def end(
        self, stop_reason: str = "end_turn", usage: Usage | None = None
    ) -> list[AgentEvent]:
        """Return the events that end the answer, with its links and buttons."""
        actions = usable_actions(self._actions)
        begun = self._open() if actions else []
        if not self._is_open:
            return []
        ended = self._end_block()
        return [*begun, *ended, self._end_message(stop_reason, usage, actions)]

    def _more(self, kind: Literal["text", "thinking"], text: str) -> list[AgentEvent]:
        events: list[AgentEvent] = []
        text = clean_text(text)
        for start in range(0, len(text), _MOST_DELTA_CHARACTERS):
            delta = text[start : start + _MOST_DELTA_CHARACTERS]
            if self._characters + len(delta) > _MOST_MESSAGE_CHARACTERS:
                events += self.end_message("max_tokens")
            events += self._open()
            events += self._begin_block(kind)
            self._text.append(delta)
            self._characters += len(delta)
            events.append(
                BlockDelta(
                    message=self.message, block=self._block(), kind=kind, delta=delta
                )
            )
        return events

    def _open(self) -> list[AgentEvent]:
        if self._is_open:
            return []
        self._is_open = True
        self.message = self._new_message_id()
        return [
            MessageCreated(message=self.message, role="assistant", author=self._author)
        ]

    def _begin_block(self, kind: Literal["text", "thinking"]) -> list[AgentEvent]:
        if self._kind == kind:
            return []
        events = self._end_block()
        self._kind = kind
        block = self._block()
        return [*events, BlockStarted(message=self.message, block=block, kind=kind)]

    def _end_block(self) -> list[AgentEvent]:
        if self._kind is None:
            return []
        kind, text = self._kind, "".join(self._text)
        content = (
            TextBlock(text=text) if kind == "text" else ThinkingBlock(thinking=text)
        )
        ended = BlockCompleted(
            message=self.message, block=self._block(), kind=kind, content=content
        )
        self._blocks.append(content)
        self._kind = None
        self._text = []
        return [ended]

    def _block(self) -> str:
        """Return the id of the block that is open, or begins next."""
        return f"b{len(self._blocks)}"

    def _end_message(
        self,
        stop_reason: str,
        usage: Usage | None,
        actions: list[Action] | None = None,
    ) -> MessageCompleted:
        self.content, self._blocks = self._blocks, []
        self._is_open = False
        self._said_text = False
        self._characters = 0
        return MessageCompleted(
            message=self.message,
            content=[*self.content],
            stop_reason=stop_reason,
            usage=usage,
            actions=actions or None,
        )


def _tool_use_ids(history: list[dict[str, Any]]) -> set[str]:
    blocks = cast(
        "list[dict[str, Any]]",
        [
            block
            for message in history
            if isinstance(message["content"], list)
            for block in cast("list[object]", message["content"])
        ],
    )
    return {block["id"] for block in blocks if block.get("type") == "tool_use"}
