"""What the direct transport calls that which goes wrong: the errors that the SDK knows.

No port: what opens sockets is made to fail.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
from typing import TYPE_CHECKING

import httpx2
import pytest

from streamchat_nb.agent import direct_transport
from streamchat_nb.agent.direct_transport import DirectTransport

if TYPE_CHECKING:
    import socket

URL = "https://a.test/v1/messages"
END_S = 20.0
MANY = 1_001
"""One more than there may be connections."""


def error_of(request: httpx2.Request, times: int = 1) -> Exception:
    """Send a request so often; return the last error."""

    async def run() -> Exception:
        transport = DirectTransport()
        errors: list[Exception] = []
        async with asyncio.timeout(END_S):
            for _ in range(times):
                with pytest.raises(Exception) as raised:  # noqa: PT011 - it is looked at
                    await transport.handle_async_request(request)
                errors.append(raised.value)
        await transport.aclose()
        return errors[-1]

    return asyncio.run(run())


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    async def fail(host: str, port: int) -> socket.socket:
        assert (host, port) == ("a.test", 443)
        raise error

    monkeypatch.setattr(direct_transport, "open_socket", fail)


@pytest.mark.parametrize(
    ("cause", "kind", "words"),
    [
        (OSError("the host has no address"), httpx2.ConnectError, "has no address"),
        (
            ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
            httpx2.ConnectError,
            "refused",
        ),
        (OSError(errno.EMFILE, "too many files"), httpx2.ConnectError, "too many"),
        (ssl.SSLCertVerificationError("expired"), httpx2.ConnectError, "expired"),
        (TimeoutError(), httpx2.ConnectTimeout, "No connection in time"),
        (UnicodeError("label too long"), httpx2.UnsupportedProtocol, "no name"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_connection_that_fails_is_an_error_that_the_sdk_knows(
    cause: Exception,
    kind: type[Exception],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failing(monkeypatch, cause)

    error = error_of(httpx2.Request("POST", URL, content=b"{}"))

    assert type(error) is kind
    assert words in str(error)
    assert error.__cause__ is cause


def test_connection_that_takes_longer_than_the_request_allows_is_a_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def endless(host: str, port: int) -> socket.socket:
        await asyncio.sleep(60)
        raise AssertionError(host, port)

    monkeypatch.setattr(direct_transport, "open_socket", endless)
    request = httpx2.Request("POST", URL, extensions={"timeout": {"connect": 0.01}})

    assert type(error_of(request)) is httpx2.ConnectTimeout


def test_connections_that_fail_use_up_no_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failing(monkeypatch, ConnectionRefusedError())

    error = error_of(httpx2.Request("GET", URL), times=MANY)

    assert type(error) is httpx2.ConnectError


@pytest.mark.parametrize("url", ["ftp://a.test/", "file:///a", "/a"])
def test_address_that_is_none_of_http_is_refused(url: str) -> None:
    error = error_of(httpx2.Request("GET", url))

    assert type(error) is httpx2.UnsupportedProtocol


@pytest.mark.parametrize("value", [b"a\r\nX-Other: b", b"a\nb", b"a\rb", b"a\0b"])
def test_header_that_would_break_the_request_is_refused(
    value: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, AssertionError("nothing is to be connected"))
    request = httpx2.Request("GET", URL, headers=[(b"X-One", value)])

    error = error_of(request)

    assert type(error) is httpx2.LocalProtocolError
    assert b"X-Other" not in str(error).encode()
