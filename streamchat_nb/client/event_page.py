"""A page of a conversation's log, asked for by a plain request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

import msgspec

from streamchat_nb.client.http import TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamchat_nb.client.http import HttpApi
    from streamchat_nb.protocol.commands import Cursor

__all__ = ["EventPage", "events_path", "fetch_page"]


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Events after a cursor, or the state where they are too many (``snapshot``).

    Attributes:
        log: The log's identity.
        head: ``seq`` of its last event.
        mode: Which of the two it is.
        events: The events, encoded.
        snapshot: The state, encoded.
    """

    log: str
    head: int
    mode: Literal["replay", "snapshot"]
    events: list[msgspec.Raw] = []
    snapshot: msgspec.Raw = msgspec.Raw(b"{}")


def events_path(
    conversation: str, since: Cursor | None, query: Mapping[str, str]
) -> str:
    """Return the path of a conversation's events after a cursor."""
    start = {} if since is None else {"since": f"{since.log}:{since.seq}"}
    return f"conversations/{conversation}/events?{urlencode({**start, **query})}"


async def fetch_page(
    http: HttpApi, conversation: str, since: Cursor | None, *, wait_ms: int = 0
) -> EventPage:
    """Return what comes after a cursor.

    Args:
        http: The server.
        conversation: Id of the conversation.
        since: The cursor; ``None`` asks for the state.
        wait_ms: How long the server may hold an empty page back.

    Raises:
        StreamchatError: As ``HttpApi.request``.
    """
    path = events_path(conversation, since, {"wait_ms": str(wait_ms)})
    return await http.get(path, EventPage, timeout_s=TIMEOUT_S + wait_ms / 1000)
