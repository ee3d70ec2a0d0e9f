"""The real SDK against the fake endpoint in its own process, over both transports."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
import msgspec
import pytest

from streamchat_nb.agent.anthropic_model import AnthropicModel, EndpointProfile
from streamchat_nb.agent.model import ModelEvent, ModelMessageStop, ModelRequest
from streamchat_nb.agent.offline_model import OfflineModel
from streamchat_nb.errors import ModelError
from streamchat_nb.protocol.content import Usage
from streamchat_nb.testing.fake_endpoint import running_fake_endpoint
from streamchat_nb.tools.contacts import search_contacts
from streamchat_nb.tools.registry import ToolSet
from tests.model_events import joined

if TYPE_CHECKING:
    from collections.abc import Generator

TOOLS = ToolSet([search_contacts]).definitions()
STRICT = EndpointProfile(lenient=False)
COMMAND = [sys.executable, "-m", "streamchat_nb.testing.fake_endpoint"]


@pytest.fixture(scope="module")
def url() -> Generator[str]:
    with running_fake_endpoint() as address:
        yield address


@pytest.fixture(params=["direct", "sdk"])
def transport(request: pytest.FixtureRequest) -> httpx2.AsyncBaseTransport | None:
    """The transports that users meet: ``None`` is the default, the direct one."""
    return None if request.param == "direct" else httpx2.AsyncHTTPTransport()


def ask(
    model: AnthropicModel, *messages: dict[str, Any], **options: Any
) -> list[ModelEvent]:
    request = ModelRequest(messages=list(messages), tools=TOOLS, **options)

    async def collect() -> list[ModelEvent]:
        try:
            return [event async for event in model.stream(request)]
        finally:
            await model.close()

    return joined(asyncio.run(collect()))


def user(content: object) -> dict[str, Any]:
    return {"role": "user", "content": content}


def stop_of(events: list[ModelEvent]) -> ModelMessageStop:
    stop = events[-1]
    assert isinstance(stop, ModelMessageStop)
    return stop


def new_model(
    url: str,
    transport: httpx2.AsyncBaseTransport | None = None,
    *,
    name: str = "offline-demo",
    api_key: str | None = None,
) -> AnthropicModel:
    return AnthropicModel(
        name,
        base_url=url,
        api_key=api_key,
        transport=transport,
        no_progress_timeout_s=0.5,
        profile=STRICT,
    )


@pytest.mark.parametrize(
    "text",
    [
        "Who is Ada?",
        "hello",
        "What can you do?",
        "show everything",
        'call search_contacts {"query": "é 🦉"} and search_contacts',
        "/demo refusal",
        "/demo long 2000",
    ],
)
def test_endpoint_and_offline_model_give_equal_events(
    url: str, transport: httpx2.AsyncBaseTransport | None, text: str
) -> None:
    expected = ask(OfflineModel(pace_s=0), user(text))
    assert ask(new_model(url, transport), user(text)) == expected


def test_endpoint_takes_the_history_of_a_tool_call(url: str) -> None:
    question = user("Who is Ada?")
    first = stop_of(ask(new_model(url), question))
    assert first.stop_reason == "tool_use"
    text, use = msgspec.to_builtins(first.content)
    result = {"type": "tool_result", "tool_use_id": use["id"], "content": "Ada!"}
    history = [question, {"role": "assistant", "content": [text, use]}, user([result])]
    events = ask(new_model(url), *history)
    assert events == ask(OfflineModel(pace_s=0), *history)
    assert "> Ada!" in str(stop_of(events).content[0])


FAULTS = [
    ("/fault 400", "model_request_invalid", False),
    ("/fault 401", "model_authentication", False),
    ("/fault 402", "model_permission", False),
    ("/fault 403", "model_permission", False),
    ("/fault 404", "model_not_found", False),
    ("/fault 408", "model_timeout", True),
    ("/fault 409", "model_server_error", True),
    ("/fault 413", "model_request_too_large", False),
    ("/fault 429", "model_rate_limited", True),
    ("/fault 500", "model_server_error", True),
    ("/fault 502", "model_server_error", True),
    ("/fault 504", "model_timeout", True),
    ("/fault 529", "model_overloaded", True),
    ("/fault hang", "model_timeout", True),
    ("/fault stall", "model_stalled", True),
    ("/fault reset", "model_unreachable", True),
    ("/fault cut", "model_stream_truncated", True),
    ("/fault page", "model_stream_malformed", False),
    ("/fault redirect", "model_unreachable", False),
    ("/fault unheard", "model_request_invalid", False),
    ("/demo error", "model_overloaded", True),
    ("/demo cut", "model_stream_truncated", True),
    ("/demo badjson", "model_stream_malformed", True),
    ("/demo stall", "model_stalled", True),
]


@pytest.mark.parametrize(("text", "code", "retryable"), FAULTS)
def test_endpoint_fault_is_the_right_error(
    url: str,
    transport: httpx2.AsyncBaseTransport | None,
    text: str,
    code: str,
    *,
    retryable: bool,
) -> None:
    with pytest.raises(ModelError) as caught:
        ask(new_model(url, transport), user(text))
    assert (caught.value.code, caught.value.retryable) == (code, retryable)


@pytest.mark.parametrize("text", ["/demo error", "/demo badjson"])
def test_endpoint_events_before_a_fault_are_those_of_the_offline_model(
    url: str, text: str
) -> None:
    def until_fault(model: AnthropicModel) -> list[ModelEvent]:
        events: list[ModelEvent] = []

        async def collect() -> None:
            request = ModelRequest(messages=[user(text)], tools=TOOLS)
            try:
                async for event in model.stream(request):
                    events.append(event)  # noqa: PERF401 - kept when it raises
            finally:
                await model.close()

        with pytest.raises(ModelError):
            asyncio.run(collect())
        return joined(events)

    assert until_fault(new_model(url)) == until_fault(OfflineModel(pace_s=0))


def test_endpoint_retry_after_reaches_the_error(url: str) -> None:
    with pytest.raises(ModelError) as caught:
        ask(new_model(url), user("/fault 429 7"))
    assert caught.value.retry_after_ms == 7000
    assert caught.value.request_id


def test_endpoint_fault_once_is_over_on_the_second_try(url: str) -> None:
    message = user("/fault once 529")
    with pytest.raises(ModelError, match="overloaded"):
        ask(new_model(url), message)
    assert stop_of(ask(new_model(url), message)).stop_reason == "end_turn"


@pytest.mark.parametrize("fault", ["json", "gzip"])
def test_endpoint_other_forms_carry_the_same_message(
    url: str, transport: httpx2.AsyncBaseTransport | None, fault: str
) -> None:
    text = f"/fault {fault}"
    expected = stop_of(ask(OfflineModel(pace_s=0), user(text)))
    assert stop_of(ask(new_model(url, transport), user(text))).content == (
        expected.content
    )


def test_endpoint_bare_stream_is_whole_for_a_lenient_profile_only(url: str) -> None:
    message = user("/fault bare")
    lenient = AnthropicModel("offline-demo", base_url=url)
    stop = stop_of(ask(lenient, message))
    assert stop.content == stop_of(ask(OfflineModel(pace_s=0), message)).content
    assert stop.usage == Usage()
    with pytest.raises(ModelError) as caught:
        ask(new_model(url), message)
    assert caught.value.code == "model_stream_truncated"


def test_endpoint_wrong_key_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ModelError) as caught:
        ask(new_model(url, api_key="bad-key"), user("hello"))
    assert caught.value.code == "model_authentication"
    assert "bad-key" not in str(vars(caught.value))


def test_endpoint_unknown_model_is_told(url: str) -> None:
    with pytest.raises(ModelError) as caught:
        ask(new_model(url, name="unknown-9"), user("hello"))
    assert caught.value.code == "model_not_found"
    assert "unknown-9" in caught.value.message


def test_endpoint_refuses_what_the_real_one_refuses(url: str) -> None:
    history = [user("hello"), {"role": "assistant", "content": "Hello"}]
    with pytest.raises(ModelError, match="prefill") as caught:
        ask(new_model(url), *history)
    assert caught.value.code == "model_request_invalid"


def test_endpoint_url_with_its_path_works(url: str) -> None:
    assert ask(new_model(f"{url}/v1/"), user("hello"))


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://127.0.0.1:9", "refused"),
        ("http://streamchat.invalid", "cannot be found"),
        ("https", "TLS"),
    ],
)
def test_endpoint_that_is_not_there_is_unreachable(
    url: str, address: str, words: str, transport: httpx2.AsyncBaseTransport | None
) -> None:
    if address == "https":
        address = url.replace("http:", "https:")
    model = AnthropicModel("m", base_url=address, transport=transport)
    with pytest.raises(ModelError, match=words) as caught:
        ask(model, user("hello"))
    assert caught.value.code == "model_unreachable"


def test_endpoint_serves_the_plain_sdk_too(url: str) -> None:
    with anthropic.Anthropic(api_key="k", base_url=url, max_retries=0) as client:
        message = client.messages.create(
            model="m", max_tokens=9, messages=[{"role": "user", "content": "2+2"}]
        )
        with client.messages.stream(
            model="m", max_tokens=9, messages=[{"role": "user", "content": "2+2"}]
        ) as stream:
            streamed = stream.get_final_message()
    texts = [block.text for block in message.content if block.type == "text"]
    assert texts == [b.text for b in streamed.content if b.type == "text"] != []
    assert message.id == streamed.id


# --- plain HTTP ------------------------------------------------------------------


def post(
    url: str, body: bytes, *, path: str = "/v1/messages", **headers: str
) -> tuple[int, dict[str, Any]]:
    names = {"x_api_key": "k", "anthropic_version": "2023-06-01", **headers}
    request = urllib.request.Request(  # noqa: S310 - our own server
        url + path,
        data=body,
        headers={name.replace("_", "-"): value for name, value in names.items()},
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)  # noqa: S310 - our own server
    with caught.value as error:
        return error.code, json.loads(error.read())


@pytest.mark.parametrize(
    ("body", "options", "status", "words"),
    [
        (b"{", {}, 400, "not valid JSON"),
        (b"\xff", {}, 400, "not valid JSON"),
        (b"[" * 100_000, {}, 400, "not valid JSON"),
        (b"[]", {}, 400, "body: Input should be an object"),
        (b"{}", {}, 400, "model: Field required"),
        (b"{}", {"path": "/v1/other"}, 404, "Not found"),
        (b"{}", {"x_api_key": ""}, 401, "x-api-key header is required"),
        (b"{}", {"authorization": "Bearer bad-key"}, 401, "invalid x-api-key"),
        (b"{}", {"anthropic_version": ""}, 400, "header is required"),
        (b" " * 33_554_433, {}, 413, "too large"),
    ],
)
def test_endpoint_bad_requests_get_errors_of_the_api(
    url: str, body: bytes, options: dict[str, str], status: int, words: str
) -> None:
    code, answer = post(url, body, **options)
    assert code == status
    assert answer["type"] == "error"
    assert words in answer["error"]["message"]


def test_endpoint_reading_is_no_method_of_it(url: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="405"):
        urllib.request.urlopen(f"{url}/v1/messages", timeout=10)  # noqa: S310 - ours


# --- the process -----------------------------------------------------------------


def start(*options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def test_endpoint_process_ends_on_sigterm() -> None:
    with start("--port", "0", "--pace-s", "0") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"http://127.0.0.1:")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stdout.read() == b""


def test_endpoint_process_ends_with_its_input_if_asked() -> None:
    with start("--exit-with-stdin") as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        process.stdin.close()
        assert process.wait(10) == 0
