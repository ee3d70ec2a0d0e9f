from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from tornado.httpclient import HTTPClientError

from tests.integration.server.wire import (
    api,
    authenticated,
    close_code,
    frame,
    open_socket,
    play,
    say,
    until,
)

if TYPE_CHECKING:
    from streamchat_nb.testing.server_process import ServerProcess


def test_silence_closes_with_4408_at_the_deadline(server: ServerProcess) -> None:
    async def scenario() -> None:
        socket = await open_socket(server)
        hello = await frame(socket) or {}
        assert hello["protocol"] == "streamchat.v1"
        assert hello["auth"] == {"required": True, "deadline_ms": 1000}
        begun = time.monotonic()
        assert await close_code(socket) == 4408
        assert time.monotonic() - begun > 0.8

    play(scenario)


def test_pings_do_not_move_the_deadline(server: ServerProcess) -> None:
    async def scenario() -> None:
        socket = await open_socket(server)
        await frame(socket)
        for _ in range(3):
            await asyncio.sleep(0.2)
            await say(socket, type="ping", id=7)
            assert (await frame(socket) or {}) == {"type": "pong", "re": 7}
        assert await close_code(socket) == 4408

    play(scenario)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"type": "authenticate", "id": 1, "token": "wrong"}, 4401),
        ({"type": "authenticate", "id": 1, "token": "a.b.c"}, 4401),
        ({"type": "subscribe", "id": 1, "conversation": "c"}, 4401),
        ({"type": "authenticate", "id": 1}, 4400),
        ({"type": "nonsense", "id": 1}, 4400),
        ("not json", 4400),
        ({"type": "authenticate", "id": 1, "token": "x" * 9000}, 1009),
    ],
)
def test_what_is_wrong_before_authentication_closes(
    server: ServerProcess, sent: Any, code: int
) -> None:
    async def scenario() -> None:
        socket = await open_socket(server)
        await frame(socket)
        await socket.write_message(sent if isinstance(sent, str) else json.dumps(sent))
        error = await frame(socket) or {}
        assert error["type"] == "error"
        assert len(error["message"]) > 10
        assert await close_code(socket) == code

    play(scenario)


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({}, ""),
        ({"Authorization": "token wrong"}, ""),
        ({"Origin": "https://evil.example"}, ""),
        ({"Origin": "null", "Authorization": "TOKEN"}, ""),
        ({"Origin": "https://evil.example", "Authorization": "TOKEN"}, ""),
        ({"Origin": "https://127.0.0.1.evil.example", "Authorization": "TOKEN"}, ""),
        ({}, "?token=TOKEN"),
        ({"Authorization": "TOKEN"}, "?token=TOKEN"),
    ],
)
def test_upgrade_is_refused_with_403(
    server: ServerProcess, headers: dict[str, str], query: str
) -> None:
    token = server.address.token

    async def scenario() -> None:
        real = {
            name: value.replace("TOKEN", f"token {token}")
            for name, value in headers.items()
        }
        with pytest.raises(HTTPClientError) as caught:
            await open_socket(server, headers=real, query=query.replace("TOKEN", token))
        assert caught.value.code == 403

    play(scenario)


def test_own_origin_is_served(server: ServerProcess) -> None:
    async def scenario() -> None:
        socket = await open_socket(
            server,
            headers={
                "Origin": server.address.url.rstrip("/"),
                "Authorization": f"token {server.address.token}",
            },
        )
        assert socket.selected_subprotocol == "streamchat.v1"
        socket.close()

    play(scenario)


def test_another_subprotocol_closes_with_4406(server: ServerProcess) -> None:
    async def scenario() -> None:
        socket = await open_socket(server, subprotocols=[])
        assert await close_code(socket) == 4406

    play(scenario)


def test_turn_streams_word_by_word_with_tool_status(server: ServerProcess) -> None:
    async def scenario() -> None:
        http = api(server)
        id_ = (await http.request("POST", "conversations", {}))["id"]
        socket = await authenticated(server)
        await say(socket, type="subscribe", id=2, conversation=id_)
        opening = await until(socket, "live")
        assert [f["type"] for f in opening] == ["subscribed", "snapshot", "live"]
        assert opening[0]["mode"] == "snapshot"
        assert opening[1]["state"]["conversation"] == id_
        await say(
            socket,
            type="send",
            id=3,
            conversation=id_,
            client_message_id="w1",
            content=[{"type": "text", "text": "Who is Ada?"}],
        )
        frames = await until(socket, "turn.finished")
        (ack,) = [f for f in frames if f["type"] == "ack"]
        events = [f for f in frames if "seq" in f and f["type"] != "ack"]
        assert events[0]["type"] == "message.created"
        assert events[0]["seq"] == ack["seq"]
        last = opening[2]["seq"]
        for event in events:
            assert event.get("prev", 0) == last
            last = event["seq"]
        labels = [e["label"] for e in events if e["type"] == "turn.status"]
        assert labels[0] == "Agent is thinking…"
        assert "Using search_contacts…" in labels
        deltas = [e["delta"] for e in events if e["type"] == "block.delta"]
        assert len(deltas) > 10
        final = [e for e in events if e["type"] == "message.completed"][-1]
        assert final["actions"]
        socket.close()

    play(scenario)


def test_late_subscriber_and_resumed_one_end_in_the_same_state(
    server: ServerProcess,
) -> None:
    async def scenario() -> None:
        http = api(server)
        id_ = (await http.request("POST", "conversations", {}))["id"]
        first = await authenticated(server)
        await say(first, type="subscribe", id=2, conversation=id_)
        (subscribed, *_) = await until(first, "live")
        await say(
            first,
            type="send",
            id=3,
            conversation=id_,
            client_message_id="w1",
            content=[{"type": "text", "text": "/demo long 200"}],
        )
        seen = await until(first, "block.delta")
        cursor = {"log": subscribed["log"], "seq": seen[-1]["seq"]}
        first.close()

        late = await authenticated(server)
        await say(late, type="subscribe", id=2, conversation=id_)
        opening = await until(late, "live")
        assert opening[1]["type"] == "snapshot"
        resumed = await authenticated(server)
        await say(resumed, type="subscribe", id=2, conversation=id_, since=cursor)
        frames = await until(resumed, "turn.finished")
        assert frames[0]["mode"] == "replay"
        last = cursor["seq"]
        for event in (f for f in frames if "prev" in f):
            assert event["prev"] == last
            last = event["seq"]
        if not any(turn.get("finished_ts") for turn in opening[1]["state"]["turns"]):
            await until(late, "turn.finished")
        whole = await http.request("GET", f"conversations/{id_}")
        assert whole["head"] == last

    play(scenario)


def test_refused_commands_keep_the_socket_open(server: ServerProcess) -> None:
    async def scenario() -> None:
        socket = await authenticated(server)
        await say(socket, type="subscribe", id=2, conversation="c_none")
        assert (await frame(socket) or {})["code"] == "not_found"
        await say(socket, type="send", id=3, conversation="c_none")
        assert (await frame(socket) or {})["code"] == "bad_frame"
        await say(socket, type="ping", id=4)
        assert (await frame(socket) or {})["re"] == 4
        socket.close()

    play(scenario)


def test_flood_closes_with_4429(server: ServerProcess) -> None:
    async def scenario() -> None:
        socket = await authenticated(server)
        for number in range(80):
            await say(socket, type="ping", id=number)
        assert await close_code(socket) == 4429

    play(scenario)


def test_cancel_keeps_the_partial_answer_and_the_chat_goes_on(
    server: ServerProcess,
) -> None:
    async def scenario() -> None:
        http = api(server)
        id_ = (await http.request("POST", "conversations", {}))["id"]
        socket = await authenticated(server)
        await say(socket, type="subscribe", id=2, conversation=id_)
        await until(socket, "live")
        await say(
            socket,
            type="send",
            id=3,
            conversation=id_,
            client_message_id="w1",
            content=[{"type": "text", "text": "/demo long 20000"}],
        )
        seen = await until(socket, "block.delta")
        turn = seen[-1]["turn"]
        await say(socket, type="cancel", id=4, conversation=id_, turn=turn)
        ending = await until(socket, "turn.finished")
        assert ending[-1]["status"] == "cancelled"
        partial = [f for f in ending if f["type"] == "message.completed"]
        assert partial[-1]["partial"] is True
        assert partial[-1]["content"][0]["text"]
        answer = await http.request(
            "POST", f"conversations/{id_}/messages", {"text": "What is 6*7?"}
        )
        assert answer["status"] == "completed"
        assert "42" in answer["content"][0]["text"]
        socket.close()

    play(scenario)
