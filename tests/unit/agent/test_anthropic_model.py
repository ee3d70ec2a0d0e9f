from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any, cast

import anthropic
import httpx2
import pytest
from typing_extensions import override

from streamchat_nb.agent.anthropic_model import AnthropicModel, EndpointProfile
from streamchat_nb.agent.model import (
    ModelDescription,
    ModelEvent,
    ModelMessageStop,
    ModelRequest,
)
from streamchat_nb.errors import ModelError
from streamchat_nb.protocol.content import TextBlock, ToolUseBlock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

KEY = "sk-ant-canary-key"
TOKEN = "canary-token"
ASK = ModelRequest(messages=[{"role": "user", "content": "Hi"}])
TOOL = {"name": "t", "description": "d", "input_schema": {"type": "object"}}


def event(kind: str, **fields: object) -> bytes:
    return b"data: " + json.dumps({"type": kind, **fields}).encode() + b"\n\n"


START = event("message_start", message={"model": "m-1"})
PING = event("ping")
STOP = event("message_delta", delta={"stop_reason": "end_turn"}) + event("message_stop")


def text(value: str) -> bytes:
    return event("content_block_delta", index=0, delta={"text": value})


GOOD = START + text("Hello") + STOP


class Body(httpx2.AsyncByteStream):
    """A response's body: bytes, waits (numbers of seconds) and faults, in order."""

    def __init__(self, *parts: bytes | float | Exception) -> None:
        self.parts = parts
        self.closed = False

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            if isinstance(part, Exception):
                raise part
            if isinstance(part, bytes):
                yield part
            else:
                await asyncio.sleep(part)

    @override
    async def aclose(self) -> None:
        self.closed = True


class Endpoint(httpx2.AsyncBaseTransport):
    """Gives one response, or raises one error, for each request, and keeps those.

    The last one is given again for every further request.
    """

    def __init__(self, *responses: httpx2.Response | Exception | bytes | Body) -> None:
        self.responses = list(responses) or [GOOD]
        self.requests: list[httpx2.Request] = []
        self.closed = 0

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(request.content) for request in self.requests]

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        response = self.responses[0]
        if len(self.responses) > 1:
            self.responses.pop(0)
        if isinstance(response, Exception):
            raise response
        if isinstance(response, bytes):
            response = Body(response)
        if isinstance(response, Body):
            headers = {"content-type": "text/event-stream", "request-id": "req_1"}
            return httpx2.Response(200, headers=headers, stream=response)
        return response

    @override
    async def aclose(self) -> None:
        self.closed += 1


def new_model(endpoint: Endpoint, **options: Any) -> AnthropicModel:
    options.setdefault("base_url", "https://api.anthropic.com")
    options.setdefault("api_key", KEY)
    options.setdefault("no_progress_timeout_s", 5.0)
    return AnthropicModel("m", transport=endpoint, **options)


def ask(model: AnthropicModel, request: ModelRequest = ASK) -> list[ModelEvent]:
    async def collect() -> list[ModelEvent]:
        try:
            return [event async for event in model.stream(request)]
        finally:
            await model.close()

    return asyncio.run(collect())


def answer(model: AnthropicModel, request: ModelRequest = ASK) -> ModelMessageStop:
    stop = ask(model, request)[-1]
    assert isinstance(stop, ModelMessageStop)
    return stop


def failure(model: AnthropicModel, request: ModelRequest = ASK) -> ModelError:
    with pytest.raises(ModelError) as caught:
        ask(model, request)
    assert caught.value.__cause__ is None  # a chain could show a key in a log
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


def refusal(status: int, message: str = "no", **headers: str) -> httpx2.Response:
    body = {"type": "error", "error": {"type": "x", "message": message}}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, json=body, headers=names)


# --- requests --------------------------------------------------------------------


def test_model_answer_carries_what_the_endpoint_says() -> None:
    stop = answer(new_model(Endpoint()))
    assert stop.content == [TextBlock(text="Hello")]
    assert (stop.request_id, stop.model) == ("req_1", "m-1")


def test_model_plain_request_sends_nothing_more() -> None:
    endpoint = Endpoint()
    ask(new_model(endpoint, profile=EndpointProfile()))
    assert endpoint.bodies == [
        {"model": "m", "max_tokens": 8192, "messages": ASK.messages, "stream": True}
    ]
    assert endpoint.requests[0].url == "https://api.anthropic.com/v1/messages"


def test_model_full_request_sends_what_is_set() -> None:
    endpoint = Endpoint()
    request = ModelRequest(
        messages=ASK.messages,
        system="Be brief.",
        tools=[TOOL],
        max_tokens=9,
        tool_choice="none",
    )
    ask(new_model(endpoint), request)
    assert endpoint.bodies == [
        {
            "model": "m",
            "max_tokens": 9,
            "messages": ASK.messages,
            "stream": True,
            "system": "Be brief.",
            "tools": [TOOL],
            "tool_choice": {"type": "none"},
            "cache_control": {"type": "ephemeral"},
        }
    ]


def test_model_tool_choice_without_tools_is_left_out() -> None:
    endpoint = Endpoint()
    ask(new_model(endpoint), ModelRequest(messages=ASK.messages, tool_choice="none"))
    assert "tool_choice" not in endpoint.bodies[0]


def test_model_another_host_gets_no_caching_and_lenient_reading() -> None:
    endpoint = Endpoint(START + text("a") + STOP.partition(b"\n\n")[0] + b"\n\n")
    model = new_model(endpoint, base_url="http://127.0.0.1:1")
    assert answer(model).content == [TextBlock(text="a")]
    assert "cache_control" not in endpoint.bodies[0]
    assert model.profile == EndpointProfile()


def test_model_repeated_tool_id_of_the_history_is_replaced() -> None:
    block: dict[str, Any] = {"type": "tool_use", "id": "call_0", "name": "t"}
    block["input"] = {}
    start = event("content_block_start", index=0, content_block=block)
    use = start + event("content_block_stop", index=0)
    history: list[dict[str, Any]] = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [block]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "call_0"}],
        },
    ]
    model = new_model(Endpoint(START + use + STOP))
    (content,) = answer(model, ModelRequest(messages=history)).content
    assert isinstance(content, ToolUseBlock)
    assert content.id.startswith("toolu_")


# --- credentials -----------------------------------------------------------------


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in ("API_KEY", "AUTH_TOKEN", "BASE_URL", "PROFILE", "CONFIG_DIR"):
        monkeypatch.delenv(f"ANTHROPIC_{name}", raising=False)
    for name in ("HOME", "USERPROFILE", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    return monkeypatch


@pytest.mark.parametrize("explicit", [True, False])
def test_model_another_host_never_sees_the_anthropic_key(
    environment: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    explicit: bool,
) -> None:
    url = "http://127.0.0.1:4000/v1"
    environment.setenv("ANTHROPIC_API_KEY", KEY)
    environment.setenv("ANTHROPIC_AUTH_TOKEN", TOKEN)
    environment.setenv("ANTHROPIC_BASE_URL", "https://api.anthropic.com")
    if not explicit:
        environment.setenv("ANTHROPIC_BASE_URL", url)
    endpoint = Endpoint()
    with caplog.at_level(logging.DEBUG):
        ask(new_model(endpoint, base_url=url if explicit else None, api_key=None))
    (sent,) = endpoint.requests
    assert sent.url == "http://127.0.0.1:4000/v1/messages"
    assert KEY not in str(sent.headers.raw)
    assert sent.headers.get_list("authorization") == [f"Bearer {TOKEN}"]
    assert sent.headers.get_list("x-api-key") == [TOKEN]
    assert KEY not in caplog.text
    assert TOKEN not in caplog.text


def test_model_another_host_without_token_gets_the_word_none(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("ANTHROPIC_API_KEY", KEY)
    endpoint = Endpoint()
    ask(new_model(endpoint, base_url="http://127.0.0.1:4000", api_key=None))
    assert endpoint.requests[0].headers["x-api-key"] == "none"
    assert endpoint.requests[0].headers["authorization"] == "Bearer none"


def test_model_anthropic_gets_its_key(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ANTHROPIC_API_KEY", f"{KEY}\n")
    endpoint = Endpoint()
    model = new_model(endpoint, base_url=None, api_key=None)
    ask(model)
    assert KEY in str(endpoint.requests[0].headers.raw)
    assert model.profile.caching


@pytest.mark.usefixtures("environment")
def test_model_without_credential_says_so() -> None:
    endpoint = Endpoint()
    error = failure(new_model(endpoint, base_url=None, api_key=None))
    assert (error.code, error.retryable) == ("model_credential_missing", False)
    assert "ANTHROPIC_API_KEY" in error.message
    assert endpoint.requests == []


def test_model_with_a_broken_profile_says_so(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ANTHROPIC_PROFILE", "missing")
    error = failure(new_model(Endpoint(), base_url=None, api_key=None))
    assert error.code == "model_credential_missing"
    assert "profile" in error.message


def test_model_redirect_is_not_followed() -> None:
    away = httpx2.Response(307, headers={"location": "https://evil.example/"})
    endpoint = Endpoint(away)
    error = failure(new_model(endpoint))
    assert (error.code, error.retryable) == ("model_unreachable", False)
    assert len(endpoint.requests) == 1


# --- refused requests ------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [
        (400, "model_request_invalid", False),
        (401, "model_authentication", False),
        (402, "model_permission", False),
        (403, "model_permission", False),
        (404, "model_not_found", False),
        (408, "model_timeout", True),
        (409, "model_server_error", True),
        (413, "model_request_too_large", False),
        (422, "model_request_invalid", False),
        (429, "model_rate_limited", True),
        (500, "model_server_error", True),
        (503, "model_overloaded", True),
        (504, "model_timeout", True),
        (529, "model_overloaded", True),
    ],
)
def test_model_status_has_its_code_and_is_tried_once(
    status: int, code: str, *, retryable: bool
) -> None:
    endpoint = Endpoint(refusal(status, "reason given", request_id="req_9"))
    error = failure(new_model(endpoint))
    assert (error.code, error.retryable) == (code, retryable)
    assert error.details == {"status": status, "request_id": "req_9"}
    assert ("reason given" in error.message) is (status != 401)
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    ("headers", "wait_ms"),
    [({"retry_after": "7"}, 7000), ({"retry_after_ms": "20"}, 20), ({}, None)],
)
def test_model_retry_after_is_handed_on(
    headers: dict[str, str], wait_ms: int | None
) -> None:
    error = failure(new_model(Endpoint(refusal(429, **headers))))
    assert error.retry_after_ms == wait_ms


@pytest.mark.parametrize(("advice", "retryable"), [("false", False), ("true", True)])
def test_model_advice_on_retries_is_taken(advice: str, *, retryable: bool) -> None:
    error = failure(new_model(Endpoint(refusal(500, x_should_retry=advice))))
    assert error.retryable is retryable


def test_model_key_repeated_by_the_endpoint_is_not_shown() -> None:
    response = refusal(400, f"what is {TOKEN}, or {KEY}?")
    error = failure(new_model(Endpoint(response), api_key=TOKEN))
    assert TOKEN not in str(vars(error))
    assert KEY not in str(vars(error))


def test_model_error_that_is_no_json_is_an_error() -> None:
    error = failure(new_model(Endpoint(httpx2.Response(502, text="<html>"))))
    assert error.code == "model_server_error"


def test_model_refused_optional_field_is_dropped_once_and_for_good() -> None:
    blame = refusal(400, "cache_control: Extra inputs are not permitted")
    endpoint = Endpoint(blame, GOOD)
    model = new_model(endpoint)

    async def twice() -> None:
        for _ in range(2):
            assert [event async for event in model.stream(ASK)]
        await model.close()

    asyncio.run(twice())
    assert ["cache_control" in body for body in endpoint.bodies] == [True, False, False]


def test_model_refused_tool_choice_takes_the_tools_along() -> None:
    endpoint = Endpoint(refusal(422, "unknown field tool_choice"), GOOD)
    request = ModelRequest(messages=ASK.messages, tools=[TOOL], tool_choice="none")
    ask(new_model(endpoint), request)
    assert "tools" in endpoint.bodies[0]
    assert "tools" not in endpoint.bodies[1]


OPTIONS = ModelRequest(
    messages=ASK.messages,
    max_tokens=4_000,
    thinking=True,
    effort="low",
    server_tools=("web_search", {"type": "x_1", "name": "x"}),
    output_schema={"type": "object", "properties": {"n": {"type": "integer"}}},
)


def test_model_sends_what_a_request_wants_of_the_model() -> None:
    endpoint = Endpoint()
    ask(new_model(endpoint), OPTIONS)
    (body,) = endpoint.bodies
    assert body["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert body["output_config"]["effort"] == "low"
    held = body["output_config"]["format"]
    assert held["type"] == "json_schema"
    assert held["schema"]["additionalProperties"] is False
    names = [tool["name"] for tool in body["tools"]]
    assert names == ["web_search", "x"]


def test_model_is_held_to_no_schema_that_its_endpoint_cannot_take() -> None:
    endpoint = Endpoint()
    schema = {"type": "object", "properties": {"any": {"description": "Anything."}}}
    request = ModelRequest(messages=ASK.messages, output_schema=schema)
    ask(new_model(endpoint), request)
    assert "output_config" not in endpoint.bodies[0]


def test_model_of_another_endpoint_is_not_held_to_a_schema() -> None:
    endpoint = Endpoint()
    ask(new_model(endpoint, base_url="http://127.0.0.1:9"), OPTIONS)
    (body,) = endpoint.bodies
    assert body["output_config"] == {"effort": "low"}
    assert "tools" not in body


@pytest.mark.parametrize(
    ("words", "thinking", "output_config"),
    [
        (
            "adaptive thinking is not supported on this model",
            {"type": "enabled", "budget_tokens": 2_000},
            {"effort", "format"},
        ),
        ("thinking: not permitted", None, {"effort", "format"}),
        ("this model does not take the effort parameter", "adaptive", {"format"}),
        ("output_config.format: schema is too complex", "adaptive", {"effort"}),
        ("output_config: Extra inputs are not permitted", "adaptive", set[str]()),
    ],
)
def test_model_asks_again_without_what_was_refused(
    words: str, thinking: Any, output_config: set[str]
) -> None:
    endpoint = Endpoint(refusal(400, words), GOOD)
    ask(new_model(endpoint), OPTIONS)
    body = endpoint.bodies[-1]
    sent: Any = body.get("thinking")
    assert (sent["type"] if thinking == "adaptive" else sent) == thinking
    assert set(body.get("output_config", {})) == output_config
    assert len(endpoint.requests) == 2


def test_model_has_no_thoughts_where_there_is_no_room_for_them() -> None:
    endpoint = Endpoint(refusal(400, "adaptive is unknown"), GOOD)
    request = ModelRequest(messages=ASK.messages, max_tokens=1_024, thinking=True)
    ask(new_model(endpoint), request)
    assert endpoint.bodies[-1]["thinking"] == {"type": "disabled"}


def test_model_that_refuses_one_option_after_the_other_is_asked_without_any() -> None:
    endpoint = Endpoint(
        refusal(400, "adaptive is unknown"),
        refusal(400, "thinking is unknown"),
        refusal(400, "effort is unknown"),
        refusal(400, "format is unknown"),
        refusal(400, "cache_control is unknown"),
        GOOD,
    )
    ask(new_model(endpoint), OPTIONS)
    assert len(endpoint.requests) == 6
    assert {"thinking", "output_config", "cache_control"}.isdisjoint(
        endpoint.bodies[-1]
    )


def test_model_lists_what_its_endpoint_has() -> None:
    listed = {
        "data": [
            {
                "id": "claude-a",
                "display_name": "Claude A",
                "max_input_tokens": 200_000,
                "capabilities": {
                    "thinking": {"supported": True},
                    "effort": {
                        "supported": True,
                        "low": {"supported": True},
                        "max": {"supported": True},
                        "high": {"supported": False},
                    },
                },
            },
            {"id": "old", "lifecycle": "retired"},
            {"id": "llama", "object": "model"},
            {"id": "gguf", "meta": {"n_ctx_train": 8_192, "n_params": 1}},
            {"id": "vllm", "max_model_len": 4_096, "max_input_tokens": None},
            {"object": "model"},
            7,
        ]
    }
    endpoint = Endpoint(httpx2.Response(200, json=listed))
    model = new_model(endpoint)

    async def found() -> list[ModelDescription]:
        try:
            return await model.models()
        finally:
            await model.close()

    assert asyncio.run(found()) == [
        ModelDescription(
            id="claude-a",
            name="Claude A",
            efforts=("low", "max"),
            thinking=True,
            context_tokens=200_000,
        ),
        ModelDescription(id="llama", name="llama"),
        ModelDescription(id="gguf", name="gguf", context_tokens=8_192),
        ModelDescription(id="vllm", name="vllm", context_tokens=4_096),
    ]
    assert endpoint.requests[0].url.path == "/v1/models"


def test_model_second_refusal_is_an_error() -> None:
    endpoint = Endpoint(refusal(400, "cache_control is bad"))
    error = failure(new_model(endpoint))
    assert error.code == "model_request_invalid"
    assert len(endpoint.requests) == 2


def test_model_refusal_of_a_field_that_was_not_sent_is_an_error() -> None:
    endpoint = Endpoint(refusal(400, "tool_choice is bad"))
    failure(new_model(endpoint))
    assert len(endpoint.requests) == 1


# --- the network -----------------------------------------------------------------


def refused() -> Exception:
    error = httpx2.ConnectError(f"no way to {KEY}")
    error.__cause__ = ConnectionRefusedError()
    return error


@pytest.mark.parametrize(
    ("fault", "code", "retryable", "words"),
    [
        (refused(), "model_unreachable", True, "refused"),
        (httpx2.ConnectError("x"), "model_unreachable", True, "base_url"),
        (httpx2.ProxyError("x"), "model_unreachable", True, "proxy did not"),
        (httpx2.RemoteProtocolError("x"), "model_unreachable", True, "closed before"),
        (httpx2.ReadError("x"), "model_unreachable", True, ""),
        (httpx2.LocalProtocolError(KEY), "model_unreachable", False, ""),
        (httpx2.UnsupportedProtocol("x"), "model_unreachable", False, ""),
        (httpx2.ConnectTimeout("x"), "model_timeout", True, ""),
        (httpx2.PoolTimeout("x"), "model_timeout", True, ""),
        (anthropic.CredentialsError(KEY), "model_credential_missing", False, "profile"),
    ],
)
def test_model_fault_before_the_answer_has_its_code(
    fault: Exception, code: str, words: str, *, retryable: bool
) -> None:
    error = failure(new_model(Endpoint(fault)))
    assert (error.code, error.retryable) == (code, retryable)
    assert words in error.message
    assert KEY not in str(vars(error))


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (httpx2.ReadError("x"), "model_stream_truncated"),
        (httpx2.RemoteProtocolError("x"), "model_stream_truncated"),
        (ConnectionResetError("x"), "model_stream_truncated"),
        (httpx2.ReadTimeout("x"), "model_stalled"),
        (httpx2.DecodingError("x"), "model_stream_malformed"),
    ],
)
def test_model_fault_within_the_answer_has_its_code(
    fault: Exception, code: str
) -> None:
    body = Body(START + text("a"), fault)
    error = failure(new_model(Endpoint(body)))
    assert (error.code, error.retryable) == (code, True)
    assert error.request_id == "req_1"
    assert body.closed


def test_model_bug_of_the_caller_is_not_hidden() -> None:
    request = ModelRequest(messages=[{"role": "user", "content": object()}])
    with pytest.raises(TypeError):
        ask(new_model(Endpoint()), request)


def test_model_cut_answer_is_truncated_after_its_events() -> None:
    events: list[ModelEvent] = []

    async def collect() -> None:
        model = new_model(Endpoint(START + text("a")))
        try:
            async for item in model.stream(ASK):
                events.append(item)  # noqa: PERF401 - kept when it raises
        finally:
            await model.close()

    with pytest.raises(ModelError) as caught:
        asyncio.run(collect())
    assert caught.value.code == "model_stream_truncated"
    assert len(events) == 2


def test_model_no_response_within_the_time_is_a_timeout() -> None:
    class Silent(Endpoint):
        @override
        async def handle_async_request(
            self, request: httpx2.Request
        ) -> httpx2.Response:
            await asyncio.sleep(60)
            raise AssertionError

    error = failure(new_model(Silent(), no_progress_timeout_s=0.05))
    assert error.code == "model_timeout"


def test_model_pings_are_no_progress() -> None:
    parts = [part for _ in range(100) for part in (0.02, PING)]
    body = Body(START, *parts)
    error = failure(new_model(Endpoint(body), no_progress_timeout_s=0.1))
    assert error.code == "model_stalled"
    assert body.closed


def test_model_slow_answer_with_progress_is_not_stalled() -> None:
    parts = [part for _ in range(8) for part in (0.05, text("a"))]
    body = Body(START, *parts, STOP)
    stop = answer(new_model(Endpoint(body), no_progress_timeout_s=0.3))
    assert stop.content == [TextBlock(text="a" * 8)]


def test_model_time_of_the_consumer_does_not_count() -> None:
    async def slow() -> int:
        body = Body(START, text("a"), 0.01, text("b"), 0.01, STOP)
        model = new_model(Endpoint(body), no_progress_timeout_s=0.1)
        count = 0
        async for _ in model.stream(ASK):
            await asyncio.sleep(0.12)
            count += 1
        await model.close()
        return count

    assert asyncio.run(slow()) == 5


def test_model_line_that_stays_open_after_the_end_does_not_hold_the_answer() -> None:
    body = Body(GOOD, 60.0, b"never")
    assert answer(new_model(Endpoint(body))).stop_reason == "end_turn"
    assert body.closed


# --- life ------------------------------------------------------------------------


def test_model_cancelled_consumer_closes_the_response() -> None:
    body = Body(START + text("a"), 60.0, STOP)

    async def run() -> None:
        model = new_model(Endpoint(body))
        started = asyncio.Event()

        async def read() -> None:
            async for _ in model.stream(ASK):
                started.set()

        task = asyncio.create_task(read())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert body.closed
        await model.close()

    asyncio.run(run())


def test_model_closed_iterator_closes_the_response() -> None:
    body = Body(START + text("a"), 60.0, STOP)

    async def run() -> None:
        model = new_model(Endpoint(body))
        stream = cast("AsyncGenerator[ModelEvent]", model.stream(ASK))
        await anext(stream)
        await stream.aclose()
        assert body.closed
        await model.close()

    asyncio.run(run())


def test_model_each_loop_has_its_own_client() -> None:
    model = new_model(Endpoint())
    assert ask(model) == ask(model)


def test_model_client_is_shared_within_a_loop_and_closed_once() -> None:
    endpoint = Endpoint()
    model = new_model(endpoint)

    async def run() -> None:
        await model.warm()
        await asyncio.gather(model.warm(), model.warm())
        await model.close()
        await model.close()

    asyncio.run(run())
    assert endpoint.closed == 1


def test_model_close_without_use_does_nothing() -> None:
    asyncio.run(new_model(Endpoint()).close())


def test_model_given_client_is_used_and_left_open() -> None:
    endpoint = Endpoint()
    http_client = httpx2.AsyncClient(transport=endpoint)
    client = anthropic.AsyncAnthropic(
        api_key=KEY, base_url="http://given", http_client=http_client, max_retries=0
    )
    model = AnthropicModel("m", client=client)
    ask(model)
    assert endpoint.requests[0].url.host == "given"
    assert endpoint.closed == 0
    assert not client.is_closed()
    assert model.profile.lenient


def test_model_module_does_not_import_the_sdk() -> None:
    code = (
        "import sys, streamchat_nb.agent.anthropic_model as a, "
        "streamchat_nb.agent.offline_model as o; a.AnthropicModel(); o.OfflineModel();"
        "print({'anthropic', 'httpx2', 'aiohttp'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"
