"""Recorded from the real SDK over HTTP, and played without it."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
import time
from contextlib import aclosing
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from streamchat_nb.agent.agent import Turn, TurnLimits
from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.agent.anthropic_model import AnthropicModel, EndpointProfile
from streamchat_nb.agent.cassette import CassetteModel
from streamchat_nb.agent.cassette_lines import decode_exchanges, encode_exchanges
from streamchat_nb.agent.model import (
    ModelBlockDelta,
    ModelEvent,
    ModelMessageStop,
    ModelRequest,
)
from streamchat_nb.agent.offline_model import OfflineModel
from streamchat_nb.agent.retry import RetryPolicy
from streamchat_nb.errors import ModelError, ToolError
from streamchat_nb.protocol.content import TextBlock
from streamchat_nb.protocol.events import MessageCompleted, ToolCompleted
from streamchat_nb.testing.fake_endpoint import running_fake_endpoint
from streamchat_nb.tools.contacts import search_contacts
from streamchat_nb.tools.decorator import tool
from streamchat_nb.tools.registry import ToolSet

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from pathlib import Path

    from streamchat_nb.agent.agent import AgentEvent
    from streamchat_nb.agent.model import Model
    from streamchat_nb.tools.tool import Tool

TOOLS = ToolSet([search_contacts]).definitions()
NO_WAIT = RetryPolicy(first_wait_s=0.001)


@pytest.fixture(scope="module")
def url() -> Generator[str]:
    with running_fake_endpoint() as address:
        yield address


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chat.jsonl"


def endpoint(url: str, api_key: str | None = None) -> AnthropicModel:
    return AnthropicModel(
        "offline-demo",
        base_url=url,
        api_key=api_key,
        no_progress_timeout_s=5,
        profile=EndpointProfile(lenient=False),
    )


def recorder(inner: Model, path: Path, **options: Any) -> CassetteModel:
    return CassetteModel(inner, path, mode="record", **options)


def player(path: Path, **options: Any) -> CassetteModel:
    return CassetteModel(None, path, mode="replay", **options)


def request_of(text: str) -> ModelRequest:
    return ModelRequest(messages=[{"role": "user", "content": text}], tools=TOOLS)


def ask(model: Model, *texts: str) -> list[tuple[list[ModelEvent], ModelError | None]]:
    """Ask all questions at once; give the events and the failure of each."""

    async def one(text: str) -> tuple[list[ModelEvent], ModelError | None]:
        events: list[ModelEvent] = []
        answer = cast("AsyncGenerator[ModelEvent]", model.stream(request_of(text)))
        try:
            async with aclosing(answer):
                async for event in answer:
                    events.append(event)  # noqa: PERF401 (before a failure)
        except ModelError as error:
            return events, error
        return events, None

    async def collect() -> list[tuple[list[ModelEvent], ModelError | None]]:
        try:
            return await asyncio.gather(*(one(text) for text in texts))
        finally:
            await model.close()

    return asyncio.run(collect())


def without_request_id(events: list[ModelEvent]) -> list[ModelEvent]:
    return [
        msgspec.structs.replace(event, request_id=None)
        if isinstance(event, ModelMessageStop)
        else event
        for event in events
    ]


def test_answers_of_an_endpoint_play_as_they_came(url: str, path: Path) -> None:
    texts = ["hello", "Who is Ada?", "show everything", "/demo refusal"]
    recorded = ask(recorder(endpoint(url), path), *texts)
    played = ask(player(path), *reversed(texts))
    for (live, _), (again, failure) in zip(recorded, reversed(played), strict=True):
        assert failure is None
        assert again == without_request_id(live)
    data = path.read_bytes()
    assert encode_exchanges(decode_exchanges(data)) == data


def lines_in_one_piece(file: Path) -> list[Any]:
    """The lines without timing; how the network cut a text is no matter."""
    lines = [
        json.loads(line)
        for line in file.read_text("utf-8").splitlines()
        if "timing" not in line
    ]
    return [
        {**line, "pieces": "".join(line["pieces"])} if "pieces" in line else line
        for line in lines
    ]


def test_offline_demo_is_recorded_alike(url: str, path: Path, tmp_path: Path) -> None:
    other = tmp_path / "offline.jsonl"
    ask(recorder(endpoint(url), path), "show a table")
    ask(recorder(OfflineModel(pace_s=0), other), "show a table")
    assert lines_in_one_piece(path) == lines_in_one_piece(other)
    model = player(other)
    assert (model.name, model.offline) == ("offline-demo", True)


@pytest.mark.parametrize(
    ("text", "code", "retryable"),
    [
        ("/fault 529", "model_overloaded", True),
        ("/fault 400", "model_request_invalid", False),
        ("/fault reset", "model_unreachable", True),
        ("/fault cut", "model_stream_truncated", True),
        ("/demo error", "model_overloaded", True),
        ("/demo badjson", "model_stream_malformed", True),
    ],
)
def test_failures_play_as_they_came(
    url: str, path: Path, text: str, code: str, *, retryable: bool
) -> None:
    ((live, first),) = ask(recorder(endpoint(url), path), text)
    ((again, failure),) = ask(player(path), text)
    assert first is not None
    assert failure is not None
    assert again == live
    assert (failure.code, failure.retryable) == (code, retryable)
    assert (failure.message, failure.retry_after_ms) == (
        first.message,
        first.retry_after_ms,
    )


def test_refused_credential_is_not_recorded(url: str, path: Path) -> None:
    ((_, failure),) = ask(recorder(endpoint(url, "bad-key"), path), "hello")
    assert failure is not None
    assert failure.code == "model_authentication"
    assert not path.exists()


def test_answer_plays_at_its_pace(path: Path) -> None:
    ((live, _),) = ask(recorder(OfflineModel(pace_s=0.02), path), "hello")
    words = sum(isinstance(event, ModelBlockDelta) for event in live)

    def seconds(timing: str) -> float:
        started = time.monotonic()
        ((events, _),) = ask(player(path, timing=timing), "hello")
        assert events == without_request_id(live)
        return time.monotonic() - started

    assert seconds("recorded") >= 0.9 * 0.02 * words
    assert seconds("instant") < 0.5 * 0.02 * words


# --- whole turns -----------------------------------------------------------------


@tool
def lucky_number(seed: int) -> str:
    """Say a number."""
    return f"{seed * 3} at 2026-11-22T10:00:{random.randint(0, 59):02}"  # noqa: S311


def run_turn(model: Model, text: str, *tools: Tool) -> list[AgentEvent]:
    numbers = count(1)
    turn = Turn(
        conversation="c",
        turn="t",
        history=[{"role": "user", "content": text}],
        tools=ToolSet(tools),
        limits=TurnLimits(),
        new_message_id=lambda: f"m{next(numbers)}",
    )

    async def run() -> list[AgentEvent]:
        agent = AnthropicAgent(model, retry=NO_WAIT)
        try:
            return [event async for event in agent.run(turn)]
        finally:
            await agent.close()

    return asyncio.run(run())


def told(events: list[AgentEvent]) -> list[AgentEvent]:
    """Return the events as they are whatever the clock: calls run side by side."""
    timeless = [
        msgspec.structs.replace(event, duration_ms=None)
        if isinstance(event, ToolCompleted)
        else event
        for event in events
    ]
    return sorted(timeless, key=lambda event: getattr(event, "tool_call", ""))


def test_turn_with_tools_plays_whole(url: str, path: Path) -> None:
    text = 'call search_contacts {"query": "Ada"} and search_contacts'
    live = run_turn(recorder(endpoint(url), path), text, search_contacts)
    again = run_turn(player(path), text, search_contacts)
    assert told(again) == told(live)
    assert sum(isinstance(event, ToolCompleted) for event in again) == 2
    assert len(decode_exchanges(path.read_bytes())) == 2


def test_turn_with_a_retry_plays_whole(url: str, path: Path) -> None:
    live = run_turn(recorder(endpoint(url), path), "/fault once 529")
    again = run_turn(player(path), "/fault once 529")
    first, second = ([e for e in es if "status" not in str(e)] for es in (live, again))
    assert [type(event) for event in again] == [type(event) for event in live]
    assert first == second
    failures = [each.failure for each in decode_exchanges(path.read_bytes())]
    assert [failure is None for failure in failures] == [False, True]


def test_result_that_varies_is_a_mismatch_until_it_is_ignored(
    url: str, path: Path
) -> None:
    text = 'call lucky_number {"seed": 4}'
    ignore = [r"10:00:\d\d"]
    run_turn(recorder(endpoint(url), path, ignore=ignore), text, lucky_number)
    assert b"12 at 2026-11-22T[ignored]" in path.read_bytes()
    again = run_turn(player(path, ignore=ignore), text, lucky_number)
    assert isinstance(again[-1], MessageCompleted)
    with pytest.raises(ModelError) as caught:
        run_turn(player(path), text, lucky_number)
    assert caught.value.code == "model_cassette_mismatch"
    assert "-messages[2].content[0].content: 12 at 2026" in caught.value.message
    assert "+messages[2].content[0].content: 12 at 2026" in caught.value.message


# --- secrets ---------------------------------------------------------------------

API_KEY = "canary-key-0123456789"
CANARIES = {
    "key of the endpoint": API_KEY,
    "variable": "canary-variable-77",
    "given": "canary-given-88-x",
    "well-known form": "sk-ant-canary-0123456789",
}


@tool
def leak(api_key: str = "", note: str = "") -> str:
    """Say what must not be said."""
    del api_key
    if note == "fail":
        raise ToolError(f"Authorization: Bearer {API_KEY}")
    return (
        f"{note} https://user:canary-password@host/?token=canary-query "
        f'"password": "canary horse" Cookie: id=canary-cookie\n{CANARIES["variable"]}'
    )


def test_no_canary_gets_into_a_cassette(
    url: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "canary-auth-token-99")
    monkeypatch.setenv("WEATHER_API_KEY", CANARIES["variable"])
    model = recorder(endpoint(url, API_KEY), path, secrets=[CANARIES["given"]])
    everything = " ".join(CANARIES.values())
    texts = [
        f'call leak {{"api_key": "canary", "note": "{everything}"}}',
        'call leak {"note": "fail"}',
        f"repeat {everything} canary-auth-token-99 Bearer canary-bearer-1",
        f"/fault {API_KEY.replace('-', '')[:8]}",
    ]
    for text in texts:
        try:
            run_turn(model, text, leak)
        except ModelError as error:
            assert error.code == "model_request_invalid"  # noqa: PT017
    data = path.read_text("utf-8").lower()
    assert len(decode_exchanges(path.read_bytes())) >= 5
    assert "[removed]" in data
    assert "canary" not in data.replace("canaryke", "")
    assert "x-api-key" not in data
    # The same conversation finds its answers again, and its diffs tell nothing.
    again = player(path, secrets=[*CANARIES.values()])
    events = run_turn(again, texts[0], leak)
    final = events[-1]
    assert isinstance(final, MessageCompleted)
    assert isinstance(final.content[0], TextBlock)
    with pytest.raises(ModelError) as caught:
        run_turn(again, f"{texts[2]} now", leak)
    assert caught.value.code == "model_cassette_mismatch"
    assert "canary" not in caught.value.message


# --- kill -9 ---------------------------------------------------------------------

RECORDING = """
import asyncio, itertools, sys
from pathlib import Path
from streamchat_nb.agent.cassette import CassetteModel
from streamchat_nb.agent.model import ModelRequest
from streamchat_nb.testing.scripted_model import ScriptedModel, script

async def main():
    text = script("word " * 400)
    inner = ScriptedModel([text], repeat_last=True)
    model = CassetteModel(inner, Path(sys.argv[1]), environment={})
    for number in itertools.count():
        messages = [{"role": "user", "content": f"Question {number}"}]
        async for event in model.stream(ModelRequest(messages=messages)):
            pass
        print(number, flush=True)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_killed_process_leaves_every_answer_that_had_ended(path: Path) -> None:
    choice = random.Random(5)  # noqa: S311 - moments, not secrets
    whole = 0
    for _ in range(12):
        path.unlink(missing_ok=True)
        process = subprocess.Popen(
            [sys.executable, "-c", RECORDING, str(path)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(choice.uniform(0.0, 0.3))
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
        process.wait(10)
        process.stdout.close()
        told_numbers = (first + rest).split()
        exchanges = decode_exchanges(path.read_bytes())
        assert len(exchanges) in (len(told_numbers), len(told_numbers) + 1)
        assert all(each.failure is None for each in exchanges)
        last = exchanges[-1].request.messages[0].value["content"]
        assert last == f"Question {len(exchanges) - 1}"
        whole += len(exchanges)
        events = asyncio.run(play(path, last))
        assert isinstance(events[-1], ModelMessageStop)
    assert whole > 12


async def play(path: Path, text: str) -> list[ModelEvent]:
    request = ModelRequest(messages=[{"role": "user", "content": text}])
    return [event async for event in player(path).stream(request)]
