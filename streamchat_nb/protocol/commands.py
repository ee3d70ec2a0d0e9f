"""Commands: what a client asks for over a connection; each may be refused.

Each command but ``ping`` carries an ``id`` chosen by the client and gets exactly
one ``ack`` or ``error`` with that id in ``re``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from streamchat_nb.protocol.agent_events import AgentEvent
from streamchat_nb.protocol.content import (
    Action,
    Display,
    ErrorBody,
    Identifier,
    Parent,
    UserBlock,
)
from streamchat_nb.protocol.events import ApprovalDecision, Risk

__all__ = [
    "AcceptAgent",
    "AcceptTool",
    "AgentCommand",
    "AgentOffer",
    "Approve",
    "Authenticate",
    "Cancel",
    "ClientDescription",
    "ClientKind",
    "Command",
    "CommandId",
    "Cursor",
    "EditQueued",
    "FinishAgent",
    "FinishTool",
    "LendingCommand",
    "OfferAgents",
    "OfferTools",
    "Ping",
    "ReportAgent",
    "ReportTool",
    "SelectBranch",
    "Send",
    "SendNow",
    "Subscribe",
    "ToolCommand",
    "ToolOffer",
    "Unsubscribe",
]

CommandId = int | Identifier
ClientKind = Literal["widget", "page", "kernel", "tool"]


class Cursor(Struct, frozen=True, kw_only=True):
    """A position in one log: everything up to ``seq`` of ``log`` was seen."""

    log: Identifier
    seq: int


class ClientDescription(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who connects; ``id`` stays the same over reconnects."""

    id: Identifier
    name: str = ""
    version: str = ""
    kind: ClientKind = "tool"


class CommandBase(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"
):
    """Base of all commands."""


class Authenticate(CommandBase, frozen=True, kw_only=True, tag="authenticate"):
    """The first frame, within the server's deadline; later ones refresh the token.

    ``features``: what of the server's, as told in ``hello``, this client understands,
    for as long as the connection lasts; others are ignored.
    """

    id: CommandId
    token: str
    client: ClientDescription | None = None
    features: list[str] = []


class Subscribe(CommandBase, frozen=True, kw_only=True, tag="subscribe"):
    """Deliver a conversation from a cursor; ``since`` absent: a snapshot first."""

    id: CommandId
    conversation: Identifier
    since: Cursor | None = None


class Unsubscribe(CommandBase, frozen=True, kw_only=True, tag="unsubscribe"):
    """Stop delivering a conversation."""

    id: CommandId
    conversation: Identifier


class Send(CommandBase, frozen=True, kw_only=True, tag="send"):
    """A user's message; idempotent by ``client_message_id``.

    ``if_active`` says what happens when a turn runs: wait for it (``queue``),
    refuse (``reject``), or cancel it and go on with this one (``interrupt``).
    ``output_schema`` is a JSON Schema: the answer is then one JSON text of that shape.
    ``parent`` is the user's message that this one follows: that of an earlier message
    begins another branch beside it. Absent: the conversation goes on as it is shown.
    """

    id: CommandId
    conversation: Identifier
    client_message_id: Identifier
    content: list[UserBlock]
    parent: Parent | None = None
    if_active: Literal["queue", "reject", "interrupt"] = "queue"
    output_schema: dict[str, Any] | None = None


class SelectBranch(CommandBase, frozen=True, kw_only=True, tag="select_branch"):
    """Show a conversation at a branch, to all seats, and go on there.

    ``message`` is one of the user's; of what follows it the newest is shown.
    """

    id: CommandId
    conversation: Identifier
    message: Identifier


class Cancel(CommandBase, frozen=True, kw_only=True, tag="cancel"):
    """End a turn. The id of a turn that is over never stops a newer one.

    ``and_queued``: end all turns that wait, too, so that nothing runs afterwards.
    """

    id: CommandId
    conversation: Identifier
    turn: Identifier
    and_queued: bool = False


class EditQueued(CommandBase, frozen=True, kw_only=True, tag="edit_queued"):
    """Give a message that still waits for its turn another content."""

    id: CommandId
    conversation: Identifier
    turn: Identifier
    content: list[UserBlock]


class SendNow(CommandBase, frozen=True, kw_only=True, tag="send_now"):
    """Let a turn that waits go next; the running one ends at its next tool boundary."""

    id: CommandId
    conversation: Identifier
    turn: Identifier


class Approve(CommandBase, frozen=True, kw_only=True, tag="approve"):
    """Answer a tool call that waits for approval, from any seat.

    The first answer counts: the same again is a duplicate, another one a conflict
    that names the recorded one. ``remember`` = ``conversation`` allows the tool for
    the rest of the conversation, where the request says that it may.
    """

    id: CommandId
    conversation: Identifier
    approval: Identifier
    decision: ApprovalDecision
    edited_input: dict[str, Any] | None = None
    remember: Literal["once", "conversation"] = "once"
    reason: str | None = None


class ToolOffer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A function that a client lends to the agents of a conversation.

    Attributes:
        name: What the model calls it.
        description: For the model: what it does and when to use it.
        input_schema: JSON Schema of its input, an object.
        label: For people while it runs; ``Using {name}…`` when empty.
        risk: What it may do.
        needs_approval: Whether a person must agree; absent: unless it only reads.
        timeout_ms: Longest run, once it runs.
        idempotent: Running it twice does no more than running it once.
        sequential: Never beside another call of the same turn.
    """

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]
    description: Annotated[str, Meta(max_length=8_192)]
    input_schema: dict[str, Any]
    label: Annotated[str, Meta(max_length=200)] = ""
    risk: Risk = "read"
    needs_approval: bool | None = None
    timeout_ms: Annotated[int, Meta(ge=1, le=86_400_000)] = 120_000
    idempotent: bool = False
    sequential: bool = True


class OfferTools(CommandBase, frozen=True, kw_only=True, tag="tools.offer"):
    """Lend these functions to a conversation; replaces what this client lent before."""

    id: CommandId
    conversation: Identifier
    tools: Annotated[list[ToolOffer], Meta(max_length=128)]


class AcceptTool(CommandBase, frozen=True, kw_only=True, tag="tool.accept"):
    """Take a ``tool.call``; it may run once this is acknowledged."""

    id: CommandId
    conversation: Identifier
    tool_call: Identifier
    lease: Identifier


class ReportTool(CommandBase, frozen=True, kw_only=True, tag="tool.progress"):
    """News of an accepted call; not answered.

    ``running`` = false: it waits, for the main thread to be free.
    """

    conversation: Identifier
    tool_call: Identifier
    lease: Identifier
    id: CommandId | None = None
    message: str | None = None
    fraction: float | None = None
    running: bool = True


class FinishTool(CommandBase, frozen=True, kw_only=True, tag="tool.result"):
    """The result of a call; sent again under the same lease until acknowledged.

    ``display`` is what people are shown beside the text that a model reads.
    """

    id: CommandId
    conversation: Identifier
    tool_call: Identifier
    lease: Identifier
    status: Literal["ok", "error", "cancelled", "timeout"]
    output: str
    display: list[Display] | None = None
    actions: list[Action] | None = None


class AgentOffer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An agent that a client lends to a conversation.

    Attributes:
        name: How people choose it.
        description: What it is for, in a line.
        model: Shown beside its answers; empty when it has none.
        offline: No language model runs.
    """

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]
    description: Annotated[str, Meta(max_length=500)] = ""
    model: Annotated[str, Meta(max_length=200)] = ""
    offline: bool = False


class OfferAgents(CommandBase, frozen=True, kw_only=True, tag="agents.offer"):
    """Lend these agents to a conversation; replaces those this client lent before.

    They answer where the conversation's settings choose them by name.
    """

    id: CommandId
    conversation: Identifier
    agents: Annotated[list[AgentOffer], Meta(max_length=32)]


class AcceptAgent(CommandBase, frozen=True, kw_only=True, tag="agent.accept"):
    """Take an ``agent.run``; the agent may begin once this is acknowledged."""

    id: CommandId
    conversation: Identifier
    turn: Identifier
    lease: Identifier


class ReportAgent(CommandBase, frozen=True, kw_only=True, tag="agent.events"):
    """What an agent says, in order, without envelopes.

    ``number`` counts these commands of a lease from 1. One is under way at a time: the
    next is sent when this one is acknowledged, and what happens meanwhile goes into it.
    The same number again is the same batch: it is written once. The ``result`` of the
    ack says whether the turn is ``superseded``: the agent should end at its next tool
    boundary.
    """

    id: CommandId
    conversation: Identifier
    turn: Identifier
    lease: Identifier
    number: Annotated[int, Meta(ge=1)]
    events: Annotated[list[AgentEvent], Meta(min_length=1, max_length=512)]


class FinishAgent(CommandBase, frozen=True, kw_only=True, tag="agent.end"):
    """The agent has ended, after its last events; sent again until acknowledged.

    With an ``error`` the turn fails, and people read its message.
    """

    id: CommandId
    conversation: Identifier
    turn: Identifier
    lease: Identifier
    error: ErrorBody | None = None


class Ping(CommandBase, frozen=True, kw_only=True, tag="ping"):
    """Ask for a ``pong`` with the heads of the subscribed conversations."""

    id: CommandId | None = None


ToolCommand = OfferTools | AcceptTool | ReportTool | FinishTool
"""What clients that lend functions say."""

AgentCommand = OfferAgents | AcceptAgent | ReportAgent | FinishAgent
"""What clients that lend agents say."""

LendingCommand = ToolCommand | AgentCommand
"""What clients say of what they lend."""

Command = (
    Authenticate
    | Subscribe
    | Unsubscribe
    | Send
    | EditQueued
    | SendNow
    | SelectBranch
    | Cancel
    | Approve
    | OfferTools
    | AcceptTool
    | ReportTool
    | FinishTool
    | OfferAgents
    | AcceptAgent
    | ReportAgent
    | FinishAgent
    | Ping
)
"""The closed union of commands."""
