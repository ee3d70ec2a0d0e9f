"""A lighter transport under the SDK: aiohttp in place of the default HTTP client.

Its share of the processor per streamed part is a third of the default's. Import
this module late: it needs both HTTP libraries.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING
from urllib.request import getproxies

import aiohttp  # noqa: TID253 - this module is itself imported late
import httpx2
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator

__all__ = ["AiohttpTransport", "direct_transport", "translated_errors"]

_CONNECTIONS = 1000

# In this order: a later class may be a base of an earlier one.
_ERRORS: tuple[tuple[type[Exception], type[httpx2.TransportError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx2.ConnectTimeout),
    (aiohttp.ServerTimeoutError, httpx2.ReadTimeout),
    (aiohttp.ClientConnectorError, httpx2.ConnectError),
    (aiohttp.ServerFingerprintMismatch, httpx2.ConnectError),
    (aiohttp.InvalidURL, httpx2.UnsupportedProtocol),
    (aiohttp.NonHttpUrlClientError, httpx2.UnsupportedProtocol),
    (aiohttp.ClientPayloadError, httpx2.RemoteProtocolError),
    (aiohttp.ServerDisconnectedError, httpx2.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx2.RemoteProtocolError),
    (aiohttp.ClientError, httpx2.ReadError),
    (TimeoutError, httpx2.ReadTimeout),
    (OSError, httpx2.ReadError),
)


def direct_transport() -> AiohttpTransport | None:
    """Return a transport, or ``None`` where the environment sets a proxy.

    The default client knows every kind of proxy and ``NO_PROXY``; this one is for
    the direct way, which is the common one.
    """
    if any(getproxies().get(scheme) for scheme in ("http", "https", "all")):
        return None
    return AiohttpTransport()


class AiohttpTransport(httpx2.AsyncBaseTransport):
    """Carries requests over aiohttp. Belongs to the loop of its first request.

    Cookies, redirects, proxies and ``.netrc`` are left out; bodies come as sent, the
    client above decodes them. Timeouts are those of the request. A response that is
    closed before its end, and a request that is cancelled, close their connection.
    """

    def __init__(self) -> None:
        # Certificates as the default client has them. Reads files: off the loop.
        self._tls = httpx2.create_ssl_context()
        self._session: aiohttp.ClientSession | None = None

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        with translated_errors():
            response = await self._open_session().request(
                request.method,
                str(request.url),
                data=body or None,
                headers=[*request.headers.multi_items()],
                allow_redirects=False,
                timeout=_timeout(request),
            )
        return httpx2.Response(
            response.status,
            headers=list(response.raw_headers),
            stream=_ResponseStream(response),
            extensions={"reason_phrase": (response.reason or "").encode("latin-1")},
        )

    @override
    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=self._tls),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
            )
        return self._session


class _ResponseStream(httpx2.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        with translated_errors():
            async for chunk in self._response.content.iter_any():
                yield chunk

    @override
    async def aclose(self) -> None:
        self._response.close()


def _timeout(request: httpx2.Request) -> aiohttp.ClientTimeout:
    limits = request.extensions.get("timeout", {})
    return aiohttp.ClientTimeout(
        total=None, sock_connect=limits.get("connect"), sock_read=limits.get("read")
    )


@contextlib.contextmanager
def translated_errors() -> Generator[None]:
    """Raise aiohttp's errors as those of the client above."""
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:
        for kind, translation in _ERRORS:
            if isinstance(error, kind):
                raise translation(str(error)) from error
        raise
