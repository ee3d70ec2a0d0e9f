from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
import msgspec
import pytest
from typing_extensions import override

from streamchat_nb.agent.anthropic_model import AnthropicModel
from streamchat_nb.agent.cassette import CassetteModel
from streamchat_nb.agent.model import Model, ModelRequest
from streamchat_nb.agent.offline_model import OfflineModel
from streamchat_nb.agent.request_trace import (
    HIDDEN,
    MOST_REQUESTS,
    Exchange,
    RequestRecorder,
    note_content,
    recorded_by,
)
from streamchat_nb.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

KEY = "sk-ant-canary-0123456789"
ASK = ModelRequest(messages=[{"role": "user", "content": "Who is Ada?"}])


class Recorder(RequestRecorder):
    def __init__(self) -> None:
        super().__init__()
        self.over: list[Exchange] = []

    @override
    def ended(self, exchange: Exchange) -> None:
        self.over.append(exchange)


class Carrier(httpx2.AsyncBaseTransport):
    """Keeps what it is given to carry, and answers with a status."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.carried: list[tuple[bytes, dict[str, str], str]] = []

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        sent = (await request.aread(), dict(request.headers), str(request.url))
        self.carried.append(sent)
        status = self.statuses.pop(0)
        if status == 0:
            raise httpx2.ConnectError("no route", request=request)
        error = {"type": "error", "error": {"type": "x", "message": "No."}}
        headers = {"request-id": "req_7"}
        return httpx2.Response(status, headers=headers, json=error)


def ask(model: Model, recorder: RequestRecorder | None) -> ModelError | None:
    async def main() -> ModelError | None:
        recorded_by(recorder)
        try:
            async for _ in model.stream(ASK):
                pass
        except ModelError as error:
            return error
        finally:
            await model.close()
        return None

    return asyncio.run(main())


def test_offline_demo_is_noted_as_any_endpoint() -> None:
    recorder = Recorder()
    assert ask(OfflineModel(pace_s=0), recorder) is None
    (exchange,) = recorder.exchanges
    assert recorder.over == [exchange]
    assert exchange.source == "demo"
    assert (exchange.method, exchange.status) == ("POST", 200)
    assert exchange.url == "https://offline.invalid/v1/messages"
    body = msgspec.json.decode(exchange.content)
    assert body["messages"][0]["content"] == "Who is Ada?"
    assert exchange.content_bytes == len(exchange.content)
    assert exchange.request_id is not None
    assert exchange.request_id.startswith("req_")
    marks = [
        exchange.started_ms,
        exchange.response_ms,
        exchange.first_ms,
        exchange.ended_ms,
    ]
    assert marks == sorted(mark or 0 for mark in marks)
    assert exchange.headers["x-api-key"] == HIDDEN


def test_body_is_byte_for_byte_what_was_carried_and_keys_are_hidden() -> None:
    carrier = Carrier(529)
    model = AnthropicModel(
        base_url=f"https://host.test/path-{KEY}",
        api_key=KEY,
        transport=carrier,
    )
    recorder = Recorder()
    error = ask(model, recorder)
    assert error is not None
    (exchange,) = recorder.exchanges
    ((body, headers, url),) = carrier.carried
    assert exchange.content == body
    assert KEY in f"{headers}{url}"
    shown = f"{exchange.url}{exchange.headers}"
    assert KEY not in shown
    assert exchange.headers["content-type"] == headers["content-type"]
    assert set(exchange.headers) == set(headers)
    assert (exchange.status, exchange.request_id) == (529, "req_7")
    assert exchange.error is not None
    assert exchange.error.code == error.code == "model_overloaded"
    assert exchange.first_ms is None


def test_request_that_reached_nobody_has_an_error_and_no_response() -> None:
    carrier = Carrier(0)
    model = AnthropicModel(base_url="https://host.test", api_key=KEY, transport=carrier)
    recorder = Recorder()
    ask(model, recorder)
    (exchange,) = recorder.over
    assert exchange.content == carrier.carried[0][0]
    assert (exchange.status, exchange.response_ms) == (None, None)
    assert exchange.error is not None
    assert exchange.error.code == "model_unreachable"


def test_client_that_was_given_is_noted_by_its_response() -> None:
    carrier = Carrier(400)
    http_client = httpx2.AsyncClient(transport=carrier)
    client = anthropic.AsyncAnthropic(
        api_key=KEY, http_client=http_client, max_retries=0
    )
    recorder = Recorder()
    ask(AnthropicModel(client=client), recorder)
    (exchange,) = recorder.over
    assert exchange.content == carrier.carried[0][0]
    assert exchange.status == 400
    assert exchange.secrets == (KEY,)
    assert KEY not in str(exchange.headers)


def test_cassette_is_noted_by_what_it_was_asked(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    offline = OfflineModel(pace_s=0)
    environment: dict[str, str] = {}
    recorder = Recorder()
    ask(CassetteModel(offline, path, mode="record", environment=environment), recorder)
    ask(CassetteModel(None, path, mode="replay", environment=environment), recorder)
    recorded, played = recorder.exchanges
    assert (recorded.source, played.source) == ("demo", "cassette")
    body = msgspec.json.decode(played.content)
    assert body["messages"] == ASK.messages
    assert (played.method, played.url) == ("", "")
    assert played.first_ms is not None
    assert played.ended_ms is not None


def test_cancelled_request_has_an_end() -> None:
    recorder = Recorder()
    model = OfflineModel(pace_s=5)

    async def main() -> None:
        recorded_by(recorder)

        async def consume() -> None:
            async for _ in model.stream(ASK):
                began.set()

        began = asyncio.Event()
        task = asyncio.create_task(consume())
        async with asyncio.timeout(20):
            await began.wait()
        task.cancel()
        await asyncio.wait({task}, timeout=20)
        await model.close()

    asyncio.run(main())
    (exchange,) = recorder.over
    assert exchange.ended_ms is not None
    assert exchange.error is None


def test_without_a_recorder_nothing_is_kept() -> None:
    assert ask(OfflineModel(pace_s=0), None) is None
    exchange = Exchange()
    exchange.went_out(httpx2.Request("POST", "https://host.test", json={"a": 1}))
    assert exchange.content == b""


def test_request_with_another_body_is_shown_with_that() -> None:
    recorder = Recorder()

    async def main() -> Exchange:
        recorded_by(recorder)
        exchange = Exchange()
        with exchange.listen():
            note_content(
                httpx2.Request("POST", "https://h.test", content=b""), b"12345"
            )
        return exchange

    exchange = asyncio.run(main())
    assert (exchange.content, exchange.content_bytes) == (b"12345", 5)
    assert exchange.headers["content-length"] == "5"


def test_requests_of_one_turn_are_bounded() -> None:
    recorder = RequestRecorder()
    for _ in range(MOST_REQUESTS + 5):
        recorder.begun(Exchange())
    assert len(recorder.exchanges) == MOST_REQUESTS


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "https://h.test/v1/messages?beta=true",
            "https://h.test/v1/messages?beta=true",
        ),
        ("https://u:p@h.test:8/x", "https://h.test:8/x"),
        ("https://h.test/x?key=abc&beta=1", f"https://h.test/x?key={HIDDEN}&beta=1"),
        ("https://h.test/0123456789abcdef/v1", f"https://h.test/{HIDDEN}/v1"),
        ("https://h.test/x#secret", "https://h.test/x"),
    ],
)
def test_address_is_shown_without_what_may_be_secret(url: str, shown: str) -> None:
    recorder = Recorder()

    async def main() -> Any:
        recorded_by(recorder)
        exchange = Exchange()
        exchange.went_out(httpx2.Request("GET", url))
        return exchange.url

    assert asyncio.run(main()) == shown
