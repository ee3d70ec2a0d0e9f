from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from tests.integration.server.wire import (
    fetch,
    frame,
    new_conversation,
    open_socket,
    play,
    say,
    sse_events,
    token_of,
    until,
)

if TYPE_CHECKING:
    from tornado.websocket import WebSocketClientConnection

    from streamchat_nb.testing.server_process import ServerProcess


async def follow(
    server: ServerProcess, conversation: str, client: dict[str, str]
) -> WebSocketClientConnection:
    socket = await open_socket(server)
    await frame(socket)
    token = await token_of(server)
    await say(socket, type="authenticate", id=1, token=token, client=client)
    await say(socket, type="subscribe", id=2, conversation=conversation)
    await until(socket, "live")
    return socket


async def sees(
    socket: WebSocketClientConnection, *clients: str
) -> list[dict[str, Any]]:
    """Read until these are there; return how they are shown."""
    while True:
        presence = (await until(socket, "presence"))[-1]
        shown = presence["participants"]
        if [participant["client"] for participant in shown] == list(clients):
            assert presence["count"] == len(clients)
            return shown


def test_seats_see_who_comes_and_who_leaves(server: ServerProcess) -> None:
    async def scenario() -> None:
        id_ = await new_conversation(server)
        ada = await follow(
            server, id_, {"id": "ada", "name": "Notebook", "kind": "widget"}
        )
        (shown,) = await sees(ada, "ada")
        assert shown == {
            "client": "ada",
            "user": "You",
            "name": "Notebook",
            "kind": "widget",
        }
        bob = await follow(server, id_, {"id": "bob", "kind": "page"})
        await sees(ada, "ada", "bob")
        await sees(bob, "ada", "bob")
        await say(bob, type="unsubscribe", id=3, conversation=id_)
        await sees(ada, "ada")

    play(scenario)


def test_client_with_two_sockets_is_shown_once_and_both_are_told(
    server: ServerProcess,
) -> None:
    async def scenario() -> None:
        id_ = await new_conversation(server)
        first = await follow(server, id_, {"id": "tab"})
        await sees(first, "tab")
        second = await follow(server, id_, {"id": "tab"})
        await sees(second, "tab")

    play(scenario)


def test_reader_of_a_stream_is_seen_and_told(server: ServerProcess) -> None:
    async def scenario() -> None:
        id_ = await new_conversation(server)
        ada = await follow(server, id_, {"id": "ada"})
        path = f"conversations/{id_}/events?client=curl&kind=tool&name=Curl"
        reading = asyncio.ensure_future(
            fetch(server, "GET", path, headers={"Accept": "text/event-stream"})
        )
        shown = await sees(ada, "ada", "curl")
        assert shown[1] == {"client": "curl", "user": "You", "name": "Curl"}
        await asyncio.sleep(0.3)
        assert (await fetch(server, "DELETE", f"conversations/{id_}")).code == 204
        events = sse_events((await reading).body)
        presence = [(key, data) for key, event, data in events if event == "presence"]
        assert [key for key, _ in presence] == [""]
        assert presence[0][1]["count"] == 2

    play(scenario)


def test_reader_of_a_stream_who_says_nonsense_is_refused(
    server: ServerProcess,
) -> None:
    async def scenario() -> None:
        id_ = await new_conversation(server)
        for query in ("kind=robot", "client=a%20b", "client=" + "x" * 65):
            response = await fetch(
                server,
                "GET",
                f"conversations/{id_}/events?{query}",
                headers={"Accept": "text/event-stream"},
            )
            assert response.code == 400
            assert json.loads(response.body)["code"] == "invalid_input"

    play(scenario)


def test_presence_is_in_no_log(server: ServerProcess) -> None:
    async def scenario() -> None:
        id_ = await new_conversation(server)
        ada = await follow(server, id_, {"id": "ada"})
        await sees(ada, "ada")
        page = await fetch(server, "GET", f"conversations/{id_}/events")
        assert b"presence" not in page.body
        assert json.loads(page.body)["head"] == 1

    play(scenario)
