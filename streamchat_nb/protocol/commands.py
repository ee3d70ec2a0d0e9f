"""Commands: what a client asks for over a connection; each may be refused.

Each command but ``ping`` carries an ``id`` chosen by the client and gets exactly
one ``ack`` or ``error`` with that id in ``re``.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from streamchat_nb.protocol.content import Identifier, UserBlock
from streamchat_nb.protocol.events import ApprovalDecision

__all__ = [
    "Approve",
    "Authenticate",
    "Cancel",
    "ClientDescription",
    "ClientKind",
    "Command",
    "CommandId",
    "Cursor",
    "EditQueued",
    "Ping",
    "Send",
    "SendNow",
    "Subscribe",
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
    """The first frame, within the server's deadline; later ones refresh the token."""

    id: CommandId
    token: str
    client: ClientDescription | None = None


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
    """

    id: CommandId
    conversation: Identifier
    client_message_id: Identifier
    content: list[UserBlock]
    parent: Identifier | None = None
    if_active: Literal["queue", "reject", "interrupt"] = "queue"


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


class Ping(CommandBase, frozen=True, kw_only=True, tag="ping"):
    """Ask for a ``pong`` with the heads of the subscribed conversations."""

    id: CommandId | None = None


Command = (
    Authenticate | Subscribe | Unsubscribe | Send | EditQueued | SendNow | Cancel | Ping
)
"""The closed union of commands."""
