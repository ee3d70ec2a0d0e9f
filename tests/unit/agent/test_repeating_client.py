from __future__ import annotations

import asyncio
from functools import partial
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
    return make(
        http_client=httpx2.AsyncClient(transport=endpoint), max_retries=0, **place
    )


def repeating_client_of(
    endpoint: Endpoint, *, is_direct: bool = True, **place: Any
) -> RepeatingClient:
    make = partial(RepeatingClient, transport=endpoint if is_direct else None)
    return client_of(make, endpoint, **place)


def both(
    *statuses: int, place: dict[str, Any], is_direct: bool = True, **headers: str
) -> list[Endpoint]:
    """Send the same by both clients."""

    async def send() -> list[Endpoint]:
        own, plain = Endpoint(*statuses, **headers), Endpoint(*statuses, **headers)
        repeating = repeating_client_of(own, is_direct=is_direct, **place)
        usual = client_of(anthropic.AsyncAnthropic, plain, **place)
        for body in BODIES:
            await (await repeating.post_message(body)).aclose()
            await (await post_message(usual, body)).aclose()
        return [own, plain]

    return asyncio.run(send())


@pytest.mark.parametrize("is_direct", [True, False])
@pytest.mark.parametrize("place", PLACES)
def test_client_sends_what_the_sdk_sends(
    place: dict[str, Any], *, is_direct: bool
) -> None:
    own, plain = both(place=place, is_direct=is_direct)
    assert len(own.sent) == len(BODIES)
    assert own.sent == plain.sent


@pytest.mark.parametrize("is_direct", [True, False])
def test_client_returns_cookies_as_the_sdk_does(*, is_direct: bool) -> None:
    cookie = {"set-cookie": "worker=7; Path=/"}
    own, plain = both(place=PLACES[0], is_direct=is_direct, **cookie)
    assert own.requests[1].headers["cookie"] == "worker=7"
    assert own.sent == plain.sent


@pytest.mark.parametrize("is_direct", [True, False])
def test_client_types_the_errors_of_each_request(*, is_direct: bool) -> None:
    async def send() -> None:
        endpoint = Endpoint(429, 401, 529)
        client = repeating_client_of(endpoint, is_direct=is_direct, **PLACES[0])
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
        client = repeating_client_of(endpoint, **PLACES[0])
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
