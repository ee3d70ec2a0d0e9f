"""Opening a WebSocket to the server, and saying why there is none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.simple_httpclient import HTTPTimeoutError
from tornado.websocket import WebSocketError, websocket_connect

from streamchat_nb.client.session import TransportBlocked
from streamchat_nb.protocol.connection import PROTOCOL

if TYPE_CHECKING:
    from tornado.websocket import WebSocketClientConnection

    from streamchat_nb.client.http import HttpApi

__all__ = ["connect_socket"]

LARGEST_FRAME_BYTES = 16 * 1024 * 1024


async def connect_socket(
    http: HttpApi, timeout_s: float, *, ping_interval_s: float | None = None
) -> WebSocketClientConnection:
    """Open a socket that is not authenticated yet; its ``hello`` is to be read.

    Who does not read it holds the server back. Cancellation: it is closed when it
    comes late.

    Args:
        http: The server.
        timeout_s: Longest wait in seconds.
        ping_interval_s: Seconds between pings that have to be answered; ``None``: the
            owner notices silence itself.

    Raises:
        TransportBlocked: WebSockets do not get through.
    """
    request = HTTPRequest(
        http.address.api.replace("http", "ws", 1) + "ws",
        headers=http.headers,
        connect_timeout=timeout_s,
        request_timeout=timeout_s,
    )
    connecting = asyncio.ensure_future(
        websocket_connect(
            request,
            subprotocols=[PROTOCOL],
            max_message_size=LARGEST_FRAME_BYTES,
            ping_interval=ping_interval_s,
        )
    )
    try:
        socket = await asyncio.shield(connecting)
    except HTTPTimeoutError:
        message = "WebSockets do not get through."
        raise TransportBlocked(message, slow=True) from None
    except HTTPClientError as error:
        why = "" if error.response is None else f": the answer was {error.code}"
        raise TransportBlocked(f"WebSockets are blocked{why}.") from None
    except OSError:
        message = "WebSockets are blocked."
        raise TransportBlocked(message, nobody_there=True) from None
    except WebSocketError:
        raise TransportBlocked("WebSockets are blocked.") from None
    except asyncio.CancelledError:
        connecting.add_done_callback(_close_late)
        raise
    # Small frames follow each other; none is to wait for the last one's receipt.
    if socket.protocol is not None:
        socket.protocol.set_nodelay(True)
    return socket


def _close_late(connecting: asyncio.Future[WebSocketClientConnection]) -> None:
    """Close a socket that nobody waits for any more."""
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().close()
