"""What the tests of the server say over the wire."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.websocket import WebSocketClientConnection, websocket_connect

from streamchat_nb.client.http import HttpApi

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from streamchat_nb.testing.server_process import ServerProcess

_closers: list[Callable[[], None]] = []


def play(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario with a deadline, and close what it opened."""

    async def main() -> None:
        try:
            async with asyncio.timeout(60):
                await scenario()
        finally:
            for close in _closers:
                close()
            _closers.clear()
            await asyncio.sleep(0.05)

    asyncio.run(main())


def api(server: ServerProcess) -> HttpApi:
    return HttpApi(server.address)


def http_client() -> AsyncHTTPClient:
    client = SimpleAsyncHTTPClient(force_instance=True)
    _closers.append(client.close)
    return client


async def fetch(
    server: ServerProcess,
    method: str,
    path: str,
    body: Any = None,
    *,
    headers: dict[str, str] | None = None,
    authorized: bool = True,
) -> HTTPResponse:
    known = {"Authorization": f"token {server.address.token}"} if authorized else {}
    return await http_client().fetch(
        HTTPRequest(
            server.address.api + path,
            method=method,
            headers={"Content-Type": "application/json", **known, **(headers or {})},
            body=None
            if body is None
            else (body if isinstance(body, bytes) else json.dumps(body)),
            allow_nonstandard_methods=True,
            request_timeout=20,
            follow_redirects=False,
        ),
        raise_error=False,
    )


async def new_conversation(server: ServerProcess) -> str:
    return json.loads((await fetch(server, "POST", "conversations", {})).body)["id"]


def sse_events(body: bytes) -> list[tuple[str, str, Any]]:
    """(id, event, data) of each server-sent event of a body."""
    events: list[tuple[str, str, Any]] = []
    for chunk in body.decode().split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in chunk.splitlines() if ": " in line
        )
        if "data" in fields:
            events.append(
                (fields.get("id", ""), fields["event"], json.loads(fields["data"]))
            )
    return events


async def open_socket(
    server: ServerProcess,
    *,
    headers: dict[str, str] | None = None,
    query: str = "",
    subprotocols: list[str] | None = None,
) -> WebSocketClientConnection:
    request = HTTPRequest(
        server.address.api.replace("http", "ws", 1) + "ws" + query,
        headers={"Authorization": f"token {server.address.token}"}
        if headers is None
        else headers,
    )
    socket = await websocket_connect(
        request,
        subprotocols=["streamchat.v1"] if subprotocols is None else subprotocols,
    )
    _closers.append(socket.close)
    return socket


async def frame(
    socket: WebSocketClientConnection, *, timeout_s: float = 10.0
) -> dict[str, Any] | None:
    async with asyncio.timeout(timeout_s):
        data = await socket.read_message()
    return None if data is None else json.loads(data)


async def token_of(server: ServerProcess) -> str:
    return (await api(server).request("POST", "token"))["token"]


async def authenticated(server: ServerProcess) -> WebSocketClientConnection:
    socket = await open_socket(server)
    assert (await frame(socket) or {})["type"] == "hello"
    await say(socket, type="authenticate", id=1, token=await token_of(server))
    assert (await frame(socket) or {})["type"] == "authenticated"
    return socket


async def say(socket: WebSocketClientConnection, **fields: Any) -> None:
    await socket.write_message(json.dumps(fields))


async def until(
    socket: WebSocketClientConnection, type_: str, **fields: Any
) -> list[dict[str, Any]]:
    """Frames up to the first one of a type with these fields."""
    frames: list[dict[str, Any]] = []
    while True:
        next_ = await frame(socket)
        assert next_ is not None, frames[-3:]
        frames.append(next_)
        if next_["type"] == type_ and fields.items() <= next_.items():
            return frames


async def close_code(socket: WebSocketClientConnection) -> int | None:
    while await frame(socket) is not None:
        pass
    return socket.close_code
