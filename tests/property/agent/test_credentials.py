"""Whatever the environment and the address, a key goes only to whom it is for.

A real server stands for another host and records all that it is sent; requests that
would go to Anthropic end in a transport that records them too.
"""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from unittest import mock

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typing_extensions import override

from streamchat_nb.agent.anthropic_model import AnthropicModel
from streamchat_nb.agent.model import ModelRequest
from streamchat_nb.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator


REAL_KEY = "sk-ant-canary-real-key"
TOKEN = "canary-token-of-a-gateway"
OWN = "canary-key-given-in-code"
ASK = ModelRequest(messages=[{"role": "user", "content": "Hi"}])
DONE = (
    b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n'
    b'data: {"type":"message_stop"}\n\n'
)
NAMES = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL")


class OtherHost(ThreadingHTTPServer):
    """Records the heads of requests; answers, or redirects to a second one."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.heads: list[str] = []
        self.redirect = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: OtherHost  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.heads.append(f"{self.path}\n{self.headers}")
        if self.server.redirect:
            self.send_response(307)
            self.send_header("location", self.server.redirect + self.path)
            self.send_header("content-length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(DONE)))
        self.end_headers()
        self.wfile.write(DONE)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        pass


class AtAnthropic(httpx2.AsyncBaseTransport):
    """Stands for Anthropic's own host, and records."""

    def __init__(self) -> None:
        self.requests: list[httpx2.Request] = []

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return httpx2.Response(401, json={"type": "error", "error": {}})


@contextmanager
def serving() -> Generator[OtherHost]:
    with OtherHost() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[OtherHost, OtherHost]]:
    with serving() as first, serving() as second:
        yield first, second


def ask(model: AnthropicModel) -> None:
    failures: list[ModelError] = []

    async def run() -> None:
        try:
            async for _ in model.stream(ASK):
                pass
        except ModelError as error:
            failures.append(error)
        finally:
            await model.close()

    asyncio.run(run())
    for secret in (REAL_KEY, TOKEN, OWN):
        assert secret not in str([vars(error) for error in failures])


@settings(
    max_examples=160 if settings().max_examples > 1_000 else 8,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    has_key=st.booleans(),
    has_token=st.booleans(),
    own_key=st.booleans(),
    by=st.sampled_from(["argument", "environment"]),
    suffix=st.sampled_from(["", "/", "/v1", "/v1/messages", "/gateway"]),
    redirect=st.booleans(),
)
def test_key_for_anthropic_never_reaches_another_host(  # noqa: PLR0913 - each is free
    hosts: tuple[OtherHost, OtherHost],
    *,
    has_key: bool,
    has_token: bool,
    own_key: bool,
    by: str,
    suffix: str,
    redirect: bool,
) -> None:
    first, second = hosts
    first.heads.clear()
    second.heads.clear()
    first.redirect = second.url if redirect else ""
    url = first.url + suffix
    values = {
        "ANTHROPIC_API_KEY": REAL_KEY if has_key else None,
        "ANTHROPIC_AUTH_TOKEN": TOKEN if has_token else None,
        "ANTHROPIC_BASE_URL": url if by == "environment" else None,
    }
    with environment(values):
        model = AnthropicModel(
            "m",
            base_url=url if by == "argument" else None,
            api_key=OWN if own_key else None,
        )
        ask(model)
    (head,) = first.heads
    assert second.heads == []
    assert REAL_KEY not in head
    expected = OWN if own_key else TOKEN if has_token else "none"
    assert f": {expected}\n" in head
    assert f": Bearer {expected}\n" in head
    assert "/v1/messages" in head.partition("\n")[0]
    assert "/v1/v1" not in head


@settings(max_examples=min(40, settings().max_examples))
@given(
    has_key=st.booleans(),
    has_token=st.booleans(),
    url=st.sampled_from(
        [None, "https://api.anthropic.com", "https://api.anthropic.com/v1", " "]
    ),
)
def test_key_goes_to_anthropic_and_over_tls(
    *, has_key: bool, has_token: bool, url: str | None
) -> None:
    transport = AtAnthropic()
    values = {
        "ANTHROPIC_API_KEY": REAL_KEY if has_key else None,
        "ANTHROPIC_AUTH_TOKEN": TOKEN if has_token else None,
        "ANTHROPIC_BASE_URL": url,
    }
    with environment(values):
        ask(AnthropicModel("m", transport=transport))
    for request in transport.requests:
        assert request.url.scheme == "https"
        assert request.url.host == "api.anthropic.com"
        heads = str(request.headers.raw)
        assert (REAL_KEY in heads) is has_key
        assert (TOKEN in heads) is (has_token and not has_key)
    assert bool(transport.requests) is (has_key or has_token)


@contextmanager
def environment(values: dict[str, str | None]) -> Generator[None]:
    """Set these variables, and leave out the others that the SDK reads."""
    given = {name: value for name, value in values.items() if value is not None}
    with mock.patch.dict("os.environ", given):
        for name in [*NAMES, "ANTHROPIC_PROFILE", "ANTHROPIC_CONFIG_DIR"]:
            if name not in given:
                os.environ.pop(name, None)
        yield
