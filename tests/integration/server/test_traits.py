"""Each trait does what its help says, in a real server."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from tornado.httpclient import HTTPClientError
from traitlets import TraitError

from streamchat_nb.client.client import Client
from streamchat_nb.server.extension import StreamchatExtension
from streamchat_nb.testing.fake_endpoint import running_fake_endpoint
from streamchat_nb.testing.server_process import ServerProcess
from tests.integration.server.wire import (
    api,
    authenticated,
    close_code,
    fetch,
    frame,
    http_client,
    open_socket,
    play,
    say,
    token_of,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODULE = '''
from streamchat_nb import tool
from streamchat_nb.agent.agent import Agent
from streamchat_nb.protocol.content import Author, TextBlock
from streamchat_nb.protocol.events import MessageCompleted, MessageCreated


@tool
def double(number: int) -> int:
    """Double a number."""
    return 2 * number


@tool
def broken(number: int) -> int:
    """Fail."""
    raise ValueError("the number is unlucky")


class Parrot(Agent):
    name = "parrot"
    model_name = "feathers"

    async def run(self, turn):
        text = turn.history[-1]["content"][-1]["text"]
        message = turn.new_message_id()
        author = Author(id="parrot", name="Parrot", kind="agent")
        yield MessageCreated(message=message, role="assistant", author=author)
        yield MessageCompleted(message=message, content=[TextBlock(text=text * 2)])


async def counter(turn):
    """Count the messages."""
    yield f"{len(turn.history)} messages"


def make_counter():
    return counter
'''


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("modules")
    (folder / "trait_samples.py").write_text(MODULE)
    return folder


@pytest.fixture(scope="module")
def configured(
    module: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """A server with nearly every trait set."""
    store = tmp_path_factory.mktemp("store") / "mine" / "chats.sqlite3"
    settings = {
        "tools": ["trait_samples:double", "trait_samples:broken"],
        "store_path": str(store),
        "token_lifetime_s": 6,
        "authenticate_timeout_s": 5.0,
        "limits": {"message_bytes": 100, "queued_turns": 1},
        "model": "offline-demo",
        "offline_pace_s": 0.0,
        "agents": {
            "bird": "trait_samples:Parrot",
            "counter": "trait_samples:make_counter",
            "broken": "no_such_module:agent",
        },
    }
    lines = [f"c.StreamchatExtension.{k} = {v!r}" for k, v in settings.items()]
    config = tmp_path_factory.mktemp("config") / "config.py"
    config.write_text("\n".join(["c = get_config()", *lines]))
    with ServerProcess(
        [f"--config={config}"], environment={"PYTHONPATH": str(module)}
    ) as server:
        yield server


def test_tools_are_offered_run_and_fail_without_ending_the_turn(
    configured: ServerProcess,
) -> None:
    async def scenario() -> None:
        http = api(configured)
        agents = await http.request("GET", "agents")
        names = [tool["name"] for tool in agents["agents"][0]["tools"]]
        assert names == ["broken", "double", "search_contacts"]
        id_ = (await http.request("POST", "conversations", {}))["id"]
        path = f"conversations/{id_}/messages"
        text = 'call double {"number": 21}\ncall broken {"number": 13}'
        answer = await http.request("POST", path, {"text": text})
        assert answer["status"] == "completed"
        state = (await http.request("GET", f"conversations/{id_}"))["state"]
        calls = {call["name"]: call for call in state["tool_calls"]}
        assert calls["double"]["output"] == "42"
        assert calls["broken"]["status"] == "error"
        assert "the number is unlucky" in calls["broken"]["output"]

    play(scenario)


def test_agents_are_listed_chosen_and_changed_by_name(
    configured: ServerProcess,
) -> None:
    async def scenario() -> None:
        http = api(configured)
        agents = (await http.request("GET", "agents"))["agents"]
        assert [(one["name"], one["model"]) for one in agents] == [
            ("assistant", "offline-demo"),
            ("bird", "feathers"),
            ("counter", ""),
            ("broken", ""),
        ]
        assert [one["default"] for one in agents] == [True, False, False, False]
        assert agents[2]["description"] == "Count the messages."
        assert "no_such_module" in agents[3]["problem"]
        assert {one["where"] for one in agents} == {"server"}
        made = await http.request(
            "POST", "conversations", {"settings": {"agent": "bird"}}
        )
        path = f"conversations/{made['id']}"
        said: list[str] = []
        for name in ("bird", "counter", "assistant", "counter"):
            await http.request("PATCH", path, {"settings": {"agent": name}})
            answer = await http.request("POST", f"{path}/messages", {"text": "ho"})
            said.append(answer["content"][0]["text"])
        assert said[:2] == ["hoho", "3 messages"]
        assert said[3] == "7 messages"
        state = (await http.request("GET", path))["state"]
        assert [turn["agent"] for turn in state["turns"]] == [
            "bird",
            "counter",
            "assistant",
            "counter",
        ]
        # What is chosen for the built-in agent is refused for another one.
        for settings, why in (
            ({"agent": "nobody"}, "'assistant', 'bird', 'counter', 'broken'"),
            ({"agent": "broken"}, "no_such_module"),
            ({"model": "m"}, "choose agent 'assistant' too"),
        ):
            refused = await fetch(configured, "PATCH", path, {"settings": settings})
            assert (refused.code, why in json.loads(refused.body)["message"]) == (
                400,
                True,
            )

    play(scenario)


def test_store_path_is_where_conversations_are(configured: ServerProcess) -> None:
    async def scenario() -> None:
        health = await api(configured).request("GET", "health")
        assert health["store"].endswith("mine/chats.sqlite3")

    play(scenario)


def test_limits_are_told_and_kept(configured: ServerProcess) -> None:
    async def scenario() -> None:
        socket = await open_socket(configured)
        hello = await frame(socket) or {}
        assert hello["limits"]["message_bytes"] == 100
        id_ = (await api(configured).request("POST", "conversations", {}))["id"]
        response = await fetch(
            configured, "POST", f"conversations/{id_}/messages", {"text": "x" * 101}
        )
        assert response.code == 413
        assert json.loads(response.body)["details"] == {"message_bytes": 100}

    play(scenario)


def test_silence_of_five_seconds_closes_with_4408(configured: ServerProcess) -> None:
    async def scenario() -> None:
        socket = await open_socket(configured)
        hello = await frame(socket) or {}
        assert hello["auth"]["deadline_ms"] == 5000
        assert (await frame(socket) or {})["code"] == "authenticate_deadline"
        assert await frame(socket) is None
        assert socket.close_code == 4408

    play(scenario)


def test_expired_token_refuses_commands_until_a_fresh_one_comes(
    configured: ServerProcess,
) -> None:
    async def scenario() -> None:
        id_ = (await api(configured).request("POST", "conversations", {}))["id"]
        socket = await authenticated(configured)
        await until(socket, "token.expiring")
        await asyncio.sleep(3)
        await say(socket, type="subscribe", id=2, conversation=id_)
        error = (await until(socket, "error"))[-1]
        assert (error["re"], error["code"]) == (2, "auth_expired")
        await say(socket, type="authenticate", id=3, token=await token_of(configured))
        await until(socket, "authenticated")
        await say(socket, type="subscribe", id=4, conversation=id_)
        await until(socket, "live")

    play(scenario)


def test_client_refreshes_its_token_by_itself(configured: ServerProcess) -> None:
    async def scenario() -> None:
        async with Client(configured.address) as client:
            conversation = await client.create()
            await asyncio.sleep(9)
            answer = await conversation.ask("What is 6*7?")
            assert "42" in answer.text

    play(scenario)


def test_agent_and_memory_store_are_taken(module: Path) -> None:
    async def scenario(server: ServerProcess) -> None:
        http = api(server)
        id_ = (await http.request("POST", "conversations", {}))["id"]
        answer = await http.request(
            "POST", f"conversations/{id_}/messages", {"text": "ho"}
        )
        assert answer["content"] == [{"type": "text", "text": "hoho"}]
        health = await http.request("GET", "health")
        assert (health["store"], health["model"]) == ("memory", "feathers")
        assert not list(server.home.rglob("*.sqlite3"))

    arguments = [
        "--StreamchatExtension.agent=trait_samples:Parrot",
        "--StreamchatExtension.store_path=memory",
    ]
    with ServerProcess(arguments, environment={"PYTHONPATH": str(module)}) as server:
        play(lambda: scenario(server))


def test_base_url_model_and_system_prompt_reach_the_endpoint() -> None:
    async def scenario(server: ServerProcess) -> None:
        http = api(server)
        id_ = (await http.request("POST", "conversations", {}))["id"]
        answer = await http.request(
            "POST", f"conversations/{id_}/messages", {"text": "hello"}
        )
        assert answer["error"]["code"] == "model_not_found"
        assert "unknown-model" in answer["error"]["message"]

    with running_fake_endpoint() as url:
        arguments = [
            f"--StreamchatExtension.base_url={url}",
            "--StreamchatExtension.model=unknown-model",
            "--StreamchatExtension.system_prompt=Be brief.",
        ]
        with ServerProcess(
            arguments, environment={"ANTHROPIC_AUTH_TOKEN": "sk-canary-1"}
        ) as server:
            play(lambda: scenario(server))


def test_tool_that_cannot_be_loaded_is_named_in_every_answer() -> None:
    async def scenario(server: ServerProcess) -> None:
        response = await fetch(server, "GET", "health")
        error = json.loads(response.body)
        assert (response.code, error["code"]) == (500, "usage")
        assert "no_such_module:tool" in error["message"]

    with ServerProcess(["--StreamchatExtension.tools=no_such_module:tool"]) as server:
        play(lambda: scenario(server))


@pytest.mark.parametrize(
    "value", [{"message_bytes": "big"}, {"no_such_limit": 1}, {"message_bytes": 1.5}]
)
def test_wrong_limits_are_refused_when_they_are_set(value: dict[str, object]) -> None:
    with pytest.raises(TraitError, match="limits"):
        StreamchatExtension(limits=value)


def test_limits_may_be_written_as_on_a_command_line() -> None:
    traits = StreamchatExtension(limits={"message_bytes": "70000"})
    assert traits.read_limits().message_bytes == 70_000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("on_no_subscribers", "stop"),
        ("on_no_subscribers", None),
        ("no_subscribers_timeout_s", -1.0),
        ("no_subscribers_timeout_s", "soon"),
        ("drain_timeout_s", -0.5),
        ("drain_timeout_s", 1e9),
    ],
)
def test_wrong_value_is_refused_by_the_name_of_its_trait(
    name: str, value: object
) -> None:
    with pytest.raises(TraitError, match=name):
        StreamchatExtension(**{name: value})


def test_unwatched_turns_go_on_and_stopping_takes_ten_seconds_by_default() -> None:
    settings = StreamchatExtension().read_traits()
    assert settings.on_no_subscribers == "continue"
    assert settings.no_subscribers_timeout_s == 60
    assert settings.drain_timeout_s == 10


def test_traits_of_stopping_and_of_unwatched_turns_become_settings() -> None:
    settings = StreamchatExtension(
        on_no_subscribers="cancel", no_subscribers_timeout_s=2.5, drain_timeout_s=0
    ).read_traits()
    assert settings.on_no_subscribers == "cancel"
    assert settings.no_subscribers_timeout_s == 2.5
    assert settings.drain_timeout_s == 0


def test_page_says_what_keeps_the_service_from_starting() -> None:
    async def scenario(server: ServerProcess) -> None:
        response = await http_client().fetch(
            f"{server.address.url}streamchat/",
            headers={"Authorization": f"token {server.address.token}"},
            raise_error=False,
        )
        assert response.code == 500
        assert response.headers["Content-Type"].startswith("text/html")
        assert b"no_such_module:tool" in response.body
        assert b"<script" not in response.body
        with pytest.raises(HTTPClientError, match="500"):
            await open_socket(server)
        socket = await open_socket(server, headers=_headers_of_a_page(server))
        assert "no_such_module:tool" in (await frame(socket) or {})["message"]
        assert await close_code(socket) == 1011

    with ServerProcess(["--StreamchatExtension.tools=no_such_module:tool"]) as server:
        play(lambda: scenario(server))


def test_page_with_too_many_sockets_is_told_on_the_socket() -> None:
    async def scenario(server: ServerProcess) -> None:
        await authenticated(server)
        with pytest.raises(HTTPClientError, match="429"):
            await open_socket(server)
        socket = await open_socket(server, headers=_headers_of_a_page(server))
        error = await frame(socket) or {}
        assert (error["type"], error["code"]) == ("error", "rate_limited")
        assert "close one of them" in error["message"]
        assert await close_code(socket) == 4429

    with ServerProcess(
        ["--StreamchatExtension.limits={'sockets_per_user': 1}"]
    ) as server:
        play(lambda: scenario(server))


def _headers_of_a_page(server: ServerProcess) -> dict[str, str]:
    return {
        "Origin": server.address.url.rstrip("/"),
        "Authorization": f"token {server.address.token}",
    }
