"""Tries each way to the server, and lets the server try its model's endpoint."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import msgspec

from streamchat_nb.client.check_report import CheckReport
from streamchat_nb.errors import ConnectError, StreamchatError
from streamchat_nb.protocol.checks import Check

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from streamchat_nb.client.http import HttpApi
    from streamchat_nb.client.session import Transport

__all__ = ["check_endpoint", "check_transports", "self_test"]

ENDPOINT_TIMEOUT_S = 40.0
TRANSPORT_TIMEOUT_S = 10.0
_WORKS: dict[Transport, str] = {
    "websocket": "A WebSocket gets through",
    "sse": "An HTTP stream gets through",
    "rest": "Plain requests get through",
}
_HINTS: dict[Transport, str] = {
    "websocket": "Something between here and the server blocks WebSockets. Chat works "
    "by an HTTP stream; lent functions need a WebSocket.",
    "sse": "Something between here and the server holds streams back. Chat works by "
    "the other ways.",
    "rest": "Look whether the server runs, and whether a proxy or a login page is "
    "before it.",
}


async def self_test(
    http: HttpApi, follow: Callable[[Transport, str], Awaitable[None]]
) -> CheckReport:
    """Return what ``Client.check`` promises.

    Args:
        http: The server.
        follow: Follows a conversation by one transport until its state is here.
    """
    endpoint, ways = await asyncio.gather(
        check_endpoint(http), check_transports(http, follow)
    )
    return CheckReport((*endpoint, *ways))


async def check_endpoint(http: HttpApi) -> list[Check]:
    """Let the server check its model's endpoint.

    Raises:
        StreamchatError: The server refused, or cannot be reached.
    """
    answer = await http.request("POST", "check", {}, timeout_s=ENDPOINT_TIMEOUT_S)
    try:
        return msgspec.convert(answer.get("checks"), list[Check])
    except msgspec.ValidationError:
        raise ConnectError("The server's answer to a check cannot be read.") from None


async def check_transports(
    http: HttpApi, follow: Callable[[Transport, str], Awaitable[None]]
) -> list[Check]:
    """Follow a conversation, made for this and deleted again, by each transport.

    Raises:
        StreamchatError: The server refused it, or cannot be reached.
    """
    made = await http.request("POST", "conversations", {"title": "Self-test"})
    conversation = str(made.get("id"))
    try:
        return [await _tried(way, follow, conversation) for way in _WORKS]
    finally:
        with contextlib.suppress(StreamchatError):
            await http.request("DELETE", f"conversations/{conversation}?forever=true")


async def _tried(
    way: Transport,
    follow: Callable[[Transport, str], Awaitable[None]],
    conversation: str,
) -> Check:
    began = time.monotonic()
    try:
        async with asyncio.timeout(TRANSPORT_TIMEOUT_S):
            await follow(way, conversation)
    except TimeoutError:
        says = f"Nothing came within {TRANSPORT_TIMEOUT_S:g} s."
        return Check(name=way, status="failed", says=says, hint=_HINTS[way])
    except StreamchatError as error:
        return Check(name=way, status="failed", says=error.message, hint=_HINTS[way])
    took_ms = (time.monotonic() - began) * 1000
    return Check(name=way, status="ok", says=f"{_WORKS[way]}, in {took_ms:.0f} ms.")
