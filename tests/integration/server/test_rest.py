from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import msgspec
import pytest
from tornado.httpclient import HTTPRequest

from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.frames import Snapshot
from streamchat_nb.server.event_outlet import sse_event
from streamchat_nb.testing.server_process import ServerProcess
from tests.integration.server.wire import (
    fetch,
    http_client,
    new_conversation,
    play,
    sse_events,
)


def test_message_as_json_answers_whole_with_tool_and_actions(
    server: ServerProcess,
) -> None:
    async def scenario() -> None:
        id_ = await new_conversation(server)
        response = await fetch(
            server, "POST", f"conversations/{id_}/messages", {"text": "Who is Ada?"}
        )
        answer = json.loads(response.body)
        assert response.code == 200
        assert answer["status"] == "completed"
        assert "Ada Lovelace" in answer["content"][0]["text"]
        kinds = {action["kind"] for action in answer["actions"]}
        assert kinds == {"link", "button"}
        state = json.loads((await fetch(server, "GET", f"conversations/{id_}")).body)
        (call,) = state["state"]["tool_calls"]
        assert (call["name"], call["status"]) == ("search_contacts", "ok")
        assert call["duration_ms"] > 0

    play(scenario)


def test_message_as_stream_carries_every_event_until_the_end(
    server: ServerProcess,
) -> None:
    async def scenario() -> None:
        id_ = await new_conversation(server)
        response = await fetch(
            server,
            "POST",
            f"conversations/{id_}/messages",
            {"text": "Who is Ada?", "client_message_id": "w-stream"},
            headers={"Accept": "text/event-stream"},
        )
        assert response.headers["Content-Type"].startswith("text/event-stream")
        assert response.headers["Cache-Control"] == "no-cache, no-transform"
        assert response.body.startswith(b"id: ")
        assert b"retry: 2000\n" in response.body[:200]
        events = [e for e in sse_events(response.body) if "prev" in e[2]]
        numbers = [data["seq"] for _, _, data in events]
        assert [data["prev"] for _, _, data in events][1:] == numbers[:-1]
        assert events[0][1] == "message.created"
        assert events[0][2]["client_message_id"] == "w-stream"
        assert events[-1][1] == "turn.finished"
        assert all(id_.endswith(f":{data['seq']}") for id_, _, data in events)
        names = [name for _, name, _ in events]
        assert "tool.progress" in names
        assert names.index("tool.started") < names.index("tool.completed")

    play(scenario)


def test_message_respond_async_answers_202_with_location(
    server: ServerProcess,
) -> None:
    async def scenario() -> None:
        id_ = await new_conversation(server)
        response = await fetch(
            server,
            "POST",
            f"conversations/{id_}/messages",
            {"text": "hello"},
            headers={"Prefer": "respond-async", "Idempotency-Key": "w-async"},
        )
        assert response.code == 202
        accepted = json.loads(response.body)
        where = response.headers["Location"].split("streamchat/api/")[1]
        again = await fetch(
            server,
            "POST",
            f"conversations/{id_}/messages",
            {"text": "hello"},
            headers={"Prefer": "respond-async", "Idempotency-Key": "w-async"},
        )
        repeated = json.loads(again.body)
        assert repeated["duplicate"] is True
        assert repeated["turn"] == accepted["turn"]
        seen: list[str] = []
        for _ in range(50):
            page = json.loads(
                (await fetch(server, "GET", f"{where}&wait_ms=5000")).body
            )
            assert page["mode"] == "replay"
            seen += [event["type"] for event in page["events"]]
            if "turn.finished" in seen:
                break
            where = f"{where.split('?')[0]}?since={page['log']}:{page['head']}"
        assert seen.count("turn.finished") == 1

    play(scenario)


def test_same_id_with_another_payload_is_a_conflict(server: ServerProcess) -> None:
    async def scenario() -> None:
        id_ = await new_conversation(server)
        path = f"conversations/{id_}/messages"
        body = {"text": "hello", "client_message_id": "w1"}
        await fetch(server, "POST", path, body)
        response = await fetch(server, "POST", path, {**body, "text": "other"})
        assert response.code == 409
        assert json.loads(response.body)["code"] == "idempotency_mismatch"

    play(scenario)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "conversations/{id}/messages", {"text": ""}, 400, "invalid_input"),
        ("POST", "conversations/{id}/messages", {}, 400, "invalid_input"),
        ("POST", "conversations/{id}/messages", {"text": 3}, 400, "invalid_input"),
        (
            "POST",
            "conversations/{id}/messages",
            {"text": "hi", "if_active": "xxxxx"},
            400,
            "invalid_input",
        ),
        (
            "POST",
            "conversations/{id}/messages",
            {"content": [{"type": "xxxxx"}]},
            400,
            "invalid_input",
        ),
        ("POST", "conversations/{id}/messages", b"{", 400, "bad_frame"),
        ("POST", "conversations/{id}/messages", b"\xff", 400, "bad_frame"),
        (
            "POST",
            "conversations/{id}/messages",
            {"text": "x" * 70_000},
            413,
            "too_large",
        ),
        ("POST", "conversations/{id}/messages", b"[" * 99_999, 413, "too_large"),
        ("POST", "conversations/nope/messages", {"text": "hi"}, 404, "not_found"),
        ("GET", "conversations/nope", None, 404, "not_found"),
        ("GET", "conversations/{id}/events?since=x", None, 400, "invalid_input"),
        ("GET", "conversations/{id}/events?wait_ms=-1", None, 400, "invalid_input"),
        ("POST", "conversations/{id}/turns/t_9/cancel", {}, 404, "not_found"),
        ("PATCH", "conversations/{id}", {"title": "x" * 999}, 400, "invalid_input"),
        ("PUT", "conversations/{id}", {}, 405, "method_not_allowed"),
    ],
)
def test_bad_input_gets_one_clear_error_without_the_payload(
    server: ServerProcess, method: str, path: str, body: Any, status: int, code: str
) -> None:
    async def scenario() -> None:
        id_ = await new_conversation(server)
        response = await fetch(server, method, path.format(id=id_), body)
        error = json.loads(response.body)
        assert (response.code, error["code"]) == (status, code)
        assert set(error) <= {
            "code",
            "message",
            "retryable",
            "retry_after_ms",
            "details",
        }
        assert len(error["message"]) > 10
        assert "xxxx" not in error["message"]

    play(scenario)


def test_wrong_idempotency_key_is_refused(server: ServerProcess) -> None:
    async def scenario() -> None:
        id_ = await new_conversation(server)
        for key in ("", "a b", "x" * 65, "é"):
            response = await fetch(
                server,
                "POST",
                f"conversations/{id_}/messages",
                {"text": "hi"},
                headers={"Idempotency-Key": key},
            )
            assert response.code == 400, key
            assert "Idempotency-Key" in json.loads(response.body)["message"]

    play(scenario)


def test_conversations_are_listed_renamed_searched_and_deleted(
    server: ServerProcess,
) -> None:
    async def scenario() -> None:
        id_ = await new_conversation(server)
        await fetch(
            server, "PATCH", f"conversations/{id_}", {"title": "Zebra crossing"}
        )
        found = json.loads((await fetch(server, "GET", "conversations?q=zebra")).body)
        assert [c["id"] for c in found["conversations"]] == [id_]
        page = json.loads((await fetch(server, "GET", "conversations?limit=1")).body)
        assert len(page["conversations"]) == 1
        following = json.loads(
            (
                await fetch(
                    server, "GET", f"conversations?limit=1&cursor={page['next']}"
                )
            ).body
        )
        assert following["conversations"] != page["conversations"]
        assert (await fetch(server, "DELETE", f"conversations/{id_}")).code == 204
        assert (await fetch(server, "GET", f"conversations/{id_}")).code == 404

    play(scenario)


def test_first_message_becomes_the_title(server: ServerProcess) -> None:
    async def scenario() -> None:
        id_ = await new_conversation(server)
        text = "Tell me about the history of the analytical engine and who built it"
        await fetch(server, "POST", f"conversations/{id_}/messages", {"text": text})
        state = json.loads((await fetch(server, "GET", f"conversations/{id_}")).body)
        title = state["state"]["title"]
        assert title.endswith("…")
        assert text.startswith(title[:-1])

    play(scenario)


def test_every_route_refuses_who_is_not_logged_in(server: ServerProcess) -> None:
    async def scenario() -> None:
        description = json.loads((await fetch(server, "GET", "openapi.json")).body)
        count = 0
        for path, operations in description["paths"].items():
            concrete = re.sub(r"\{\w+\}", "c", path)[1:]
            for method in operations:
                response = await fetch(
                    server, method.upper(), concrete, {}, authorized=False
                )
                assert response.code == 403, (method, path)
                count += 1
        assert count >= 15

    play(scenario)


@pytest.mark.parametrize("origin", ["https://evil.example", "http://[", "null"])
def test_foreign_origin_gets_403_even_with_the_token(
    server: ServerProcess, origin: str
) -> None:
    async def scenario() -> None:
        response = await fetch(server, "POST", "token", {}, headers={"Origin": origin})
        assert response.code == 403
        assert json.loads(response.body)["code"] == "origin_forbidden"
        assert "Access-Control-Allow-Origin" not in response.headers
        own = server.address.url.rstrip("/")
        response = await fetch(server, "POST", "token", {}, headers={"Origin": own})
        assert response.code == 200
        assert response.headers["Cache-Control"] == "no-store"

    play(scenario)


def test_descriptions_and_health_and_agents_are_served(server: ServerProcess) -> None:
    async def scenario() -> None:
        health = json.loads((await fetch(server, "GET", "health")).body)
        assert health["status"] == "ok"
        assert health["offline"] is True
        agents = json.loads((await fetch(server, "GET", "agents")).body)["agents"]
        assert "search_contacts" in [tool["name"] for tool in agents[0]["tools"]]
        schema = json.loads((await fetch(server, "GET", "schema.json")).body)
        assert "BlockDelta" in schema["$defs"]
        session = json.loads((await fetch(server, "GET", "session")).body)
        assert session["principal"] == "owner"

    play(scenario)


def test_stream_of_events_goes_on_where_its_reader_was(server: ServerProcess) -> None:
    async def scenario() -> None:
        id_ = await new_conversation(server)
        await fetch(server, "POST", f"conversations/{id_}/messages", {"text": "hello"})
        state = json.loads((await fetch(server, "GET", f"conversations/{id_}")).body)
        chunks: list[bytes] = []
        request = HTTPRequest(
            f"{server.address.api}conversations/{id_}/events",
            headers={
                "Authorization": f"token {server.address.token}",
                "Accept": "text/event-stream",
                "Last-Event-ID": f"{state['log']}:{state['head'] - 3}",
            },
            streaming_callback=chunks.append,
            request_timeout=20,
        )
        reading = asyncio.ensure_future(http_client().fetch(request, raise_error=False))
        async with asyncio.timeout(10):
            while b"event: live" not in b"".join(chunks):
                await asyncio.sleep(0.01)
        reading.cancel()
        events = [e[2] for e in sse_events(b"".join(chunks)) if "prev" in e[2]]
        assert events[0]["prev"] == state["head"] - 3
        assert events[-1]["seq"] == state["head"]
        assert events[-1]["type"] == "turn.finished"

    play(scenario)


def test_stream_ends_when_its_conversation_is_deleted(server: ServerProcess) -> None:
    async def scenario() -> None:
        id_ = await new_conversation(server)
        reading = asyncio.ensure_future(
            fetch(
                server,
                "GET",
                f"conversations/{id_}/events",
                headers={"Accept": "text/event-stream"},
            )
        )
        await asyncio.sleep(0.3)
        assert (await fetch(server, "DELETE", f"conversations/{id_}")).code == 204
        async with asyncio.timeout(5):
            response = await reading
        end = sse_events(response.body)[-1][2]
        assert (end["type"], end["reason"]) == ("unsubscribed", "deleted")

    play(scenario)


def test_stream_of_a_repeated_message_ends_though_its_turn_is_long_over() -> None:
    async def scenario(server: ServerProcess) -> None:
        id_ = await new_conversation(server)
        path = f"conversations/{id_}/messages"
        body = {"text": "hello", "client_message_id": "w1"}
        await fetch(server, "POST", path, body)
        await fetch(server, "POST", path, {"text": "hello again"})
        server.stop()
        server.start()
        headers = {"Accept": "text/event-stream"}
        async with asyncio.timeout(15):
            response = await fetch(server, "POST", path, body, headers=headers)
        assert response.code == 200
        assert sse_events(response.body)[-1][2]["type"] == "live"

    with ServerProcess(["--StreamchatExtension.offline_pace_s=0"]) as server:
        play(lambda: scenario(server))


def test_only_the_last_part_of_a_snapshot_is_a_place_to_go_on_from() -> None:
    parts = [
        Snapshot(
            conversation="c",
            log="L",
            seq=7,
            part=part,
            parts=2,
            state=msgspec.Raw(b"{}"),
        )
        for part in (1, 2)
    ]
    ids = [sse_event("L", encode(part)).startswith(b"id: L:7\n") for part in parts]
    assert ids == [False, True]
