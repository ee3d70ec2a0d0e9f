"""A lighter transport under the SDK: aiohttp in place of the default HTTP client.

Its share of the processor per streamed part is a third of the default's. Import
this module late: it needs both HTTP libraries.
"""

from __future__ import annotations

import contextlib
import functools
from contextvars import ContextVar
from typing import TYPE_CHECKING
from urllib.request import getproxies

import aiohttp  # noqa: TID253 - this module is itself imported late
import httpx2
from aiohttp.client_proto import ResponseHandler  # noqa: TID253 - likewise
from typing_extensions import override

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Generator

    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

__all__ = ["AiohttpTransport", "direct_transport", "translated_errors"]

_CONNECTIONS = 1000
_BROKEN = (
    aiohttp.ClientConnectionResetError,
    aiohttp.ClientOSError,
    aiohttp.ServerDisconnectedError,
)

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

    Some servers promise to keep a connection, and close it soon. A request that meets
    that end, before any byte of a response, is sent once more on a connection of its
    own. On a fresh connection nothing is tried again.
    """

    def __init__(self) -> None:
        # Certificates as the default client has them. Reads files: off the loop.
        self._tls = httpx2.create_ssl_context()
        self._session: aiohttp.ClientSession | None = None
        self._fresh_session: aiohttp.ClientSession | None = None

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        _carrier.set(None)
        with translated_errors():
            try:
                response = await _send(self._open_session(), request, body)
            except _BROKEN:
                carrier = _carrier.get()
                if carrier is None or not carrier.was_reused_in_vain:
                    raise
                response = await _send(self._open_fresh_session(), request, body)
        return httpx2.Response(
            response.status,
            headers=list(response.raw_headers),
            stream=_ResponseStream(response),
            extensions={"reason_phrase": (response.reason or "").encode("latin-1")},
        )

    @override
    async def aclose(self) -> None:
        for session in (self._session, self._fresh_session):
            if session is not None:
                await session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = _session(_Connector(self._tls))
        return self._session

    def _open_fresh_session(self) -> aiohttp.ClientSession:
        if self._fresh_session is None:
            self._fresh_session = _session(_Connector(self._tls, force_close=True))
        return self._fresh_session


class _Protocol(ResponseHandler):
    """One connection: counts its requests, and sees whether the last is answered."""

    requests = 0
    is_answered = False

    @property
    def was_reused_in_vain(self) -> bool:
        return self.requests > 1 and not self.is_answered

    @override
    def data_received(self, data: bytes) -> None:
        self.is_answered = True
        super().data_received(data)


_carrier: ContextVar[_Protocol | None] = ContextVar("_carrier", default=None)
"""The connection that the request of this task was given."""


class _Connector(aiohttp.TCPConnector):
    def __init__(self, tls: ssl.SSLContext, *, force_close: bool = False) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - of its sockets
            limit=_CONNECTIONS, ssl=tls, force_close=force_close
        )
        self._factory = functools.partial(_Protocol, loop=self._loop)

    @override
    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        protocol = connection.protocol
        if isinstance(protocol, _Protocol):
            protocol.requests += 1
            protocol.is_answered = False
            _carrier.set(protocol)
        return connection


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


def _session(connector: _Connector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
    )


async def _send(
    session: aiohttp.ClientSession, request: httpx2.Request, body: bytes
) -> aiohttp.ClientResponse:
    return await session.request(
        request.method,
        str(request.url),
        data=body or None,
        headers=[*request.headers.multi_items()],
        allow_redirects=False,
        timeout=_timeout(request),
    )


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
