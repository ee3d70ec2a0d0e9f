"""What a client's agent says, checked: nothing of it is written unseen.

A lent agent runs in a process that the server knows nothing of. What it sends is
decoded strictly; here it is held to the one turn that it answers: its messages, blocks
and tool calls are its own, each begins before it goes on and ends once, and all of it
together has a bound.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, assert_never

import msgspec

from streamchat_nb.agent.approvals import input_hash
from streamchat_nb.errors import InvalidInput, TooLarge
from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.content import (
    Author,
    ProviderBlock,
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
    MessageDiscarded,
    ToolApprovalRequested,
    ToolCompleted,
    ToolProgress,
    ToolRequested,
    ToolStarted,
    TurnStatus,
)
from streamchat_nb.tools.actions import usable_actions
from streamchat_nb.tools.output import cut_middle, is_blank

if TYPE_CHECKING:
    from typing import Any

    from streamchat_nb.conversation.state import Fold
    from streamchat_nb.protocol.agent_events import AgentEvent
    from streamchat_nb.protocol.content import Usage

__all__ = ["LentEvents"]

MOST_BYTES = 33_554_432
"""Of all events of one turn, as JSON."""
MOST_MESSAGES = 1_000
MOST_TOOL_CALLS = 1_000
_MOST_LABEL_CHARACTERS = 200
_MOST_TOKENS = 10**9
_MOST_USD = 10**6
_MOST_TEXT_CHARACTERS = 500
_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_OWN_BLOCKS = (TextBlock, ThinkingBlock, ToolUseBlock, ProviderBlock)
_ENVELOPE: dict[str, Any] = {
    "conversation": "",
    "seq": 0,
    "prev": 0,
    "ts": 0,
    "turn": None,
}

_MessageEvent = MessageCreated | MessageCompleted | MessageDiscarded
_BlockEvent = BlockStarted | BlockDelta | BlockCompleted
_CallEvent = (
    ToolRequested | ToolApprovalRequested | ToolStarted | ToolProgress | ToolCompleted
)


class LentEvents:
    """Checks the events of one turn, batch by batch.

    Args:
        fold: What the conversation has already.
        agent: The agent's name: its messages are by that.
        tool_output_bytes: Largest tool output in an event; the rest is cut out.
    """

    def __init__(self, fold: Fold, *, agent: str, tool_output_bytes: int) -> None:
        self._fold = fold
        self._agent = agent
        self._tool_output_bytes = tool_output_bytes
        self._bytes_left = MOST_BYTES
        self._messages: dict[str, bool] = {}
        self._blocks: dict[tuple[str, str], bool] = {}
        self._calls: dict[str, ToolRequested] = {}
        self._asked: set[str] = set()
        self._waiting: set[str] = set()
        self._ended_calls: set[str] = set()

    @property
    def awaits_approval(self) -> bool:
        """Whether a call has asked a person, and has neither begun nor ended."""
        return bool(self._waiting)

    def take(self, events: list[AgentEvent]) -> list[AgentEvent]:
        """Return a batch as it may be written.

        Raises:
            InvalidInput: An event of it is not this turn's or not in its place; the
                agent is to be stopped then, for what it has begun is not known any
                more.
            TooLarge: All that it said is over the bound.
        """
        return [self._taken(event) for event in events]

    def _taken(self, event: AgentEvent) -> AgentEvent:
        self._bytes_left -= len(encode(event))
        if self._bytes_left < 0:
            raise TooLarge(
                f"The agent said more than {MOST_BYTES} bytes in one turn.",
                details={"bytes": MOST_BYTES},
            )
        event = msgspec.structs.replace(event, **_ENVELOPE)
        match event:
            case TurnStatus():
                label = event.label[:_MOST_LABEL_CHARACTERS]
                return msgspec.structs.replace(event, label=label)
            case MessageCreated() | MessageCompleted() | MessageDiscarded():
                return self._message(event)
            case BlockStarted() | BlockDelta() | BlockCompleted():
                return self._block(event)
            case _:
                return self._call(event)

    # messages

    def _message(self, event: _MessageEvent) -> AgentEvent:
        match event:
            case MessageCreated():
                return self._created(event)
            case MessageCompleted():
                _need(
                    self._messages.get(event.message), "ends a message that is not open"
                )
                self._messages[event.message] = False
                _need(
                    all(isinstance(block, _OWN_BLOCKS) for block in event.content),
                    "sends a block that only people send",
                )
                _check_counts(event.usage, event.cost)
                actions = usable_actions(event.actions or ())
                return msgspec.structs.replace(event, actions=actions or None)
            case MessageDiscarded():
                _need(
                    event.message in self._messages,
                    "drops a message that is not its own",
                )
                self._messages[event.message] = False
                _check_counts(event.usage, event.cost)
                reason = event.reason[:_MOST_TEXT_CHARACTERS]
                return msgspec.structs.replace(event, reason=reason)

    def _created(self, event: MessageCreated) -> MessageCreated:
        known = event.message in self._messages or self._fold.message(event.message)
        _need(not known, "begins a message that there is already")
        _need(_ID.fullmatch(event.message), "gives a message an id that cannot be one")
        _need(
            len(self._messages) < MOST_MESSAGES,
            f"sends more than {MOST_MESSAGES} messages",
        )
        self._messages[event.message] = True
        name = event.author.name[:_MOST_LABEL_CHARACTERS] or self._agent
        return MessageCreated(
            message=event.message,
            role="assistant",
            author=Author(id=self._agent, name=name, kind="agent"),
        )

    # blocks

    def _block(self, event: _BlockEvent) -> AgentEvent:
        key = (event.message, event.block)
        _need(
            self._messages.get(event.message),
            "sends a block of a message that is not open",
        )
        match event:
            case BlockStarted():
                _need(key not in self._blocks, "begins a block that there is already")
                _need(
                    _ID.fullmatch(event.block), "gives a block an id that cannot be one"
                )
                self._blocks[key] = True
            case BlockDelta():
                _need(self._blocks.get(key), "goes on with a block that is not open")
            case BlockCompleted():
                _need(self._blocks.get(key), "ends a block that is not open")
                _need(
                    isinstance(event.content, (*_OWN_BLOCKS, type(None))),
                    "sends a block that only people send",
                )
                self._blocks[key] = False
            case _:
                assert_never(event)
        return event

    # tool calls

    def _call(self, event: _CallEvent) -> AgentEvent:
        if isinstance(event, ToolRequested):
            return self._requested(event)
        _need(
            event.tool_call in self._calls and event.tool_call not in self._ended_calls,
            "tells of a tool call that is not open",
        )
        match event:
            case ToolApprovalRequested():
                return self._asking(event)
            case ToolStarted():
                self._check_approved(event.tool_call)
                self._waiting.discard(event.tool_call)
                return msgspec.structs.replace(event, executor="kernel", lease=None)
            case ToolProgress():
                message = event.message and event.message[:_MOST_TEXT_CHARACTERS]
                return msgspec.structs.replace(event, message=message)
            case ToolCompleted():
                self._ended_calls.add(event.tool_call)
                self._waiting.discard(event.tool_call)
                return self._ended(event)

    def _requested(self, event: ToolRequested) -> ToolRequested:
        known = event.tool_call in self._calls or self._fold.tool_call(event.tool_call)
        _need(not known, "asks for a tool call that there is already")
        _need(
            _ID.fullmatch(event.tool_call), "gives a tool call an id that cannot be one"
        )
        _need(
            event.message in self._messages,
            "asks for a tool in a message that is not its own",
        )
        _need(
            len(self._calls) < MOST_TOOL_CALLS,
            f"asks for more than {MOST_TOOL_CALLS} tool calls",
        )
        self._calls[event.tool_call] = event
        return msgspec.structs.replace(
            event,
            block=event.block[:64],
            name=event.name[:_MOST_LABEL_CHARACTERS],
            label=event.label[:_MOST_LABEL_CHARACTERS],
            where="provider" if event.where == "provider" else "kernel",
        )

    def _asking(self, event: ToolApprovalRequested) -> ToolApprovalRequested:
        _need(
            _ID.fullmatch(event.approval), "gives an approval an id that cannot be one"
        )
        _need(
            event.tool_call not in self._asked,
            "asks a person twice about one tool call",
        )
        self._asked.add(event.tool_call)
        self._waiting.add(event.tool_call)
        return msgspec.structs.replace(
            event,
            input_hash=input_hash(self._calls[event.tool_call].input),
            prompt=event.prompt[:_MOST_TEXT_CHARACTERS],
            may_remember=event.may_remember and event.risk != "exec",
        )

    def _check_approved(self, tool_call: str) -> None:
        """A call that asked a person begins only once the log says yes."""
        if tool_call in self._asked:
            state = self._fold.tool_call(tool_call)
            asked = None if state is None else state.approval
            _need(
                asked is not None and asked.decision == "approved",
                "begins a tool call that nobody has approved",
            )

    def _ended(self, event: ToolCompleted) -> ToolCompleted:
        output, truncated = cut_middle(event.output, self._tool_output_bytes)
        return msgspec.structs.replace(
            event,
            output="(no output)" if is_blank(output) else output,
            truncated=truncated or event.truncated,
            artifact=None,
            actions=usable_actions(event.actions or ()) or None,
        )


def _need(holds: object, what: str) -> None:
    if not holds:
        raise InvalidInput(
            f"The agent {what}; it was stopped. Mend the agent and run its cell again.",
            code="agent_events_invalid",
        )


def _check_counts(usage: Usage | None, cost: float | None) -> None:
    counts = [] if usage is None else list(msgspec.structs.astuple(usage))
    for count in counts:
        _need(
            count is None or 0 <= count <= _MOST_TOKENS,
            "counts what cannot be used",
        )
    _need(cost is None or 0 <= cost <= _MOST_USD, "costs what cannot be")
