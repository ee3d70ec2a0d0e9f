"""The list of conversations over HTTP: found, marked, deleted, restored, exported."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.integration.server.wire import (
    authenticated,
    fetch,
    new_conversation,
    play,
    say,
    until,
)

if TYPE_CHECKING:
    from streamchat_nb.testing.server_process import ServerProcess


async def ask(
    server: ServerProcess, method: str, path: str, body: Any = None
) -> tuple[int, Any]:
    response = await fetch(server, method, path, body)
    return response.code, json.loads(response.body or b"null")


async def talk(server: ServerProcess, text: str) -> str:
    id_ = await new_conversation(server)
    code, _ = await ask(server, "POST", f"conversations/{id_}/messages", {"text": text})
    assert code == 200
    return id_


async def ids(server: ServerProcess, query: str) -> list[str]:
    code, page = await ask(server, "GET", f"conversations?{query}")
    assert code == 200, page
    return [one["id"] for one in page["conversations"]]


def test_messages_are_found_and_marked(server: ServerProcess) -> None:
    async def scenario() -> None:
        id_ = await talk(server, "Do you know the /kumquat/ tree? 東京タワー")
        for query in (
            "q=KUMQUAT",
            "q=tree%20kumq",
            "q=%E4%BA%AC%E3%82%BF",
            "q=k%C3%BCmq",
        ):
            assert await ids(server, query) == [id_], query
        for query in ("q=%22kumquat%22", "q=kumquat%20AND%20tree", "q=NEAR(", "q=*"):
            await ids(server, query)
        _, page = await ask(server, "GET", "conversations?q=kumquat")
        (found,) = page["conversations"]
        assert found["snippet"][1::2] == ["kumquat"]
        assert found["marked_title"][1] == "kumquat"
        assert found["unread"] is True
        code, error = await ask(server, "GET", "conversations?archived=perhaps")
        assert (code, error["code"]) == (400, "invalid_input")
        code, error = await ask(server, "GET", "conversations?cursor=1")
        assert (code, error["code"]) == (400, "invalid_input")

    play(scenario)


def test_marks_are_kept_beside_the_log(server: ServerProcess) -> None:
    async def scenario() -> None:
        one, other = await talk(server, "a pomelo"), await talk(server, "two pomelo")
        path = f"conversations/{one}"
        _, before = await ask(server, "GET", path)
        code, marked = await ask(server, "PATCH", path, {"pinned": True})
        assert (code, marked["pinned"]) == (200, True)
        assert await ids(server, "q=pomelo") == [one, other]
        code, marked = await ask(server, "PATCH", path, {"read_seq": 10**6})
        assert (code, marked["unread"]) == (200, False)
        await ask(server, "PATCH", path, {"archived": True})
        assert await ids(server, "q=pomelo&archived=false") == [other]
        assert await ids(server, "q=pomelo&archived=true") == [one]
        _, after = await ask(server, "GET", path)
        assert after == before
        code, both = await ask(server, "PATCH", path, {"title": "New", "pinned": False})
        assert (code, both["title"], both["pinned"]) == (200, "New", False)

    play(scenario)


def test_trash_gives_back_what_was_deleted(server: ServerProcess) -> None:
    async def scenario() -> None:
        id_ = await talk(server, "a rambutan")
        path = f"conversations/{id_}"
        assert (await ask(server, "DELETE", path))[0] == 204
        assert await ids(server, "q=rambutan") == []
        assert await ids(server, "q=rambutan&deleted=true") == [id_]
        for method, place, body in (
            ("GET", path, None),
            ("PATCH", path, {"pinned": True}),
            ("DELETE", path, None),
            ("POST", f"{path}/messages", {"text": "x"}),
            ("GET", f"{path}/events", None),
            ("GET", f"{path}/export", None),
        ):
            code, error = await ask(server, method, place, body)
            assert (code, error["code"]) == (404, "conversation_deleted"), place
        socket = await authenticated(server)
        await say(socket, type="subscribe", id="s1", conversation=id_, since=None)
        refused = (await until(socket, "error"))[-1]
        assert refused["code"] == "conversation_deleted"
        assert "Restore" in refused["message"]
        socket.close()
        code, restored = await ask(server, "POST", f"{path}/restore", {})
        assert (code, restored["deleted_ms"]) == (200, 0)
        assert await ids(server, "q=rambutan") == [id_]
        assert (await ask(server, "DELETE", f"{path}?forever=true"))[0] == 204
        code, error = await ask(server, "POST", f"{path}/restore", {})
        assert (code, error["code"]) == (404, "not_found")

    play(scenario)


def test_conversation_is_exported_as_a_file(server: ServerProcess) -> None:
    async def scenario() -> None:
        id_ = await talk(server, "What is a durian/Ü?")
        for format_, beginning in (
            ("md", b"#"),
            ("html", b"<!doctype html>"),
            ("ipynb", b"{"),
            ("json", b"{"),
            ("txt", b""),
        ):
            response = await fetch(
                server, "GET", f"conversations/{id_}/export?format={format_}"
            )
            assert response.code == 200
            assert response.body.lower().startswith(beginning)
            assert "durian/Ü" in response.body.decode()
            assert response.headers["Content-Disposition"] == (
                f"attachment; filename*=UTF-8''What-is-a-durian-%C3%9C.{format_}"
            )
        code, error = await ask(server, "GET", f"conversations/{id_}/export?format=exe")
        assert (code, error["code"]) == (400, "invalid_input")

    play(scenario)
