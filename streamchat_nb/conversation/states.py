"""What a conversation is at one ``seq``: the values that the fold owns. Pure."""

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
from streamchat_nb.protocol.events import ApprovalDecision, BlockKind, Phase, Risk

__all__ = [
    "ApprovalState",
    "BlockState",
    "ConversationState",
    "MessageState",
    "ToolCallState",
    "TurnState",
    "final_message",
    "is_removed",
    "summed_usage",
]


class BlockState(Struct, kw_only=True, omit_defaults=True):
    """One block of a message.

    ``text`` grows while it streams (for ``tool_use`` it is the JSON text of the
    input); ``content`` is set once it is complete. Of thinking, ``started_ts`` says
    when it began and ``duration_ms``, once it is complete, how long it took.
    """

    block: str
    kind: BlockKind
    text: str = ""
    content: ContentBlock | None = None
    partial: bool = False
    started_ts: int | None = None
    duration_ms: int | None = None


class MessageState(Struct, kw_only=True, omit_defaults=True):
    """One message. A user's is complete from the start.

    ``edited``: it was changed while it waited for its turn. ``parent``: the user's
    message that a user's message follows; empty: none.
    """

    message: str
    role: Literal["user", "assistant"]
    author: Author
    ts: int
    status: Literal["streaming", "complete", "partial", "discarded"] = "streaming"
    turn: str | None = None
    client_message_id: str | None = None
    parent: str | None = None
    blocks: list[BlockState] = []
    stop_reason: str | None = None
    usage: Usage | None = None
    actions: list[Action] = []
    discard_reason: str | None = None
    edited: bool = False
    output_schema: dict[str, Any] | None = None


class ApprovalState(Struct, kw_only=True, omit_defaults=True):
    """A tool call's question to a person; it waits while ``decision`` is ``None``.

    What a call that has ended still asks is no longer of interest.
    """

    approval: str
    input_hash: str
    prompt: str
    risk: Risk
    may_remember: bool = True
    expires_at: int | None = None
    decision: ApprovalDecision | None = None
    by: Author | None = None
    reason: str | None = None
    is_edited: bool = False


class ToolCallState(Struct, kw_only=True, omit_defaults=True):
    """One tool call, from the request to its end."""

    tool_call: str
    message: str
    block: str
    name: str
    label: str
    input: dict[str, Any]
    where: Literal["server", "kernel", "provider"] = "server"
    turn: str | None = None
    risk: Risk = "read"
    approval: ApprovalState | None = None
    status: Literal[
        "requested",
        "running",
        "ok",
        "error",
        "denied",
        "cancelled",
        "timeout",
        "unknown",
    ] = "requested"
    attempt: int = 0
    started_ts: int | None = None
    progress_message: str | None = None
    progress_fraction: float | None = None
    progress_log: list[str] = []
    output: str | None = None
    truncated: bool = False
    artifact: str | None = None
    display: list[Display] = []
    actions: list[Action] = []
    duration_ms: int | None = None


class TurnState(Struct, kw_only=True, omit_defaults=True):
    """One turn. ``message`` is the user's message that it answers."""

    turn: str
    message: str
    status: Literal[
        "queued", "running", "completed", "cancelled", "failed", "interrupted"
    ]
    agent: str = ""
    model: str = ""
    offline: bool = False
    phase: Phase | None = None
    label: str = ""
    retry_in_ms: int | None = None
    stop_reason: str | None = None
    error: ErrorBody | None = None
    usage: Usage | None = None
    cost: float | None = None
    started_ts: int | None = None
    finished_ts: int | None = None


class ConversationState(Struct, kw_only=True, omit_defaults=True):
    """All that a screen shows, at one ``seq``.

    ``usage`` and ``cost`` (US dollars, estimated) are sums over the turns that ended;
    ``unpriced_turns`` counts those among them whose cost is not known. ``tip``: the
    user's message at which the conversation is shown and continued.
    """

    conversation: str = ""
    seq: int = 0
    title: str = ""
    settings: dict[str, Any] = {}
    created_ts: int = 0
    messages: list[MessageState] = []
    tool_calls: list[ToolCallState] = []
    turns: list[TurnState] = []
    usage: Usage | None = None
    cost: float | None = None
    unpriced_turns: int = 0
    tip: str | None = None


def summed_usage(one: Usage | None, other: Usage | None) -> Usage | None:
    """Return the sum per kind of token; what neither counted stays ``None``."""
    if one is None or other is None:
        return other if one is None else one
    counts: dict[str, int] = {}
    for field in Usage.__struct_fields__:
        known = [getattr(usage, field) for usage in (one, other)]
        if known != [None, None]:
            counts[field] = sum(count or 0 for count in known)
    return Usage(**counts)


def is_removed(turn: TurnState) -> bool:
    """Say whether a turn was taken out of the queue before it began."""
    return turn.stop_reason == "removed" and turn.started_ts is None


def final_message(state: ConversationState, turn: str) -> MessageState | None:
    """Return the agent's last message of a turn that was not discarded, if any."""
    for message in reversed(state.messages):
        if (
            message.turn == turn
            and message.role == "assistant"
            and message.status != "discarded"
        ):
            return message
    return None
