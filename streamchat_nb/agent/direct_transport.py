"""The transport under the SDK: straight from the socket to who reads the answer.

What it costs the processor for each part of an answer is a fraction of the default
client's. Import this module late: it needs the HTTP library under the SDK.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple
from urllib.request import getproxies

import httpx2
from typing_extensions import override

from streamchat_nb.agent.http_connection import HttpConnection
from streamchat_nb.agent.open_socket import open_socket
from streamchat_nb.agent.read_pace import ReadPace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from streamchat_nb.agent.http_response import ResponseHead

__all__ = ["DirectBody", "DirectTransport", "direct_body", "direct_transport"]

_MOST_CONNECTIONS = 1_000
_KEPT_S = 60.0
"""How long a connection without a request is kept."""
_PORTS = {"http": 80, "https": 443}
_BODY = "streamchat_body"
_HOP_HEADERS = frozenset({b"transfer-encoding", b"content-length"})

_Place = tuple[str, str, int, str]
"""Scheme, host, port and the name in the certificate."""


class _Repeated(NamedTuple):
    """What is the same of a request each time that it is sent."""

    request: httpx2.Request
    place: _Place
    head: bytes


def direct_transport() -> DirectTransport | None:
    """Return a transport, or ``None`` where the environment sets a proxy.

    The default client knows every kind of proxy and ``NO_PROXY``; this one is for
    the direct way, which is the common one.
    """
    if any(getproxies().get(scheme) for scheme in ("http", "https", "all")):
        return None
    return DirectTransport()


def direct_body(response: httpx2.Response) -> DirectBody | None:
    """Return the body of a response of ``DirectTransport``; of another's ``None``."""
    return response.extensions.get(_BODY)


class DirectTransport(httpx2.AsyncBaseTransport):
    """Carries requests over HTTP/1.1. Belongs to the loop of its first request.

    Proxies, cookies and redirects are not its business; bodies come as sent, the
    client above decodes them. Timeouts are those of the request. A response that is
    closed before its end, and a request that is cancelled, close their connection.

    Some servers promise to keep a connection, and close it soon. A request that meets
    that end, before any byte of a response, is sent once more on a connection of its
    own. On a fresh connection nothing is tried again.
    """

    def __init__(self) -> None:
        # Certificates as the default client has them. Reads files: off the loop.
        self._tls = httpx2.create_ssl_context()
        self._free = asyncio.Semaphore(_MOST_CONNECTIONS)
        self._kept: dict[_Place, dict[HttpConnection, asyncio.TimerHandle]] = {}
        self._used: set[HttpConnection] = set()
        self._pace: ReadPace | None = None
        self._repeated: _Repeated | None = None

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        place = _place_of(request)
        return await self._send(
            place, request, _written(request, await request.aread())
        )

    async def repeat(self, request: httpx2.Request, body: bytes) -> httpx2.Response:
        """Send a request that has a body with another one.

        Args:
            request: The same object each time, unchanged: its head is made once.
            body: All of it.

        Raises:
            TransportError: There is no response.
        """
        known = self._repeated
        if known is None or known.request is not request:
            known = _Repeated(request, _place_of(request), _head(request))
            self._repeated = known
        return await self._send(known.place, request, _with_body(known.head, body))

    async def _send(
        self, place: _Place, request: httpx2.Request, written: bytes
    ) -> httpx2.Response:
        await self._free.acquire()
        try:
            connection = self._take_kept(place)
            if connection is None:
                connection = await self._connect(place, request)
                return await self._exchange(connection, request, written, place)
            try:
                return await self._exchange(connection, request, written, place)
            except httpx2.TransportError as error:
                if not connection.was_reused_in_vain or _is_timeout(error):
                    raise
            connection = await self._connect(place, request)
            return await self._exchange(connection, request, written, None)
        except BaseException:
            self._free.release()
            raise

    @override
    async def aclose(self) -> None:
        kept, self._kept = self._kept, {}
        for connections in kept.values():
            for connection, timer in connections.items():
                timer.cancel()
                connection.close()
        for connection in self._used:
            connection.close()

    async def _exchange(
        self,
        connection: HttpConnection,
        request: httpx2.Request,
        written: bytes,
        kept_for: _Place | None,
    ) -> httpx2.Response:
        self._used.add(connection)
        timeout_s = _timeout_s(request, "read")
        try:
            head = await connection.send(request.method, written, timeout_s=timeout_s)
        except BaseException:
            self._drop(connection)
            raise
        body = DirectBody(self, connection, head, kept_for, timeout_s)
        return httpx2.Response(
            head.status,
            headers=head.headers,
            stream=body,
            extensions={
                "http_version": head.http_version,
                "reason_phrase": head.reason,
                _BODY: body,
            },
        )

    # --- connections -------------------------------------------------------------

    async def _connect(self, place: _Place, request: httpx2.Request) -> HttpConnection:
        scheme, host, port, certified = place
        if self._pace is None:
            self._pace = ReadPace()
        connection = HttpConnection(self._pace)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_timeout_s(request, "connect")):
                opened = await open_socket(host, port)
                try:
                    await loop.create_connection(
                        lambda: connection,
                        sock=opened,
                        ssl=self._tls if scheme == "https" else None,
                        server_hostname=certified if scheme == "https" else None,
                    )
                except BaseException:
                    opened.close()
                    raise
        except TimeoutError as error:
            raise httpx2.ConnectTimeout("No connection in time.") from error
        except OSError as error:
            raise httpx2.ConnectError(str(error)) from error
        except UnicodeError as error:
            raise httpx2.UnsupportedProtocol("This is no name of a host.") from error
        return connection

    def _take_kept(self, place: _Place) -> HttpConnection | None:
        """Return the connection that was used last, if one is there."""
        kept = self._kept.get(place, {})
        while kept:
            connection, timer = kept.popitem()
            timer.cancel()
            if connection.is_open:
                return connection
        return None

    def give_back(self, connection: HttpConnection, kept_for: _Place | None) -> None:
        """Keep a connection for the next request, or close it. For the body."""
        self._free.release()
        if kept_for is None or not connection.can_be_kept:
            self._drop(connection)
            return
        self._used.discard(connection)
        kept = self._kept.setdefault(kept_for, {})

        def forget() -> None:
            kept.pop(connection, None)
            connection.close()

        loop = asyncio.get_running_loop()
        kept[connection] = loop.call_later(_KEPT_S, forget)

    def _drop(self, connection: HttpConnection) -> None:
        self._used.discard(connection)
        connection.close()


class DirectBody(httpx2.AsyncByteStream):
    """The body of a response; whoever closes it gives its connection back.

    Attributes:
        head: What came before it.
    """

    def __init__(
        self,
        transport: DirectTransport,
        connection: HttpConnection,
        head: ResponseHead,
        kept_for: _Place | None,
        timeout_s: float | None,
    ) -> None:
        self.head = head
        self._transport = transport
        self._connection = connection
        self._kept_for = kept_for
        self._timeout_s = timeout_s
        self._is_closed = False

    async def read(self) -> bytes | None:
        """Return its next bytes as they were sent; none at its end.

        ``None`` where the tap took them and asks for the caller.

        Raises:
            TransportError: It is not whole.
            StreamClosed: It was closed.
        """
        if self._is_closed:
            raise httpx2.StreamClosed
        return await self._connection.read(timeout_s=self._timeout_s)

    def tap(self, take: Callable[[bytes], bool] | None) -> None:
        """Let bytes be taken where they arrive, while somebody waits in ``read``.

        Args:
            take: Takes them and says whether that may go on waiting; ``None`` to let
                ``read`` give all from now on. Must not raise.
        """
        self._connection.tap = take

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await self.read():
            yield chunk

    @override
    async def aclose(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self.tap(None)
            self._transport.give_back(self._connection, self._kept_for)


def _place_of(request: httpx2.Request) -> _Place:
    url = request.url
    if url.scheme not in _PORTS or not url.host:
        raise httpx2.UnsupportedProtocol("The address is not one of HTTP.")
    certified = request.extensions.get("sni_hostname") or url.host
    return url.scheme, url.host, url.port or _PORTS[url.scheme], certified


def _written(request: httpx2.Request, body: bytes) -> bytes:
    """Return a request as it goes out."""
    head = _head(request)
    if body or request.method not in {"GET", "HEAD"}:
        return _with_body(head, body)
    return head + b"\r\n"


def _with_body(head: bytes, body: bytes) -> bytes:
    return b"%sContent-Length: %d\r\n\r\n%s" % (head, len(body), body)


def _head(request: httpx2.Request) -> bytes:
    """Return the lines before the length of a body."""
    method, target = request.method.encode("ascii"), request.url.raw_path
    lines = [b"%s %s HTTP/1.1" % (method, target)]
    for name, value in request.headers.raw:
        if name.lower() not in _HOP_HEADERS:
            lines.append(b"%s: %s" % (name, value))
    head = b"\r\n".join(lines)
    if head.count(b"\n") >= len(lines) or head.count(b"\r") >= len(lines):
        raise httpx2.LocalProtocolError("A header has a line break.")
    if b"\0" in head:
        raise httpx2.LocalProtocolError("A header has a NUL.")
    return head + b"\r\n"


def _timeout_s(request: httpx2.Request, kind: str) -> float | None:
    return request.extensions.get("timeout", {}).get(kind)


def _is_timeout(error: httpx2.TransportError) -> bool:
    return isinstance(error, httpx2.TimeoutException)
