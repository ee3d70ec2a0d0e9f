"""Frames from the server to one connection: answers and delivery, never logged."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from streamchat_nb.errors import StreamchatError
from streamchat_nb.protocol.commands import ClientKind, CommandId
from streamchat_nb.protocol.content import ErrorBody
from streamchat_nb.protocol.limits import Limits

__all__ = [
    "Ack",
    "AgentLimits",
    "Authenticated",
    "AuthenticationTerms",
    "CallTool",
    "CancelAgent",
    "CancelTool",
    "ErrorFrame",
    "Frame",
    "GoingAway",
    "Hello",
    "LentFrame",
    "Live",
    "Participant",
    "Pong",
    "Presence",
    "RunAgent",
    "ShortDelta",
    "Snapshot",
    "Subscribed",
    "TokenExpiring",
    "Unsubscribed",
    "error_body",
]


class FrameBase(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"
):
    """Base of all frames to one connection."""


class AuthenticationTerms(Struct, frozen=True, kw_only=True):
    """Whether and by when ``authenticate`` must come, in milliseconds."""

    required: bool
    deadline_ms: int


class Hello(FrameBase, frozen=True, kw_only=True, tag="hello"):
    """The first frame of every connection.

    ``features`` are what this server can beyond the first version, if a client wants
    it: ``short_deltas``.
    """

    protocol: str
    connection: str
    server: str
    auth: AuthenticationTerms
    limits: Limits
    heartbeat_ms: int
    features: list[str]


class Authenticated(FrameBase, frozen=True, kw_only=True, tag="authenticated"):
    """The answer to ``authenticate``; ``exp`` in seconds since the epoch."""

    re: CommandId
    user: str
    scopes: list[str]
    exp: int


class Ack(FrameBase, frozen=True, kw_only=True, tag="ack"):
    """A command was accepted; its effect is visible once the cursor reaches ``seq``."""

    re: CommandId
    seq: int | None = None
    duplicate: bool = False
    result: dict[str, Any] | None = None


class ErrorFrame(FrameBase, frozen=True, kw_only=True, tag="error"):
    """A command was refused (``re``), or the connection is about to close."""

    code: str
    message: str
    re: CommandId | None = None
    retryable: bool = False
    retry_after_ms: int | None = None
    details: dict[str, Any] | None = None


class TokenExpiring(FrameBase, frozen=True, kw_only=True, tag="token.expiring"):
    """Send a fresh ``authenticate`` before ``exp`` (seconds since the epoch)."""

    exp: int


class Pong(FrameBase, frozen=True, kw_only=True, tag="pong"):
    """Heads of the subscribed conversations; who is behind subscribes again."""

    re: CommandId | None = None
    heads: dict[str, int] = {}


class GoingAway(FrameBase, frozen=True, kw_only=True, tag="going_away"):
    """The server restarts; come back after ``retry_after_ms``."""

    retry_after_ms: int


class Subscribed(FrameBase, frozen=True, kw_only=True, tag="subscribed"):
    """Delivery begins: a replay after ``from`` or a snapshot, then live events."""

    re: CommandId
    conversation: str
    log: str
    mode: Literal["replay", "snapshot"]
    head: int
    from_: int | None = msgspec.field(default=None, name="from")
    reason: (
        Literal["new", "log_changed", "too_old", "beyond_head", "backlog"] | None
    ) = None


class Unsubscribed(FrameBase, frozen=True, kw_only=True, tag="unsubscribed"):
    """Delivery ended without being asked: the conversation is gone."""

    conversation: str
    reason: Literal["deleted", "failed"]


class Snapshot(FrameBase, frozen=True, kw_only=True, tag="snapshot"):
    """The state at ``seq``, in parts whose lists go one after the other.

    Neighbours with the same id are pieces: of one message, whose blocks go one after
    the other, or of one block, whose text is appended and is that of its content too.
    All else is as the first piece says.
    """

    conversation: str
    log: str
    seq: int
    part: int
    parts: int
    state: msgspec.Raw


class Live(FrameBase, frozen=True, kw_only=True, tag="live"):
    """Everything up to ``seq`` was delivered; what follows is new."""

    conversation: str
    seq: int


class CallTool(FrameBase, frozen=True, kw_only=True, tag="tool.call"):
    """Run a function that this client lends.

    Answer with ``tool.accept`` at once, run it when that is acknowledged, then send
    ``tool.result``. The same lease again is the same call: it must not run twice.
    """

    conversation: str
    tool_call: str
    lease: str
    attempt: int
    name: str
    input: dict[str, Any]
    timeout_ms: int


class CancelTool(FrameBase, frozen=True, kw_only=True, tag="tool.cancel"):
    """Nobody waits for this call any more: stop it if it can be stopped."""

    conversation: str
    tool_call: str
    lease: str


class AgentLimits(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a turn stops by itself; the agent sees to it.

    Attributes:
        steps: Model requests.
        tool_calls: Tool calls.
        wall_clock_ms: Longest time, without that in which a person is asked.
        output_tokens: Output tokens; absent: no limit.
        tokens: Ceiling of tokens of all kinds; absent: none.
        cost_usd: Ceiling of what it costs in US dollars, estimated; absent: none.
        conversation_tokens: As ``tokens``, for the whole conversation.
        conversation_cost_usd: As ``cost_usd``, for the whole conversation.
        model_tool_output_bytes: Largest tool output given to a model.
        approval_timeout_ms: How long a person has to answer; absent: as long as it
            takes.
    """

    steps: int
    tool_calls: int
    wall_clock_ms: int
    output_tokens: int | None = None
    tokens: int | None = None
    cost_usd: float | None = None
    conversation_tokens: int | None = None
    conversation_cost_usd: float | None = None
    model_tool_output_bytes: int = 32_768
    approval_timeout_ms: int | None = None


class RunAgent(FrameBase, frozen=True, kw_only=True, tag="agent.run"):
    """Answer a turn with an agent that this client lends.

    Answer with ``agent.accept`` at once, let it begin when that is acknowledged, send
    ``agent.events`` and at last ``agent.end``. The same lease again is the same run: it
    must not begin twice, and what was not acknowledged is sent again. What there was to
    say before is in the conversation, up to ``seq`` of ``log``: the client follows it.
    Answers to approvals come there, too.
    """

    conversation: str
    turn: str
    lease: str
    agent: str
    log: str
    seq: int
    limits: AgentLimits


class CancelAgent(FrameBase, frozen=True, kw_only=True, tag="agent.cancel"):
    """Nobody waits for this agent any more: stop it."""

    conversation: str
    turn: str
    lease: str


class Participant(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who follows a conversation now: one per client, however many sockets it has.

    Attributes:
        client: The id that the client gave itself.
        user: Whose it is, in words.
        name: What the client calls itself; may be empty.
        kind: What it is.
    """

    client: str
    user: str
    name: str = ""
    kind: ClientKind = "tool"


class Presence(FrameBase, frozen=True, kw_only=True, tag="presence"):
    """Who follows a conversation now: ``count``, of whom at most 50 are named."""

    conversation: str
    participants: list[Participant]
    count: int


ShortDelta = str
"""The ``delta`` of a ``block.delta`` that follows one in the frame before.

Sent over a WebSocket to a client whose ``authenticate`` names ``short_deltas`` among
its features, in place of the whole event: a JSON string, not an object. All else is as
in the ``block.delta`` before it (whole, or made of such a string), but that ``seq`` is
one higher and ``prev`` is the ``seq`` of that. Its ``ts`` is not sent: it is of the
same second. What follows another kind of frame, or has another ``seq``, is sent whole.
"""

LentFrame = CallTool | CancelTool | RunAgent | CancelAgent
"""What is said to clients of what they lend."""

Frame = (
    Hello
    | Authenticated
    | Ack
    | ErrorFrame
    | TokenExpiring
    | Pong
    | GoingAway
    | Subscribed
    | Unsubscribed
    | Snapshot
    | Live
    | Presence
    | CallTool
    | CancelTool
    | RunAgent
    | CancelAgent
)
"""The closed union of frames to one connection."""


def error_body(error: StreamchatError) -> ErrorBody:
    """Return the wire shape of an error."""
    return ErrorBody(
        code=error.code,
        message=error.message,
        retryable=error.retryable,
        retry_after_ms=error.retry_after_ms,
        details=error.details,
    )
