"""Bodies of the REST routes, and how answers are waited for and put together."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from streamchat_nb.conversation.state import final_message
from streamchat_nb.conversation.store import ListPosition
from streamchat_nb.errors import InvalidInput
from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.content import (
    Action,
    ContentBlock,
    ErrorBody,
    Identifier,
    Parent,
    TextBlock,
    Usage,
    UserBlock,
)
from streamchat_nb.protocol.events import ApprovalDecision  # noqa: TC001 (msgspec)
from streamchat_nb.server.agents import AgentChoice  # noqa: TC001 (msgspec)
from streamchat_nb.server.delivery import plan_delivery

if TYPE_CHECKING:
    from streamchat_nb.conversation.log import ConversationLog
    from streamchat_nb.conversation.state import TurnState
    from streamchat_nb.conversation.store import ConversationRecord, SearchHit
    from streamchat_nb.protocol.commands import Cursor
    from streamchat_nb.server.sent_messages import Receipt

__all__ = [
    "Accepted",
    "Answer",
    "AnswerApproval",
    "CancelTurn",
    "ConversationPage",
    "ConversationSummary",
    "CreateConversation",
    "EditMessage",
    "EventPage",
    "PostMessage",
    "UpdateConversation",
    "accepted",
    "answer_of",
    "content_of",
    "cursor_of",
    "event_page",
    "position_of",
    "preferred_wait_s",
    "summary_of",
    "wait_for_turn",
]

ANSWER_TIMEOUT_S = 3600.0


class CreateConversation(msgspec.Struct, frozen=True, kw_only=True):
    """Body of ``POST api/conversations``; ``settings`` says who answers."""

    title: str = ""
    settings: AgentChoice | None = None


class UpdateConversation(msgspec.Struct, frozen=True, kw_only=True):
    """Body of ``PATCH api/conversations/{id}``; what is absent stays as it is.

    A setting that is ``null`` is taken back. ``read_seq``: up to where its owner has
    read it; a lower one than before changes nothing. ``tip``: the user's message at
    whose branch the conversation is shown and continued, as in ``select_branch``.
    """

    title: str | None = None
    settings: dict[str, str | bool | None] | None = None
    pinned: bool | None = None
    archived: bool | None = None
    read_seq: Annotated[int, msgspec.Meta(ge=0)] | None = None
    tip: Identifier | None = None


class EditMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Body of ``PATCH api/conversations/{id}/turns/{turn}``: what the message says.

    ``text`` is short for one text block in ``content``.
    """

    text: str | None = None
    content: list[UserBlock] | None = None


class PostMessage(EditMessage, frozen=True, kw_only=True):
    """Body of ``POST api/conversations/{id}/messages``.

    ``text`` is short for one text block in ``content``. ``parent`` and
    ``output_schema`` are as in the ``send`` command.
    """

    client_message_id: Identifier | None = None
    parent: Parent | None = None
    if_active: Literal["queue", "reject", "interrupt"] = "queue"
    output_schema: dict[str, Any] | None = None


class CancelTurn(msgspec.Struct, frozen=True, kw_only=True):
    """Body of ``POST …/turns/{turn}/cancel``; ``and_queued`` ends those that wait."""

    and_queued: bool = False


class AnswerApproval(msgspec.Struct, frozen=True, kw_only=True):
    """Body of ``POST …/approvals/{approval}``; see the ``approve`` command."""

    decision: ApprovalDecision
    edited_input: dict[str, Any] | None = None
    remember: Literal["once", "conversation"] = "once"
    reason: str | None = None


class ConversationSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation in a list; ``id``, ``log`` and ``head`` locate it.

    ``unread``: there is an answer that its owner has not read. ``open_turns``: how many
    messages are answered or wait. ``deleted_ms``: when it was put into the trash; 0 for
    one that is not there.

    Of a search, ``marked_title`` is the title in pieces: outside of a hit, a hit,
    outside, and so on. ``snippet`` is the same of a piece of the message ``message``
    that was found; both are empty where the title alone was.
    """

    id: str
    log: str
    head: int
    title: str
    created_ms: int
    updated_ms: int
    pinned: bool
    archived: bool
    deleted_ms: int
    unread: bool
    open_turns: int
    marked_title: list[str]
    snippet: list[str]
    message: str


class ConversationPage(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of ``GET api/conversations``; ``next`` goes into ``cursor``."""

    conversations: list[ConversationSummary]
    next: str | None = None


def summary_of(hit: SearchHit) -> ConversationSummary:
    """Return a conversation as it is in a list."""
    record = hit.record
    return ConversationSummary(
        id=record.id,
        log=record.log,
        head=record.head,
        title=record.title,
        created_ms=record.created_ms,
        updated_ms=record.updated_ms,
        pinned=record.pinned,
        archived=record.archived,
        deleted_ms=record.deleted_ms,
        unread=record.unread,
        open_turns=record.open_turns,
        marked_title=hit.title,
        snippet=hit.snippet,
        message=hit.message,
    )


def cursor_of(record: ConversationRecord) -> str:
    """Return where the page of a list goes on after a conversation."""
    return f"{record.pinned:d}:{record.updated_ms}:{record.id}"


def position_of(cursor: str) -> ListPosition | None:
    """Return the position that ``cursor_of`` wrote; ``None`` for an empty text.

    Raises:
        InvalidInput: It is not of that form.
    """
    if not cursor:
        return None
    match = re.fullmatch(r"([01]):([0-9]{1,15}):([A-Za-z0-9._:-]{1,64})", cursor)
    if match is None:
        raise InvalidInput("cursor must be the next of the page before.")
    return ListPosition(match[1] == "1", int(match[2]), match[3])


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """Answer 202: the message is in the log, its turn goes on."""

    message: str
    turn: str
    seq: int
    duplicate: bool = False


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The whole answer of a turn: its last message, and how it ended."""

    message: str | None
    turn: str
    status: str
    content: list[ContentBlock]
    seq: int
    actions: list[Action] = []
    usage: Usage | None = None
    stop_reason: str | None = None
    error: ErrorBody | None = None


class EventPage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Answer of ``GET …/events`` as JSON: events after a cursor, or a snapshot."""

    log: str
    head: int
    mode: Literal["replay", "snapshot"]
    from_: int | None = msgspec.field(default=None, name="from")
    events: list[msgspec.Raw] | None = None
    snapshot: msgspec.Raw | None = None


async def wait_for_turn(
    log: ConversationLog, turn: str, *, timeout_s: float, gone: asyncio.Event
) -> TurnState | None:
    """Wait for a turn's end; ``None`` when the time is over or the client gone.

    Raises:
        StoreError: The log was closed before, for example by a deletion.
    """
    changed = asyncio.Event()
    unwatch = log.watch(changed.set)
    gone_task = asyncio.ensure_future(gone.wait())
    try:
        async with asyncio.timeout(timeout_s):
            while not gone.is_set():
                state = log.fold.turn(turn)
                if state is not None and state.finished_ts is not None:
                    return state
                if log.closed is not None:
                    raise log.closed
                changed.clear()
                change = asyncio.ensure_future(changed.wait())
                await asyncio.wait(
                    {change, gone_task}, return_when=asyncio.FIRST_COMPLETED
                )
                change.cancel()
    except TimeoutError:
        pass
    finally:
        gone_task.cancel()
        unwatch()
    return None


def answer_of(log: ConversationLog, turn: TurnState) -> Answer:
    """Return the whole answer of a finished turn."""
    last = final_message(log.state, turn.turn)
    blocks = [] if last is None else last.blocks
    return Answer(
        message=None if last is None else last.message,
        turn=turn.turn,
        status=turn.status,
        content=[block.content for block in blocks if block.content is not None],
        seq=log.head,
        actions=[] if last is None else last.actions,
        usage=turn.usage,
        stop_reason=turn.stop_reason,
        error=turn.error,
    )


def content_of(request: EditMessage) -> list[UserBlock]:
    """Return the blocks of a message in a body.

    Raises:
        InvalidInput: Neither or both of ``text`` and ``content`` are given.
    """
    if (request.text is None) == (request.content is None):
        raise InvalidInput('Give either "text" or "content".')
    if request.text is not None:
        return [TextBlock(text=request.text)]
    return request.content or []


async def event_page(
    log: ConversationLog, since: Cursor | None, *, wait_ms: int, gone: asyncio.Event
) -> EventPage:
    """Return the events after a cursor; waits for the first one up to ``wait_ms``."""
    plan = await plan_delivery(log, since)
    if plan.replay_after is None:
        return EventPage(
            log=log.log,
            head=log.head,
            mode="snapshot",
            snapshot=msgspec.Raw(encode(log.state)),
        )
    after = plan.replay_after
    if log.head <= after and wait_ms:
        changed = asyncio.Event()
        unwatch = log.watch(changed.set)
        waits = {
            asyncio.ensure_future(changed.wait()),
            asyncio.ensure_future(gone.wait()),
        }
        try:
            await asyncio.wait(
                waits, timeout=wait_ms / 1000, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            unwatch()
            for wait in waits:
                wait.cancel()
    events = await log.stream(after, limit_events=2000, limit_bytes=1_048_576)
    return EventPage(
        log=log.log,
        head=log.head,
        mode="replay",
        from_=after,
        events=[msgspec.Raw(event.data) for event in events],
    )


def preferred_wait_s(prefer: str) -> float:
    """Return how long a client wants to wait for an answer, by RFC 7240.

    ``respond-async`` means not at all, ``wait=N`` at most N seconds, no preference
    until the answer is there.
    """
    if "respond-async" in prefer:
        return 0.0
    match = re.search(r"\bwait=([0-9]{1,4})\b", prefer)
    return float(match[1]) if match else ANSWER_TIMEOUT_S


def accepted(receipt: Receipt) -> Accepted:
    """Return the body of a 202."""
    return Accepted(
        message=receipt.message,
        turn=receipt.turn,
        seq=receipt.seq,
        duplicate=receipt.duplicate,
    )
