from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
import pytest
from typing_extensions import override

from streamchat_nb.agent.repeating_client import RepeatingClient, post_message

if TYPE_CHECKING:
    from collections.abc import Callable

PLACES: list[dict[str, Any]] = [
    {"api_key": "sk-ant-key", "base_url": "https://api.anthropic.com"},
    {"auth_token": "token", "base_url": "https://api.anthropic.com"},
    {
        "api_key": "key",
        "base_url": "http://some_host:8000/v7/",
        "default_headers": {"X-Api-Key": "key", "Authorization": "Bearer key"},
    },
    {"api_key": "key", "base_url": "http://user:secret@some_host:8000"},
]
BODIES = [b'{"messages":[]}', b"{}", b'{"messages":["' + b"a" * 20_000 + b'"]}']


class Endpoint(httpx2.AsyncBaseTransport):
    """Keeps the requests, and answers each by the next status; 200 after them."""

    def __init__(self, *statuses: int, **headers: str) -> None:
        self.requests: list[httpx2.Request] = []
        self._statuses = list(statuses)
        self._headers = headers

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        status = self._statuses.pop(0) if self._statuses else 200
        return httpx2.Response(status, headers=self._headers, content=b"{}")

    @property
    def sent(self) -> list[tuple[object, ...]]:
        """All that there is to a request."""
        return [
            (one.method, str(one.url), one.headers.raw, one.content, one.extensions)
            for one in self.requests
        ]


def client_of(
    make: Callable[..., anthropic.AsyncAnthropic], endpoint: Endpoint, **place: Any
) -> Any:
    more = {"transport": endpoint} if make is RepeatingClient else {}
    return make(
        http_client=httpx2.AsyncClient(transport=endpoint),
        max_retries=0,
        **more,
        **place,
    )


def both(*statuses: int, place: dict[str, Any], **headers: str) -> list[Endpoint]:
    """Send the same by both clients."""

    async def send() -> list[Endpoint]:
        own, plain = Endpoint(*statuses, **headers), Endpoint(*statuses, **headers)
        repeating = client_of(RepeatingClient, own, **place)
        usual = client_of(anthropic.AsyncAnthropic, plain, **place)
        for body in BODIES:
            await (await repeating.post_message(body)).aclose()
            await (await post_message(usual, body)).aclose()
        return [own, plain]

    return asyncio.run(send())


@pytest.mark.parametrize("place", PLACES)
def test_client_sends_what_the_sdk_sends(place: dict[str, Any]) -> None:
    own, plain = both(place=place)
    assert len(own.sent) == len(BODIES)
    assert own.sent == plain.sent


def test_client_returns_cookies_as_the_sdk_does() -> None:
    own, plain = both(place=PLACES[0], **{"set-cookie": "worker=7; Path=/"})
    assert own.requests[1].headers["cookie"] == "worker=7"
    assert own.sent == plain.sent


def test_client_types_the_errors_of_each_request() -> None:
    async def send() -> None:
        client = client_of(RepeatingClient, Endpoint(429, 401, 529), **PLACES[0])
        for error in (
            anthropic.RateLimitError,
            anthropic.AuthenticationError,
            anthropic.InternalServerError,
        ):
            with pytest.raises(error):
                await client.post_message(b"{}")

    asyncio.run(send())


def test_client_leaves_other_requests_alone() -> None:
    async def send() -> list[httpx2.Request]:
        endpoint = Endpoint()
        client = client_of(RepeatingClient, endpoint, **PLACES[0])
        await client.post_message(b"{}")
        await client.post(
            "/v1/messages", body={"model": "m"}, cast_to=object, options={}
        )
        await client.get("/v1/models", cast_to=object)
        return endpoint.requests

    _, other, models = asyncio.run(send())
    assert other.content == b'{"model":"m"}'
    assert models.method == "GET"
    assert models.url.path == "/v1/models"
