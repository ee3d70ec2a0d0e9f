"""The SDK's ready clients for clouds, on our own reading of what they answer.

Their addresses, credentials and requests are the SDK's; the answers are imitated as
the clouds' documentation has them.
"""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import zlib
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from anthropic import AsyncAnthropicFoundry
from anthropic.lib.bedrock import (
    AsyncAnthropicBedrock,
    AsyncAnthropicBedrockMantle,
)
from anthropic.lib.vertex import AsyncAnthropicVertex
from typing_extensions import override

from streamchat_nb.agent.anthropic_model import AnthropicModel
from streamchat_nb.agent.aws_event_stream import AWS_EVENT_STREAM, AwsEventStream
from streamchat_nb.agent.model import ModelMessageStop, ModelRequest
from streamchat_nb.errors import ModelError
from streamchat_nb.protocol.content import TextBlock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

KEY = "canary-key-77"
ASK = ModelRequest(messages=[{"role": "user", "content": "Hi"}])
EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"model": "m-1"}},
    {"type": "content_block_delta", "index": 0, "delta": {"text": "Hello"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
    {"type": "message_stop"},
]
SERVER_SENT = b"".join(
    b"data: " + json.dumps(event).encode() + b"\n\n" for event in EVENTS
)


def framed(payload: dict[str, Any], **headers: str) -> bytes:
    """Return one message in Amazon's framing."""
    head = b""
    for name, value in headers.items():
        key = f":{name.replace('_', '-')}".encode()
        head += bytes([len(key)]) + key + b"\x07" + struct.pack(">H", len(value))
        head += value.encode()
    head += b"\x03abc\x04\x00\x00\x00\x01"  # a number, of no interest
    body = json.dumps(payload).encode()
    start = struct.pack(">II", 16 + len(head) + len(body), len(head))
    message = start + struct.pack(">I", zlib.crc32(start)) + head + body
    return message + struct.pack(">I", zlib.crc32(message))


def part(event: dict[str, Any]) -> bytes:
    data = base64.b64encode(json.dumps(event).encode()).decode()
    return framed({"bytes": data}, event_type="chunk", message_type="event")


FRAMED = b"".join(map(part, EVENTS))
THROTTLED = framed(
    {"message": "Slow down."},
    exception_type="throttlingException",
    message_type="exception",
)


class Body(httpx2.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        for place in range(0, len(self._body), 7):
            yield self._body[place : place + 7]


class Cloud(httpx2.AsyncBaseTransport):
    def __init__(self, body: bytes, content_type: str) -> None:
        self._body = body
        self._content_type = content_type
        self.requests: list[httpx2.Request] = []

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        headers = {"content-type": self._content_type}
        return httpx2.Response(200, headers=headers, stream=Body(self._body))


def foundry(http: httpx2.AsyncClient) -> Any:
    return AsyncAnthropicFoundry(
        api_key=KEY, resource="r", http_client=http, max_retries=0
    )


def vertex(http: httpx2.AsyncClient) -> Any:
    return AsyncAnthropicVertex(
        access_token=KEY, region="r", project_id="p", http_client=http, max_retries=0
    )


def mantle(http: httpx2.AsyncClient) -> Any:
    return AsyncAnthropicBedrockMantle(
        api_key=KEY, aws_region="r", http_client=http, max_retries=0
    )


def bedrock(http: httpx2.AsyncClient) -> Any:
    return AsyncAnthropicBedrock(
        api_key=KEY, aws_region="r", http_client=http, max_retries=0
    )


def answer(
    make: Callable[[httpx2.AsyncClient], Any], cloud: Cloud
) -> tuple[ModelMessageStop, AnthropicModel]:
    async def run() -> tuple[Any, AnthropicModel]:
        client = make(httpx2.AsyncClient(transport=cloud))
        model = AnthropicModel("claude-x", client=client)
        assert KEY in model.secrets()
        last: Any = None
        try:
            async for event in model.stream(ASK):
                last = event
        finally:
            await model.close()
            await client.close()
        return last, model

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("make", "body", "content_type", "place"),
    [
        (foundry, SERVER_SENT, "text/event-stream", "azure.com/anthropic/v1/messages"),
        (vertex, SERVER_SENT, "text/event-stream", "claude-x:streamRawPredict"),
        (mantle, SERVER_SENT, "text/event-stream", "api.aws/anthropic/v1/messages"),
        (bedrock, FRAMED, AWS_EVENT_STREAM, "claude-x/invoke-with-response-stream"),
    ],
)
def test_ready_client_of_a_cloud_gives_an_answer(
    make: Callable[[httpx2.AsyncClient], Any],
    body: bytes,
    content_type: str,
    place: str,
) -> None:
    cloud = Cloud(body, content_type)
    stop, model = answer(make, cloud)
    assert stop.content == [TextBlock(text="Hello")]
    (sent,) = cloud.requests
    assert str(sent.url).endswith(place)
    assert not model.profile.lenient
    assert model.profile.images


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (FRAMED[:-1], "model_stream_truncated"),
        (FRAMED[: -len(part(EVENTS[-1]))], "model_stream_truncated"),
        (part(EVENTS[0]) + THROTTLED, "model_rate_limited"),
        (SERVER_SENT, "model_stream_malformed"),
        (FRAMED[:40] + b"?" + FRAMED[41:], "model_stream_malformed"),
        (framed({"bytes": "?"}), "model_stream_malformed"),
    ],
)
def test_fault_in_the_framing_is_never_an_answer(body: bytes, code: str) -> None:
    with pytest.raises(ModelError) as caught:
        answer(bedrock, Cloud(body, AWS_EVENT_STREAM))
    assert caught.value.code == code


def test_framing_cut_anywhere_gives_the_same_events() -> None:
    whole = AwsEventStream().feed(FRAMED)
    for cut in range(len(FRAMED)):
        stream = AwsEventStream()
        assert stream.feed(FRAMED[:cut]) + stream.feed(FRAMED[cut:]) == whole
    assert whole.count(b"data: ") == len(EVENTS)
