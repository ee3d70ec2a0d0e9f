"""Durable events: facts in a conversation's log, appended once, numbered, frozen.

Every event has the same envelope. ``seq`` is given by the log when it commits;
agents and services make events without it. ``prev`` is the ``seq`` of the event
before it *in the stream that a reader gets*: a gap that the server made on
purpose (merged or compacted rows) is visible and safe, any other is an error.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from streamchat_nb.protocol.content import (
    Action,
    Author,
    ContentBlock,
    Display,
    ErrorBody,
    Usage,
)

__all__ = [
    "ApprovalDecision",
    "BlockCompleted",
    "BlockDelta",
    "BlockKind",
    "BlockStarted",
    "ConversationCreated",
    "ConversationUpdated",
    "Event",
    "EventBase",
    "MessageCompleted",
    "MessageCreated",
    "MessageDiscarded",
    "MessageEdited",
    "Phase",
    "Risk",
    "ToolApprovalRequested",
    "ToolApprovalResolved",
    "ToolCompleted",
    "ToolProgress",
    "ToolRequested",
    "ToolStarted",
    "ToolStatus",
    "TurnEndStatus",
    "TurnFinished",
    "TurnQueued",
    "TurnStarted",
    "TurnStatus",
    "UnknownEvent",
]

BlockKind = Literal["text", "thinking", "tool_use", "citation", "server_tool"]
"""What a block holds while it streams."""

Phase = Literal[
    "thinking",
    "responding",
    "using_tool",
    "waiting_approval",
    "waiting_kernel",
    "retrying",
]
"""What a running turn is doing."""

ToolStatus = Literal["ok", "error", "denied", "cancelled", "timeout", "unknown"]
"""How a tool call ended; ``unknown``: it may have run."""

Risk = Literal["read", "write", "exec"]
"""What a tool may do: look, change something, or run any code."""

ApprovalDecision = Literal["approved", "denied"]
"""What a person said to a tool call that asks first."""

TurnEndStatus = Literal["completed", "cancelled", "failed", "interrupted"]
"""How a turn ended; ``interrupted``: the server died under it."""


class EventBase(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"
):
    """The envelope.

    Attributes:
        conversation: Id of the conversation.
        seq: Position in the log, from 1; 0 until the log has given one.
        prev: ``seq`` of the event before it in the reader's stream; 0 for none.
        ts: Wall clock of the append, milliseconds since the epoch. Never used
            for ordering.
        turn: Id of the turn that it belongs to, if any.
    """

    conversation: str = ""
    seq: int = 0
    prev: int = 0
    ts: int = 0
    turn: str | None = None


class ConversationCreated(
    EventBase, frozen=True, kw_only=True, tag="conversation.created"
):
    """The first event of every log."""

    title: str = ""
    settings: dict[str, Any] | None = None
    by: Author | None = None


class ConversationUpdated(
    EventBase, frozen=True, kw_only=True, tag="conversation.updated"
):
    """A new title or new settings; a field that is absent did not change.

    ``tip``: a user's message whose branch is shown and continued from now on.
    """

    title: str | None = None
    settings: dict[str, Any] | None = None
    by: Author | None = None
    tip: str | None = None


class MessageCreated(EventBase, frozen=True, kw_only=True, tag="message.created"):
    """A message begins. A user's comes whole (``content``), an agent's is empty.

    ``parent``: the user's message that a user's message follows in its branch; empty:
    none; absent: the one at which the conversation is shown. ``output_schema``: the
    JSON Schema of the answer that a user's message wants.
    """

    message: str
    role: Literal["user", "assistant"]
    author: Author
    client_message_id: str | None = None
    parent: str | None = None
    content: list[ContentBlock] | None = None
    output_schema: dict[str, Any] | None = None


class MessageCompleted(EventBase, frozen=True, kw_only=True, tag="message.completed"):
    """An agent's message ends. ``content`` is authoritative over its deltas.

    ``partial``: it was cut by a cancel, a failure or a crash. ``cost`` is what its
    request cost in US dollars, estimated; absent: not known.
    """

    message: str
    content: list[ContentBlock]
    stop_reason: str | None = None
    usage: Usage | None = None
    cost: float | None = None
    actions: list[Action] | None = None
    partial: bool = False


class MessageDiscarded(EventBase, frozen=True, kw_only=True, tag="message.discarded"):
    """An agent's message that a retry replaces; shown as void, never sent again.

    ``usage`` and ``cost`` are what it took all the same, where that is known.
    """

    message: str
    reason: str
    usage: Usage | None = None
    cost: float | None = None


class MessageEdited(EventBase, frozen=True, kw_only=True, tag="message.edited"):
    """A user's message that still waited for its turn has another content."""

    message: str
    content: list[ContentBlock]


class TurnQueued(EventBase, frozen=True, kw_only=True, tag="turn.queued"):
    """A user's message waits for the turn before it.

    ``ahead``: it goes before all others that wait; a turn that waits already moves.
    """

    message: str
    ahead: bool = False


class TurnStarted(EventBase, frozen=True, kw_only=True, tag="turn.started"):
    """An agent begins to answer ``message``."""

    message: str
    agent: str
    model: str = ""
    offline: bool = False


class TurnStatus(EventBase, frozen=True, kw_only=True, tag="turn.status"):
    """What the turn does now, in words for the user (``label``)."""

    phase: Phase
    label: str
    retry_in_ms: int | None = None


class BlockStarted(EventBase, frozen=True, kw_only=True, tag="block.started"):
    """A block of a message begins to stream."""

    message: str
    block: str
    kind: BlockKind


class BlockDelta(EventBase, frozen=True, kw_only=True, tag="block.delta"):
    """More of a block: text, thinking, or the JSON text of a tool's input."""

    message: str
    block: str
    kind: BlockKind
    delta: str


class BlockCompleted(EventBase, frozen=True, kw_only=True, tag="block.completed"):
    """A block ends; ``content`` is authoritative over its deltas."""

    message: str
    block: str
    kind: BlockKind
    content: ContentBlock | None = None
    partial: bool = False


class ToolRequested(EventBase, frozen=True, kw_only=True, tag="tool.requested"):
    """A tool call with its whole, validated or refused input."""

    message: str
    block: str
    tool_call: str
    name: str
    label: str
    input: dict[str, Any]
    where: Literal["server", "kernel", "provider"] = "server"
    needs_approval: bool = False
    risk: Risk = "read"


class ToolApprovalRequested(
    EventBase, frozen=True, kw_only=True, tag="tool.approval_requested"
):
    """A tool call waits until a person agrees to exactly this input.

    ``input_hash`` is the SHA-256 of the input as JSON with sorted keys, in hex;
    ``may_remember``: the same tool may be allowed for the whole conversation.
    ``expires_at`` is milliseconds since the epoch; absent: it waits.
    """

    approval: str
    tool_call: str
    input_hash: str
    prompt: str
    risk: Risk
    may_remember: bool = True
    expires_at: int | None = None


class ToolApprovalResolved(
    EventBase, frozen=True, kw_only=True, tag="tool.approval_resolved"
):
    """The one answer to an approval; ``edited_input`` replaces the whole input."""

    approval: str
    tool_call: str
    decision: ApprovalDecision
    by: Author | None = None
    edited_input: dict[str, Any] | None = None
    remember: Literal["once", "conversation"] = "once"
    reason: str | None = None


class ToolStarted(EventBase, frozen=True, kw_only=True, tag="tool.started"):
    """An attempt to run a tool; written before the tool is told."""

    tool_call: str
    attempt: int = 1
    executor: str = "server"
    lease: str | None = None


class ToolProgress(EventBase, frozen=True, kw_only=True, tag="tool.progress"):
    """News from a running tool. ``fraction`` is 0 to 1 when the tool knows it."""

    tool_call: str
    message: str | None = None
    fraction: float | None = None


class ToolCompleted(EventBase, frozen=True, kw_only=True, tag="tool.completed"):
    """The one end of a tool call.

    ``output`` is what the tool gave, cut to the limit for inline outputs
    (``truncated``); never empty.
    """

    tool_call: str
    status: ToolStatus
    output: str
    truncated: bool = False
    artifact: str | None = None
    display: list[Display] | None = None
    actions: list[Action] | None = None
    duration_ms: int | None = None


class TurnFinished(EventBase, frozen=True, kw_only=True, tag="turn.finished"):
    """The one end of a turn.

    ``stop_reason`` is the last model step's, or one of ours: ``superseded`` (it made
    room for a message sent in between), ``removed`` (it was taken out of the queue),
    ``no_subscribers`` (nobody watched it any more). ``cost`` is the sum of its
    messages' costs in US dollars, estimated; absent: not known.
    """

    status: TurnEndStatus
    stop_reason: str | None = None
    error: ErrorBody | None = None
    usage: Usage | None = None
    cost: float | None = None


class UnknownEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event type from a newer peer: opaque, and still advances the cursor."""

    type: str
    conversation: str = ""
    seq: int = 0
    prev: int = 0
    ts: int = 0
    turn: str | None = None


Event = (
    ConversationCreated
    | ConversationUpdated
    | MessageCreated
    | MessageCompleted
    | MessageDiscarded
    | MessageEdited
    | TurnQueued
    | TurnStarted
    | TurnStatus
    | BlockStarted
    | BlockDelta
    | BlockCompleted
    | ToolRequested
    | ToolApprovalRequested
    | ToolApprovalResolved
    | ToolStarted
    | ToolProgress
    | ToolCompleted
    | TurnFinished
)
"""The closed union of durable events."""
