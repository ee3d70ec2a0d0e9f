"""The client: one connection to a server, any number of conversations, each a fold.

::

    async with connect("http://127.0.0.1:8888/", "its token") as client:
        conversation = await client.create()
        answer = await conversation.ask("Who is Ada?")

What breaks comes back by itself: every conversation goes on from its cursor, and a
message that was not acknowledged is sent again under the same id.
"""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import urlencode

import msgspec

from streamchat_nb._version import __version__
from streamchat_nb.client.connection import Connection
from streamchat_nb.client.conversation import ClientConversation
from streamchat_nb.client.discovery import ServerAddress, find_server
from streamchat_nb.client.http import HttpApi
from streamchat_nb.client.self_test import self_test
from streamchat_nb.errors import UsageError
from streamchat_nb.protocol.commands import ClientDescription

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from types import TracebackType

    from streamchat_nb.client.check_report import CheckReport
    from streamchat_nb.client.session import Transport

__all__ = ["Client", "ClientKind", "ConversationSummary", "TransportChoice", "connect"]

PAGE_LIMIT = 200
ClientKind = Literal["kernel", "tool"]
"""What a Python client may be."""
TransportChoice = Literal["auto", "websocket", "sse", "rest"]
"""One transport, or the best that gets through."""


class ConversationSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation in a list.

    Attributes:
        id: Its id.
        title: Its title; empty until something was said.
        created_ms: When it began, in milliseconds since the epoch.
        updated_ms: When something last happened, likewise.
        pinned: Whether it is listed before those that are not.
        archived: Whether it is kept out of the usual list.
        deleted_ms: When it was put into the trash, likewise; 0 for one that is not
            there.
        unread: Whether there is an answer that its owner has not read.
        open_turns: How many messages are answered or wait.
        snippet: Of a search, a piece of the message that was found: outside of a hit,
            a hit, outside, and so on. Empty where only the title was found.
        message: Id of that message.
    """

    id: str
    title: str
    created_ms: int
    updated_ms: int
    pinned: bool = False
    archived: bool = False
    deleted_ms: int = 0
    unread: bool = False
    open_turns: int = 0
    snippet: tuple[str, ...] = ()
    message: str = ""


class _Page(msgspec.Struct, kw_only=True):
    conversations: list[ConversationSummary]
    next: str | None = None


@contextlib.asynccontextmanager
async def connect(
    url: str | None = None,
    token: str | None = None,
    *,
    kind: ClientKind = "tool",
    name: str = "",
    transport: TransportChoice = "auto",
) -> AsyncGenerator[Client]:
    """Connect to a server and close at the end of the block.

    Args:
        url: Base address of the Jupyter server; found by itself when ``None``.
        token: Its token.
        kind: What this client is.
        name: Shown to others.
        transport: The one transport to use; ``auto`` for the best that gets through.

    Raises:
        ConnectError: No server was found or it cannot be reached.
        AuthenticationError: It refused the token.
    """
    address = find_server(url, token)
    async with Client(address, kind=kind, name=name, transport=transport) as client:
        yield client


class Client:
    """A connection to one server.

    Not thread-safe: all calls on the event loop that opened it.

    Args:
        address: The server.
        kind: What this client is.
        name: Shown to others.
        transport: The one transport to use; ``auto`` for the best that gets through.
    """

    def __init__(
        self,
        address: ServerAddress,
        *,
        kind: ClientKind = "tool",
        name: str = "",
        transport: TransportChoice = "auto",
    ) -> None:
        self._http = HttpApi(address)
        description = ClientDescription(
            id=f"k_{secrets.token_hex(8)}", name=name, version=__version__, kind=kind
        )
        self._connection = Connection(self._http, description, transport=transport)

    async def __aenter__(self) -> Self:
        try:
            await self.open()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def transport(self) -> Transport | None:
        """The transport in use; ``None`` while there is no connection."""
        return self._connection.transport

    @property
    def transport_reason(self) -> str:
        """Why it is this transport, or none, in words."""
        return self._connection.reason

    async def open(self) -> None:
        """Connect; later losses are mended by themselves. Idempotent.

        Raises:
            ConnectError: The server cannot be reached.
            AuthenticationError: It refused the token.
        """
        await self._connection.open()

    async def close(self) -> None:
        """Disconnect and release who waits; the turns go on. Idempotent."""
        await self._connection.close()

    def conversation(self, id_: str) -> ClientConversation:
        """Return a conversation; nothing is asked of the server before its first use.

        Args:
            id_: Its id.

        Raises:
            UsageError: This cannot be an id.
        """
        return ClientConversation(id_, self._connection)

    async def create(self, title: str = "") -> ClientConversation:
        """Make a new conversation.

        Args:
            title: Its title; taken from the first message when empty.

        Raises:
            ConnectError: The server cannot be reached.
        """
        body = {"title": title} if title else {}
        answer = await self._http.request("POST", "conversations", body)
        return self.conversation(str(answer.get("id")))

    async def conversations(
        self,
        *,
        search: str = "",
        archived: bool | None = None,
        deleted: bool = False,
        limit: int = 50,
    ) -> list[ConversationSummary]:
        """List conversations: the pinned first, then those that were last active.

        Args:
            search: Only those that have all of these words, or parts of words, in
                their title or in one message; in any case, with or without accents.
            archived: Whether they are archived; ``None`` for both.
            deleted: Whether they are in the trash.
            limit: Most to return.

        Raises:
            UsageError: ``limit`` is not positive.
            ConnectError: The server cannot be reached.
        """
        if limit < 1:
            raise UsageError("limit must be at least 1.")
        wanted = {"q": search, "deleted": str(deleted).lower()}
        if archived is not None:
            wanted["archived"] = str(archived).lower()
        found: list[ConversationSummary] = []
        cursor: str | None = ""
        while cursor is not None and len(found) < limit:
            size = str(min(PAGE_LIMIT, limit - len(found)))
            query = urlencode({**wanted, "limit": size, "cursor": cursor})
            page = await self._http.get(f"conversations?{query}", _Page)
            found += page.conversations
            cursor = page.next
        return found

    async def restore(self, id_: str) -> ClientConversation:
        """Take a conversation out of the trash.

        Args:
            id_: Its id.

        Raises:
            UsageError: This cannot be an id.
            NotFound: There is none in the trash, or no longer.
            ConnectError: The server cannot be reached.
        """
        conversation = self.conversation(id_)
        await self._http.request("POST", f"conversations/{id_}/restore", {})
        return conversation

    async def export(self, id_: str, format: str = "md") -> str:  # noqa: A002
        """Return a conversation as the text of a file.

        Args:
            id_: Its id.
            format: ``md``, ``html`` (a page), ``ipynb``, ``json`` or ``txt``.

        Raises:
            UsageError: This cannot be an id.
            InvalidInput: There is no such format.
            NotFound: There is no such conversation.
            ConnectError: The server cannot be reached.
        """
        path = f"conversations/{self.conversation(id_).id}/export"
        data = await self._http.download(f"{path}?{urlencode({'format': format})}")
        return data.decode()

    async def check(self) -> CheckReport:
        """Try the model's endpoint, and each way from here to the server.

        The server sends its endpoint two short requests, about 100 tokens in all. A
        conversation is made for the ways to the server, and deleted again.

        Raises:
            StreamchatError: The server refused it, or cannot be reached at all.
        """
        return await self_test(self._http, self._follow_by)

    async def _follow_by(self, way: Transport, conversation: str) -> None:
        async with Client(self._http.address, transport=way) as client:
            await client.conversation(conversation).current()
