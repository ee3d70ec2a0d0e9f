from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from typing_extensions import override

from streamchat_nb.agent.agent import Agent, AgentEvent, Turn
from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.agent.anthropic_model import AnthropicModel
from streamchat_nb.agent.endpoint_check import CHECKS, check_agent
from streamchat_nb.agent.offline_model import OfflineModel
from streamchat_nb.testing.scripted_model import ScriptedModel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streamchat_nb.protocol.checks import Check

KEY = "sk-canary-4411"
URL = "http://127.0.0.1:4000"
CALL: dict[str, object] = {
    "type": "tool_use",
    "id": "toolu_1",
    "name": "look_at_clock",
    "input": {},
}


def event(kind: str, **fields: object) -> bytes:
    return b"data: " + json.dumps({"type": kind, **fields}).encode() + b"\n\n"


def text(value: str) -> bytes:
    return event("content_block_delta", index=0, delta={"text": value})


def stop(reason: str = "end_turn") -> bytes:
    return event("message_delta", delta={"stop_reason": reason}) + event("message_stop")


COUNTED = text("1 ") + text("2") + stop()
CALLED = event("content_block_start", index=0, content_block=CALL) + (
    event("content_block_stop", index=0) + stop("tool_use")
)
REFUSED = {"type": "error", "error": {"type": "x", "message": f"Not {KEY}."}}


class Body(httpx2.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._body.splitlines(keepends=True):
            yield part


class Answers(httpx2.AsyncBaseTransport):
    """Gives one answer to each request: a body, a status, an error, or silence."""

    def __init__(self, *answers: bytes | int | Exception | None) -> None:
        self.answers = list(answers)
        self.bodies: list[dict[str, Any]] = []

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.bodies.append(json.loads(request.content))
        answer = self.answers.pop(0)
        if answer is None:
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            return httpx2.Response(answer, json=REFUSED)
        return httpx2.Response(200, stream=Body(answer or b""))


def check(agent: Agent, *, deadline_s: float = 20.0) -> list[Check]:
    async def run() -> list[Check]:
        await agent.warm()  # making a client takes a while, which is not measured
        try:
            return await check_agent(agent, deadline_s=deadline_s)
        finally:
            await agent.close()

    checks = asyncio.run(run())
    assert tuple(each.name for each in checks) == CHECKS
    for each in checks:
        assert each.says.endswith(".")
        assert KEY not in each.says + each.hint
        assert each.hint or each.status != "failed"
    return checks


def check_answers(
    *answers: bytes | int | Exception | None,
    base_url: str = URL,
    deadline_s: float = 20.0,
) -> tuple[list[Check], Answers]:
    transport = Answers(*answers)
    model = AnthropicModel("m", base_url=base_url, api_key=KEY, transport=transport)
    return check(AnthropicAgent(model), deadline_s=deadline_s), transport


def statuses(checks: list[Check]) -> str:
    """Return the first letters of how each came out, in order."""
    return "".join(each.status[0] for each in checks)


def test_check_of_a_good_endpoint_is_all_well_by_two_short_requests() -> None:
    checks, transport = check_answers(COUNTED, CALLED)
    assert statuses(checks) == "oooooo"
    assert not any(each.hint for each in checks)
    assert URL in checks[0].says
    assert "word by word" in checks[4].says
    assert checks[5].says == "The model calls tools."
    assert [body["max_tokens"] <= 48 for body in transport.bodies] == [True, True]
    assert len(json.dumps(transport.bodies)) < 800


def test_check_of_an_answer_in_one_piece_says_so() -> None:
    body = {"type": "message", "content": [{"type": "text", "text": "1 2 3 4 5"}]}
    whole = json.dumps({**body, "stop_reason": "end_turn"}).encode()
    checks, _ = check_answers(whole, whole)
    assert statuses(checks) == "oooooo"
    assert "in one piece" in checks[4].says
    assert "in words" in checks[5].says
    assert checks[5].hint


@pytest.mark.parametrize(
    ("answers", "expected", "blamed"),
    [
        ([httpx2.ConnectError("x")], "osfsss", "reachable"),
        ([401], "ofosss", "credential"),
        ([403], "ofosss", "credential"),
        ([404], "osofss", "model"),
        ([400], "ososfs", "streams"),
        ([500], "ososfs", "streams"),
        ([b"<html>Welcome</html>"], "ososfs", "streams"),
        ([text("1 ") + text("2")], "oooofs", "streams"),
        ([COUNTED, 400], "ooooof", "tools"),
        ([COUNTED, httpx2.ReadError("x")], "ooooof", "tools"),
        ([COUNTED, text("1")], "ooooof", "tools"),
    ],
)
def test_check_blames_what_is_wrong(
    answers: list[bytes | int | Exception], expected: str, blamed: str
) -> None:
    checks, _ = check_answers(*answers)
    assert statuses(checks) == expected
    (failed,) = [each for each in checks if each.status == "failed"]
    assert failed.name == blamed


def test_check_says_that_the_connection_broke_where_it_was_reached_before() -> None:
    checks, _ = check_answers(COUNTED, httpx2.ReadError("x"))
    assert "connection to it broke" in checks[5].says
    assert "Try again" in checks[5].hint
    assert "Choose a model" not in checks[5].hint


@pytest.mark.parametrize(
    ("answers", "expected"), [([None], "osfsss"), ([COUNTED, None], "ooooof")]
)
def test_check_ends_in_time(answers: list[bytes | None], expected: str) -> None:
    checks, _ = check_answers(*answers, deadline_s=1.0)
    assert statuses(checks) == expected
    assert "within 1 s" in next(c.says for c in checks if c.status == "failed")


def test_check_of_an_unencrypted_address_warns() -> None:
    checks, _ = check_answers(COUNTED, CALLED, base_url="http://models.example")
    assert checks[0].status == "ok"
    assert "https" in checks[0].hint


def test_check_without_a_credential_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    for name in ("API_KEY", "AUTH_TOKEN", "BASE_URL", "PROFILE", "CONFIG_DIR"):
        monkeypatch.delenv(f"ANTHROPIC_{name}", raising=False)
    for name in ("HOME", "USERPROFILE", "APPDATA", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    checks = check(AnthropicAgent(AnthropicModel("m", transport=Answers())))
    assert statuses(checks) == "ofssss"
    assert "ANTHROPIC_API_KEY" in checks[1].hint


def test_check_of_the_offline_demo_says_that_nothing_is_asked() -> None:
    checks = check(AnthropicAgent(OfflineModel(pace_s=0)))
    assert statuses(checks) == "ssssss"
    assert "no language model" in checks[0].says
    assert "ANTHROPIC_API_KEY" in checks[0].hint


class Other(Agent):
    name = "other"

    @override
    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        raise NotImplementedError
        yield


@pytest.mark.parametrize("agent", [Other(), AnthropicAgent(ScriptedModel([]))])
def test_check_of_what_has_no_endpoint_says_so(agent: Agent) -> None:
    checks = check(agent)
    assert statuses(checks) == "ssssss"
    assert "cannot be tried" in checks[0].says
