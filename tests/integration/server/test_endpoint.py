"""The whole server on a real endpoint: the same log as offline, and its faults."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from streamchat_nb.testing.fake_endpoint import running_fake_endpoint
from streamchat_nb.testing.server_process import ServerProcess, free_port
from tests.integration.server.wire import api, play

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "sk-canary-7f3a91"
PACE = "--StreamchatExtension.offline_pace_s=0"
IDENTIFIERS = ("message", "turn", "tool_call", "conversation", "client_message_id")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with running_fake_endpoint() as url:
        yield url


@pytest.fixture(scope="module")
def online(endpoint: str) -> Iterator[ServerProcess]:
    """A server whose model is behind real HTTP."""
    arguments = [
        f"--StreamchatExtension.base_url={endpoint}",
        "--StreamchatExtension.model=offline-demo-online",
        "--debug",
    ]
    with ServerProcess(arguments, environment={"ANTHROPIC_AUTH_TOKEN": KEY}) as server:
        yield server


async def ask(server: ServerProcess, *texts: str) -> tuple[Any, list[Any]]:
    """The last answer, and the events of the whole conversation."""
    http = api(server)
    conversation = await http.request("POST", "conversations", {})
    id_ = conversation["id"]
    answer: Any = None
    for text in texts:
        answer = await http.request(
            "POST", f"conversations/{id_}/messages", {"text": text}
        )
    page = await http.request(
        "GET", f"conversations/{id_}/events?since={conversation['log']}:0"
    )
    return answer, page["events"]


def comparable(events: list[Any]) -> list[Any]:
    """Events without what differs by chance: times, ids, and how deltas were cut."""
    names: dict[str, str] = {}
    plain: list[Any] = []
    for event in events:
        kept = {
            name: value
            for name, value in event.items()
            if name not in ("ts", "seq", "prev", "duration_ms", "model", "offline")
        }
        for name in IDENTIFIERS:
            if name in kept:
                value = str(kept[name])
                kept[name] = names.setdefault(value, f"{name}-{len(names)}")
        last: dict[str, Any] = plain[-1] if plain else {}
        if kept["type"] == last.get("type") == "block.delta" and all(
            kept[name] == last[name] for name in ("message", "block")
        ):
            last["delta"] += kept["delta"]
        else:
            plain.append(kept)
    text = json.dumps(plain)
    for value, name in names.items():
        text = text.replace(value, name)
    return json.loads(text)


def test_real_endpoint_gives_the_same_log_as_the_offline_transport(
    online: ServerProcess,
) -> None:
    questions = ("Who is Ada?", "What is 6*7?", "show a table", "hello")

    async def scenario() -> None:
        _, behind_http = await ask(online, *questions)
        with ServerProcess([PACE]) as offline:
            _, in_process = await ask(offline, *questions)
        assert comparable(behind_http) == comparable(in_process)
        assert any(event["type"] == "block.delta" for event in behind_http)
        started = [e for e in behind_http if e["type"] == "turn.started"]
        assert started[0]["model"] == "offline-demo-online"
        assert "offline" not in started[0]

    play(scenario)


def test_retry_is_seen_while_it_waits_and_the_answer_comes(
    online: ServerProcess,
) -> None:
    async def scenario() -> None:
        answer, events = await ask(online, "/fault once 529 1")
        assert answer["status"] == "completed"
        waits = [e for e in events if e.get("phase") == "retrying"]
        assert len(waits) == 1
        assert waits[0]["retry_in_ms"] > 0
        assert "trying again" in waits[0]["label"]

    play(scenario)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("/fault 400", "model_request_invalid"),
        ("/fault cut", "model_stream_truncated"),
        ("/fault page", "model_stream_malformed"),
    ],
)
def test_fault_of_the_endpoint_fails_the_turn_in_words(
    online: ServerProcess, text: str, code: str
) -> None:
    async def scenario() -> None:
        answer, _ = await ask(online, text)
        assert answer["status"] == "failed"
        assert answer["error"]["code"] == code
        assert len(answer["error"]["message"]) > 20

    play(scenario)


def test_wrong_key_and_unreachable_endpoint_say_what_to_do(endpoint: str) -> None:
    cases = {
        endpoint: ("bad-key", "model_authentication"),
        f"http://127.0.0.1:{free_port()}": (KEY, "model_unreachable"),
    }

    async def scenario() -> None:
        for url, (key, code) in cases.items():
            arguments = [
                f"--StreamchatExtension.base_url={url}",
                "--StreamchatExtension.model=m",
            ]
            with ServerProcess(
                arguments, environment={"ANTHROPIC_AUTH_TOKEN": key}
            ) as server:
                answer, _ = await ask(server, "hello")
                assert answer["status"] == "failed"
                assert answer["error"]["code"] == code
                assert key not in json.dumps(answer) + server.log

    play(scenario)


def test_key_is_in_no_log_and_no_event(online: ServerProcess) -> None:
    async def scenario() -> None:
        _, events = await ask(online, "hello", "/fault 401", "/fault cut")
        assert KEY not in json.dumps(events)
        assert KEY not in online.log
        for path in online.home.rglob("*"):
            if path.is_file():
                assert KEY.encode() not in path.read_bytes(), path

    play(scenario)
