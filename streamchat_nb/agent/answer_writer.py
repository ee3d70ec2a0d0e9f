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
    from collections.abc import Callable, Iterable

    from streamchat_nb.agent.agent import AgentEvent, Turn
    from streamchat_nb.protocol.content import AssistantBlock, Display, Usage
    from streamchat_nb.protocol.events import Risk, ToolStatus

__all__ = ["AnswerWriter", "MessageWriter"]

_MOST_DELTA_CHARACTERS = 8_192
_MOST_MESSAGE_CHARACTERS = 40_000
"""So many fit into an event, whatever they are."""
_MOST_PROGRESS_CHARACTERS = 500


class MessageWriter:
    """One thing that is said: text, thinking, and calls at its end.

    Begins with the first word; what is beyond 40,000 characters goes on in a new
    message. Gives the events that follow from each thing said.

    Args:
        author: The agent.
        new_message_id: Gives a fresh id for each message.

    Attributes:
        message: Id of the newest message; empty before the first.
        messages: Ids of all.
        content: Blocks of the newest message that has ended; ``b0`` is the first.
        text: The text as far as it was said.
        is_open: A message has begun and has not ended.
    """

    def __init__(self, author: Author, new_message_id: Callable[[], str]) -> None:
        self.message = ""
        self.messages: list[str] = []
        self.content: list[AssistantBlock] = []
        self.is_open = False
        self._author = author
        self._new_message_id = new_message_id
        self._blocks: list[AssistantBlock] = []
        self._kind: Literal["text", "thinking"] | None = None
        self._pieces: list[str] = []
        self._said: list[str] = []
        self._characters = 0

    @property
    def text(self) -> str:
        """The text as far as it was said."""
        return "".join(self._said)

    def say(self, text: str) -> list[AgentEvent]:
        """Return the events of more text."""
        events: list[AgentEvent] = []
        if text and not self._said:
            events.append(TurnStatus(phase="responding", label="Agent is writing…"))
        text = clean_text(text)
        self._said += [text] if text else []
        return events + self._more("text", text)

    def think(self, text: str) -> list[AgentEvent]:
        """Return the events of more thinking."""
        return self._more("thinking", clean_text(text))

    def ask(
        self, calls: Iterable[ToolUseBlock], *, usage: Usage | None = None
    ) -> list[AgentEvent]:
        """Return the events of calls, with which the message ends.

        Their ids must be their own in the conversation.
        """
        events = [*self.open(), *self._end_block()]
        for call in calls:
            block = self._block()
            events += [
                BlockStarted(message=self.message, block=block, kind="tool_use"),
                BlockCompleted(
                    message=self.message, block=block, kind="tool_use", content=call
                ),
            ]
            self._blocks.append(call)
        return [*events, self._completed("tool_use", usage)]

    def open(self) -> list[AgentEvent]:
        """Return the event of a message that begins; none when it has."""
        if self.is_open:
            return []
        self.is_open = True
        self.message = self._new_message_id()
        self.messages.append(self.message)
        return [
            MessageCreated(message=self.message, role="assistant", author=self._author)
        ]

    def end(
        self,
        stop_reason: str | None = "end_turn",
        *,
        usage: Usage | None = None,
        actions: list[Action] | None = None,
    ) -> list[AgentEvent]:
        """Return the events that end the message; none when none is open."""
        if not self.is_open:
            return []
        ended = self._end_block()
        return [*ended, self._completed(stop_reason, usage, actions)]

    def _more(self, kind: Literal["text", "thinking"], text: str) -> list[AgentEvent]:
        events: list[AgentEvent] = []
        for start in range(0, len(text), _MOST_DELTA_CHARACTERS):
            delta = text[start : start + _MOST_DELTA_CHARACTERS]
            if self._characters + len(delta) > _MOST_MESSAGE_CHARACTERS:
                events += self.end(None)
            events += [*self.open(), *self._begin_block(kind)]
            self._pieces.append(delta)
            self._characters += len(delta)
            block = self._block()
            events.append(
                BlockDelta(message=self.message, block=block, kind=kind, delta=delta)
            )
        return events

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
        kind, text = self._kind, "".join(self._pieces)
        content = (
            TextBlock(text=text) if kind == "text" else ThinkingBlock(thinking=text)
        )
        ended = BlockCompleted(
            message=self.message, block=self._block(), kind=kind, content=content
        )
        self._blocks.append(content)
        self._kind = None
        self._pieces = []
        return [ended]

    def _block(self) -> str:
        """Return the id of the block that is open, or begins next."""
        return f"b{len(self._blocks)}"

    def _completed(
        self,
        stop_reason: str | None,
        usage: Usage | None,
        actions: list[Action] | None = None,
    ) -> MessageCompleted:
        self.content, self._blocks = self._blocks, []
        self.is_open = False
        self._characters = 0
        return MessageCompleted(
            message=self.message,
            content=[*self.content],
            stop_reason=stop_reason,
            usage=usage,
            actions=actions or None,
        )


class AnswerWriter:
    """A whole answer: messages, tool calls with one end each, links and buttons.

    What is open when nothing more is said stays open: the runner closes it.

    Args:
        turn: The turn; gives the ids of messages and the tool calls before it.
        name: The agent's.
        tool_output_bytes: Largest tool output in an event; the rest is cut out.

    Attributes:
        said: What is being said.
        running: Ids of the tool calls that have not ended, in the order they began.
    """

    def __init__(
        self, turn: Turn, *, name: str, tool_output_bytes: int = 131_072
    ) -> None:
        self.running: list[str] = []
        self._turn = turn
        self._author = Author(id=name, name=name, kind="agent")
        self._tool_output_bytes = tool_output_bytes
        self._taken_ids = _tool_use_ids(turn.history)
        self._actions: list[Action] = []
        self.said = self.begin()

    def begin(self) -> MessageWriter:
        """Begin to say something else; what was said before is the caller's to end."""
        self.said = MessageWriter(self._author, self._turn.new_message_id)
        return self.said

    def own_call(self, call: ToolUseBlock) -> ToolUseBlock:
        """Return a call with an id that no other of the conversation has."""
        id_ = own_id(call.id, self._taken_ids)
        self._taken_ids.add(id_)
        return ToolUseBlock(id=id_, name=call.name, input=call.input)

    def ask(self, call: ToolUseBlock) -> tuple[list[AgentEvent], ToolUseBlock]:
        """Return the events of a message that ends with a call, and that call.

        Its id is its own. ``said`` stays until the next word.
        """
        own = self.own_call(call)
        return self.said.ask([own]), own

    def requested(
        self,
        call: ToolUseBlock,
        *,
        said: MessageWriter | None = None,
        label: str | None = None,
        risk: Risk = "read",
        needs_approval: bool = False,
    ) -> ToolRequested:
        """Return the event of a call that a message asks for.

        It is running from now on, until ``ended``.

        Args:
            call: As it stands in the message.
            said: Which message; the newest when ``None``.
            label: For the user; ``"Using {name}…"`` when ``None``.
            risk: What it may do.
            needs_approval: A person will be asked.
        """
        said = said or self.said
        self.running.append(call.id)
        return ToolRequested(
            message=said.message,
            block=f"b{said.content.index(call)}",
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

    def end(
        self, stop_reason: str | None = "end_turn", *, usage: Usage | None = None
    ) -> list[AgentEvent]:
        """Return the events that end the answer, with its links and buttons."""
        actions = usable_actions(self._actions)
        begun = self.said.open() if actions else []
        return [*begun, *self.said.end(stop_reason, usage=usage, actions=actions)]


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
