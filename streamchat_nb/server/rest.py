"""REST: the same service for programs that want plain HTTP."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from streamchat_nb._version import __version__
from streamchat_nb.errors import Forbidden, InvalidInput, NotFound
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
)
from streamchat_nb.server.base import (
    CONVERSATIONS,
    RESOURCE,
    Runtime,
    StreamchatHandler,
    allowed,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamchat_nb.conversation.store import ConversationRecord

__all__ = [
    "AgentsHandler",
    "ApprovalHandler",
    "CancelHandler",
    "ConversationHandler",
    "ConversationsHandler",
    "DescriptionHandler",
    "HealthHandler",
    "ModelsHandler",
    "NoRouteHandler",
    "SendNowHandler",
    "SessionHandler",
    "TokenHandler",
    "TurnHandler",
]


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
        """List conversations: ``search``, ``limit`` (50, at most 200), ``before``."""
        limit = self.whole_number("limit", 50, most=200)
        records = await self.service.list(
            self.principal,
            search=self.get_query_argument("search", "")[:200],
            limit=limit,
            before=_page_position(self.get_query_argument("before", "")),
        )
        last = records[-1] if records and len(records) == limit else None
        self.answer(
            ConversationPage(
                conversations=[_summary(record) for record in records],
                next=f"{last.updated_ms}:{last.id}" if last else None,
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
        """Rename, or choose who answers from the next turn on."""
        request = self.body(UpdateConversation)
        log = await self.service.open(self.principal, conversation)
        if request.settings is not None:
            await self.service.configure(
                self.principal, conversation, dict(request.settings)
            )
        if request.title is not None:
            await self.service.rename(self.principal, conversation, request.title)
        state = log.state
        self.answer(
            {
                "id": log.id,
                "log": log.log,
                "head": log.head,
                "title": state.title,
                "settings": state.settings,
            }
        )

    @override
    @allowed("write", CONVERSATIONS)
    async def delete(self, conversation: str) -> None:
        """Delete for good."""
        await self.service.delete(self.principal, conversation)
        self.set_status(204)
        self.finish()


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
    return ConversationSummary(
        id=record.id,
        log=record.log,
        head=record.head,
        title=record.title,
        created_ms=record.created_ms,
        updated_ms=record.updated_ms,
    )


def _page_position(text: str) -> tuple[int, str] | None:
    if not text:
        return None
    updated_ms, _, id_ = text.partition(":")
    if not re.fullmatch(r"[0-9]{1,15}", updated_ms) or not id_:
        raise InvalidInput("before must be the next of the page before.")
    return int(updated_ms), id_
