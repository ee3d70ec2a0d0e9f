"""REST: the same service for programs that want plain HTTP."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec
from typing_extensions import override

from streamchat_nb._version import __version__
from streamchat_nb.conversation.state import ConversationState
from streamchat_nb.conversation.store import Marks, SearchHit
from streamchat_nb.errors import Forbidden, InvalidInput, NotFound
from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.events import ToolApprovalResolved
from streamchat_nb.server.answers import (
    AnswerApproval,
    CancelTurn,
    ConversationPage,
    ConversationSummary,
    CreateConversation,
    EditMessage,
    UpdateConversation,
    content_of,
    cursor_of,
    position_of,
    summary_of,
)
from streamchat_nb.server.base import (
    CONVERSATIONS,
    RESOURCE,
    Runtime,
    StreamchatHandler,
    allowed,
)
from streamchat_nb.server.conversation_list import ListChoice
from streamchat_nb.server.traces import trace_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamchat_nb.conversation.store import ConversationRecord
    from streamchat_nb.transcript.export import Format

__all__ = [
    "AgentsHandler",
    "ApprovalHandler",
    "CancelHandler",
    "ConversationHandler",
    "ConversationsHandler",
    "DescriptionHandler",
    "ExportHandler",
    "HealthHandler",
    "ModelsHandler",
    "NoRouteHandler",
    "RestoreHandler",
    "SendNowHandler",
    "SessionHandler",
    "TokenHandler",
    "TraceHandler",
    "TurnHandler",
]

EXPORTED: Final[dict[Format, str]] = {
    "md": "text/markdown; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "ipynb": "application/x-ipynb+json",
    "json": "application/json",
    "txt": "text/plain; charset=utf-8",
}
"""What a conversation can be had as, with the types of the files."""
MOST_QUERY = 500
"""How much of a search counts."""


class TokenHandler(StreamchatHandler):
    """``POST api/token``: a Jupyter identity becomes a short-lived JWT."""

    @override
    @allowed("execute", RESOURCE)
    async def post(self) -> None:
        """Answer with ``{"token", "expires_at"}``."""
        if self.request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            raise Forbidden("A token is only given to this server's own pages.")
        token, expires_at = self.runtime.tokens.issue(self.principal.id)
        self.answer({"token": token, "expires_at": expires_at})


class SessionHandler(StreamchatHandler):
    """``GET api/session``: who am I; also sets the XSRF cookie where it is missing."""

    @override
    @allowed("read", RESOURCE)
    async def get(self) -> None:
        """Answer with the user, the server and what it serves."""
        _ = self.xsrf_token
        self.answer(
            {
                "user": self.principal.name,
                "principal": self.principal.id,
                "server": f"streamchat_nb/{__version__}",
                "model": self.service.agent.model_name,
                "offline": self.service.agent.offline,
            }
        )


class HealthHandler(StreamchatHandler):
    """``GET api/health``."""

    @override
    @allowed("read", RESOURCE)
    async def get(self) -> None:
        """Answer with the state of the service; 503 while nothing can be saved."""
        health = self.service.health()
        self.answer(health, status=200 if health.status == "ok" else 503)


class AgentsHandler(StreamchatHandler):
    """``GET api/agents``."""

    @override
    @allowed("read", RESOURCE)
    async def get(self) -> None:
        """Answer with the agents that can be talked to, and their tools.

        With ``conversation`` those that are lent to it are among them.
        """
        conversation = self.get_query_argument("conversation", None)
        agents = await self.service.describe_agents(self.principal, conversation)
        self.answer({"agents": agents})


class ModelsHandler(StreamchatHandler):
    """``GET api/models``."""

    @override
    @allowed("read", RESOURCE)
    async def get(self) -> None:
        """Answer with the models that a conversation can choose from."""
        self.answer(await self.service.models())


class ConversationsHandler(StreamchatHandler):
    """``GET`` and ``POST api/conversations``."""

    @override
    @allowed("read", CONVERSATIONS)
    async def get(self) -> None:
        """List conversations: the pinned first, then the last updated.

        ``q`` searches; ``archived`` is ``true``, ``false`` or absent for both;
        ``deleted=true`` lists the trash; ``limit`` is 50, at most 200; ``cursor`` is
        ``next`` of the page before.
        """
        limit = self.whole_number("limit", 50, most=200)
        choice = ListChoice(
            query=self.get_query_argument("q", "")[:MOST_QUERY],
            archived=self.flag("archived"),
            deleted=self.flag("deleted") or False,
            limit=limit,
            before=position_of(self.get_query_argument("cursor", "")),
        )
        hits = await self.service.conversations.page(self.principal, choice)
        last = hits[-1].record if hits and len(hits) >= limit else None
        self.answer(
            ConversationPage(
                conversations=[summary_of(hit) for hit in hits],
                next=cursor_of(last) if last else None,
            )
        )

    @override
    @allowed("write", CONVERSATIONS)
    async def post(self) -> None:
        """Create a conversation."""
        request = self.body(CreateConversation)
        log = await self.service.create(
            self.principal, title=request.title, choice=request.settings
        )
        self.answer(
            {
                "id": log.id,
                "log": log.log,
                "head": log.head,
                "title": log.state.title,
            },
            status=201,
        )


class ConversationHandler(StreamchatHandler):
    """``GET``, ``PATCH`` and ``DELETE api/conversations/{id}``."""

    @override
    @allowed("read", CONVERSATIONS)
    async def get(self, conversation: str) -> None:
        """Answer with the state at the head."""
        log = await self.service.open(self.principal, conversation)
        self.answer({"log": log.log, "head": log.head, "state": log.state})

    @override
    @allowed("write", CONVERSATIONS)
    async def patch(self, conversation: str) -> None:
        """Rename, choose who answers, show another branch; pin, archive, note as read.

        What is beside the log goes without it: the conversation need not be loaded.
        """
        request = self.body(UpdateConversation)
        marks = Marks(
            pinned=request.pinned, archived=request.archived, read_seq=request.read_seq
        )
        service, principal = self.service, self.principal
        if request.settings is not None:
            await service.configure(principal, conversation, dict(request.settings))
        if request.title is not None:
            await service.rename(principal, conversation, request.title)
        if request.tip is not None:
            await service.select_branch(principal, conversation, request.tip)
        if request == UpdateConversation(
            pinned=marks.pinned, archived=marks.archived, read_seq=marks.read_seq
        ):
            record = await service.conversations.mark(principal, conversation, marks)
            self.answer(_summary(record))
            return
        record = await service.conversations.mark(principal, conversation, marks)
        log = await service.open(principal, conversation)
        self.answer(
            {
                **msgspec.structs.asdict(_summary(record)),
                "head": log.head,
                "title": log.state.title,
                "settings": log.state.settings,
                "tip": log.state.tip,
            }
        )

    @override
    @allowed("write", CONVERSATIONS)
    async def delete(self, conversation: str) -> None:
        """Put it into the trash; with ``forever=true`` delete it for good."""
        forever = self.flag("forever") or False
        await self.service.delete(self.principal, conversation, forever=forever)
        self.set_status(204)
        self.finish()


class RestoreHandler(StreamchatHandler):
    """``POST api/conversations/{id}/restore``."""

    @override
    @allowed("write", CONVERSATIONS)
    async def post(self, conversation: str) -> None:
        """Take it out of the trash."""
        record = await self.service.conversations.restore(self.principal, conversation)
        self.answer(_summary(record))


class ExportHandler(StreamchatHandler):
    """``GET api/conversations/{id}/export``."""

    @override
    @allowed("read", CONVERSATIONS)
    async def get(self, conversation: str) -> None:
        """Answer with the conversation as a file: ``format`` is one of ``EXPORTED``."""
        from streamchat_nb.transcript.export import export  # noqa: PLC0415

        format_ = self.get_query_argument("format", "md")
        if format_ not in EXPORTED:
            raise InvalidInput(f"format must be one of {', '.join(EXPORTED)}.")
        log = await self.service.open(self.principal, conversation)
        # A copy: the log goes on while it is written on a thread.
        state = msgspec.json.decode(encode(log.state), type=ConversationState)
        text = await asyncio.to_thread(export, state, format_)
        name = re.sub(r"[^\w-]+", "-", state.title).strip("-") or "conversation"
        name = quote(f"{name[:60]}.{format_}")
        self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{name}")
        self.set_header("Cache-Control", "no-store")
        body = text.encode("utf-8", "replace")
        self.finish(body, set_content_type=EXPORTED[format_])


class TurnHandler(StreamchatHandler):
    """``PATCH api/conversations/{id}/turns/{turn}``."""

    @override
    @allowed("execute", CONVERSATIONS)
    async def patch(self, conversation: str, turn: str) -> None:
        """Give a message that waits for its turn another content."""
        content = content_of(self.body(EditMessage))
        seq = await self.service.edit_queued(
            self.principal, conversation, turn, content
        )
        self.answer({"seq": seq})


class SendNowHandler(StreamchatHandler):
    """``POST api/conversations/{id}/turns/{turn}/send-now``."""

    @override
    @allowed("execute", CONVERSATIONS)
    async def post(self, conversation: str, turn: str) -> None:
        """Let a turn that waits go next."""
        seq = await self.service.send_now(self.principal, conversation, turn)
        self.answer({"seq": seq})


class CancelHandler(StreamchatHandler):
    """``POST api/conversations/{id}/turns/{turn}/cancel``."""

    @override
    @allowed("execute", CONVERSATIONS)
    async def post(self, conversation: str, turn: str) -> None:
        """End a turn; with ``and_queued`` those that wait, too."""
        seq = await self.service.cancel(
            self.principal,
            conversation,
            turn,
            and_queued=self.body(CancelTurn).and_queued,
        )
        self.answer({"seq": seq})


class ApprovalHandler(StreamchatHandler):
    """``POST api/conversations/{id}/approvals/{approval}``."""

    @override
    @allowed("execute", CONVERSATIONS)
    async def post(self, conversation: str, approval: str) -> None:
        """Answer a tool call that waits for a person; the first answer counts."""
        given = self.body(AnswerApproval)
        seq = await self.service.approve(
            self.principal,
            conversation,
            ToolApprovalResolved(
                approval=approval,
                tool_call="",
                decision=given.decision,
                edited_input=given.edited_input,
                remember=given.remember,
                reason=given.reason,
            ),
        )
        self.answer({"seq": seq, "duplicate": seq is None})


class TraceHandler(StreamchatHandler):
    """``GET api/conversations/{id}/turns/{turn}/trace``."""

    @override
    @allowed("read", CONVERSATIONS)
    async def get(self, conversation: str, turn: str) -> None:
        """Answer with where the time of a turn went, and what was sent for it."""
        log = await self.service.open(self.principal, conversation)
        now_ms = time.time_ns() // 1_000_000
        self.answer(await trace_of(log, turn, self.service.traces, now_ms=now_ms))


class DescriptionHandler(StreamchatHandler):
    """``GET api/openapi.json`` and ``api/schema.json``."""

    @override
    def initialize(
        self,
        runtime: Runtime,
        describe: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        super().initialize(runtime)
        self._describe = describe

    @override
    @allowed("read", RESOURCE)
    async def get(self) -> None:
        """Answer with the description."""
        self.answer(self._describe())


class NoRouteHandler(StreamchatHandler):
    """What is below ``api/`` and nothing of the above: 404 in the shape of errors."""

    @override
    async def prepare(self) -> None:
        await super().prepare()
        raise NotFound("There is no such route; see api/openapi.json.")


def _summary(record: ConversationRecord) -> ConversationSummary:
    return summary_of(SearchHit(record, [record.title], [], ""))
