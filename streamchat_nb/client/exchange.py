"""One HTTP request and its answer, read as it comes and ended at any moment."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.tcpclient import TCPClient
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tornado.iostream import IOStream

__all__ = ["HttpExchange"]

CONNECT_TIMEOUT_S = 15.0
CHUNK_BYTES = 65_536
_ENDLESS_BYTES = 1 << 62
_PORTS = {"http": 80, "https": 443}


class HttpExchange(HTTPMessageDelegate):
    """A request that was sent, and what has come of its answer.

    At most one chunk is kept: who does not read holds the server back. The owner
    calls ``close``, which ends the connection at once.

    Args:
        stream: A connection to the server.

    Attributes:
        status: The answer's status, once ``begin`` has returned.
        headers: Its headers.
    """

    def __init__(self, stream: IOStream) -> None:
        self.status = 0
        self.headers = HTTPHeaders()
        self._stream = stream
        parameters = HTTP1ConnectionParameters(
            no_keep_alive=True, chunk_size=CHUNK_BYTES, max_body_size=_ENDLESS_BYTES
        )
        self._connection = HTTP1Connection(stream, is_client=True, params=parameters)
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=1)
        self._answered = asyncio.Event()
        self._is_whole = False
        self._reader: asyncio.Task[None] | None = None

    @classmethod
    async def begin(
        cls, url: str, *, method: str, headers: Mapping[str, str], body: bytes | None
    ) -> HttpExchange:
        """Send a request and return it when the head of its answer is there.

        Cancellation: the connection is closed.

        Raises:
            OSError: The server cannot be reached, or ends without an answer.
        """
        parts = urlsplit(url)
        try:
            stream = await TCPClient().connect(
                parts.hostname or "",
                parts.port or _PORTS[parts.scheme],
                ssl_options=_tls_of(parts.scheme),
                timeout=CONNECT_TIMEOUT_S,
            )
        except ssl.CertificateError as error:
            raise OSError(str(error)) from None
        exchange = cls(stream)
        try:
            target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
            all_headers = {"Host": parts.netloc, "Connection": "close", **headers}
            await exchange._send(
                RequestStartLine(method, target, ""), all_headers, body
            )
        except BaseException:
            exchange.close()
            raise
        return exchange

    async def chunk(self) -> bytes | None:
        """Return the next piece of the body, or ``None`` after the last one.

        Raises:
            ConnectionError: The answer broke off.
        """
        data = await self._chunks.get()
        if data is None and not self._is_whole:
            raise ConnectionResetError("the answer broke off")
        return data

    def close(self) -> None:
        """End the connection. Idempotent."""
        if self._reader is not None:
            self._reader.cancel()
        self._stream.close()

    async def _send(
        self, line: RequestStartLine, headers: Mapping[str, str], body: bytes | None
    ) -> None:
        length = {} if body is None else {"Content-Length": str(len(body))}
        self._connection.write_headers(
            line, HTTPHeaders({**headers, **length}), body or b""
        )
        self._connection.finish()
        self._reader = asyncio.get_running_loop().create_task(
            self._read(), name="streamchat answer"
        )
        await self._answered.wait()
        if not self.status:
            raise ConnectionResetError("the connection ended without an answer")

    async def _read(self) -> None:
        # What breaks off leaves an answer that is not whole; `chunk` says so.
        with contextlib.suppress(OSError):
            await self._connection.read_response(self)
        self._answered.set()
        await self._chunks.put(None)

    # what the connection says

    @override
    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        code = start_line.code if isinstance(start_line, ResponseStartLine) else 0
        if code >= 200:  # noqa: PLR2004 - those below announce the answer
            self.status = code
            self.headers = headers
            self._answered.set()

    @override
    async def data_received(self, chunk: bytes) -> None:
        await self._chunks.put(chunk)

    @override
    def finish(self) -> None:
        self._is_whole = True

    @override
    def on_connection_close(self) -> None:
        self._is_whole = False


@functools.cache
def _tls_of(scheme: str) -> ssl.SSLContext | None:
    return ssl.create_default_context() if scheme == "https" else None
