"""The fake endpoint on the loop of a test, as users of the package may run it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from streamchat_nb.agent.anthropic_model import AnthropicModel, EndpointProfile
from streamchat_nb.agent.model import ModelMessageStop, ModelRequest
from streamchat_nb.errors import ModelError
from streamchat_nb.testing import fake_endpoint
from streamchat_nb.testing.fake_endpoint import FakeEndpoint

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import pytest


@contextlib.asynccontextmanager
async def serving(endpoint: FakeEndpoint) -> AsyncGenerator[str]:
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(endpoint.serve(0, ready=url.set_result))
    try:
        yield await url
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def outcome(model: AnthropicModel, text: str) -> str:
    """Return the stop reason of an answer, or the code of its error."""
    request = ModelRequest(messages=[{"role": "user", "content": text}])
    last = None
    try:
        async for event in model.stream(request):
            last = event
    except ModelError as error:
        return error.code
    assert isinstance(last, ModelMessageStop)
    return last.stop_reason


def test_endpoint_every_order_has_its_outcome() -> None:
    expected = {
        "hello": "end_turn",
        "/demo refusal": "refusal",
        "/demo cut": "model_stream_truncated",
        "/fault 418": "model_request_invalid",
        "/fault 429 3": "model_rate_limited",
        "/fault bare": "model_stream_truncated",
        "/fault cut": "model_stream_truncated",
        "/fault gzip": "end_turn",
        "/fault hang": "model_timeout",
        "/fault json": "end_turn",
        "/fault nothing": "model_request_invalid",
        "/fault page": "model_stream_malformed",
        "/fault redirect": "model_unreachable",
        "/fault reset": "model_unreachable",
        "/fault stall": "model_stalled",
    }

    async def run() -> dict[str, str]:
        async with serving(FakeEndpoint()) as url:
            model = AnthropicModel(
                base_url=url,
                no_progress_timeout_s=0.3,
                profile=EndpointProfile(lenient=False),
            )
            outcomes = {text: await outcome(model, text) for text in expected}
            await model.close()
        return outcomes

    assert asyncio.run(run()) == expected


def test_endpoint_forgets_the_oldest_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake_endpoint, "_MOST_REMEMBERED", 1)
    texts = ["/fault once 529", "/fault once 500", "/fault once 529"]

    async def run() -> list[str]:
        async with serving(FakeEndpoint(pace_s=0.001)) as url:
            model = AnthropicModel(base_url=url)
            outcomes = [await outcome(model, text) for text in [*texts, texts[-1]]]
            await model.close()
        return outcomes

    assert asyncio.run(run()) == [
        "model_overloaded",
        "model_server_error",
        "model_overloaded",
        "end_turn",
    ]
