"""Plain requests to the server's routes, with one shape of errors."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from streamchat_nb.client.exchange import HttpExchange
from streamchat_nb.errors import (
    AuthenticationError,
    Conflict,
    ConnectError,
    Forbidden,
    InvalidInput,
    NotFound,
    RateLimited,
    RefusedError,
    StreamchatError,
    TooLarge,
    Unavailable,
)
from streamchat_nb.protocol.content import ErrorBody

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from streamchat_nb.client.discovery import ServerAddress
    from streamchat_nb.protocol.frames import ErrorFrame

__all__ = ["HttpApi", "error_from"]

TIMEOUT_S = 30.0
MOST_BODY_BYTES = 64 * 1024 * 1024
Body = TypeVar("Body")
_CLASSES: dict[str, type[StreamchatError]] = {
    "auth_invalid": AuthenticationError,
    "auth_expired": AuthenticationError,
    "auth_required": AuthenticationError,
    "conflict": Conflict,
    "conversation_deleted": NotFound,
    "forbidden": Forbidden,
    "idempotency_mismatch": Conflict,
    "invalid_input": InvalidInput,
    "not_found": NotFound,
    "not_queued": Conflict,
    "origin_forbidden": Forbidden,
    "queue_full": RateLimited,
    "rate_limited": RateLimited,
    "store_unavailable": Unavailable,
    "too_large": TooLarge,
    "turn_active": Conflict,
    "unavailable": Unavailable,
}
_NO_IDENTITY = ("auth_required", "auth_invalid", "forbidden")


def error_from(body: ErrorBody | ErrorFrame) -> StreamchatError:
    """Return the exception for an error that the server sent."""
    return _CLASSES.get(body.code, RefusedError)(
        body.message,
        code=body.code,
        retryable=body.retryable,
        retry_after_ms=body.retry_after_ms,
        details=body.details,
    )


class HttpApi:
    """Requests to one server, each on a connection of its own.

    Args:
        address: The server.
    """

    def __init__(self, address: ServerAddress) -> None:
        self.address = address
        self._xsrf = secrets.token_hex(16)

    @property
    def headers(self) -> dict[str, str]:
        """What proves who we are; a server without a token wants an XSRF pair."""
        if self.address.token:
            return {"Authorization": f"token {self.address.token}"}
        return {"Cookie": f"_xsrf={self._xsrf}", "X-XSRFToken": self._xsrf}

    async def request(
        self,
        method: str,
        path: str,
        body: object | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> dict[str, Any]:
        """Send a JSON request below ``api`` and return the JSON answer.

        Cancellation: the connection is closed; the server may have done its part.

        Raises:
            StreamchatError: The server refused; class and code are its own.
            ConnectError: It cannot be reached, or did not answer in time.
        """
        data = b"" if body is None else msgspec.json.encode(body)
        answer = await self._whole(method, path, data, headers or {}, timeout_s)
        return self._decoded(answer or b"{}", dict[str, Any])

    async def get(
        self, path: str, type_: type[Body], *, timeout_s: float = TIMEOUT_S
    ) -> Body:
        """Return the JSON answer to a ``GET`` below ``api`` as a value of a type.

        Raises:
            StreamchatError: As for ``request``.
        """
        return self._decoded(await self._whole("GET", path, b"", {}, timeout_s), type_)

    async def upload(self, path: str, data: bytes) -> dict[str, Any]:
        """Post a file below ``api`` and return the JSON answer.

        Raises:
            StreamchatError: As for ``request``.
        """
        headers = {"Content-Type": "application/octet-stream"}
        answer = await self._whole("POST", path, data, headers, TIMEOUT_S)
        return self._decoded(answer, dict[str, Any])

    async def download(self, path: str) -> bytes:
        """Return the file of a path below ``api``.

        Raises:
            StreamchatError: As for ``request``.
        """
        return await self._whole("GET", path, b"", {"Accept": "*/*"}, TIMEOUT_S)

    @contextlib.asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[HttpExchange]:
        """Send a request and yield its good answer, whose body is yet to be read.

        The connection is closed at the end of the block. There is no deadline.

        Raises:
            StreamchatError: The server refused; class and code are its own.
            ConnectError: It cannot be reached, or something else answered.
        """
        try:
            answer = await HttpExchange.begin(
                self.address.api + path,
                method=method,
                headers={
                    "Accept": "application/json",
                    "Content-Type": "application/json",
                    **self.headers,
                    **(headers or {}),
                },
                body=None if method == "GET" else body,
            )
        except OSError as error:
            raise ConnectError(
                f"The server at {self.address.url} cannot be reached "
                f"({type(error).__name__}); is it running?"
            ) from None
        try:
            if not 200 <= answer.status < 300:  # noqa: PLR2004 - any success
                raise self._refused(answer.status, await self._body_of(answer))
            yield answer
        finally:
            answer.close()

    async def _whole(
        self,
        method: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        timeout_s: float,
    ) -> bytes:
        try:
            async with (
                asyncio.timeout(timeout_s),
                self.open(method, path, body, headers) as answer,
            ):
                return await self._body_of(answer)
        except TimeoutError:
            raise ConnectError(
                f"The server at {self.address.url} did not answer in {timeout_s:g} s."
            ) from None

    async def _body_of(self, answer: HttpExchange) -> bytes:
        body = bytearray()
        try:
            while (chunk := await answer.chunk()) is not None:
                body += chunk
                if len(body) > MOST_BODY_BYTES:
                    raise ConnectError("The server's answer is too large.")
        except OSError:
            raise ConnectError(
                f"The answer of the server at {self.address.url} broke off."
            ) from None
        return bytes(body)

    def _decoded(self, body: bytes, type_: type[Body]) -> Body:
        try:
            return msgspec.json.decode(body, type=type_)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ConnectError(
                f"What answers at {self.address.url} is not streamchat_nb; is there a "
                "proxy or a login page before it?"
            ) from None

    def _refused(self, status: int, body: bytes) -> StreamchatError:
        try:
            said = msgspec.json.decode(body, type=ErrorBody)
        except (msgspec.DecodeError, UnicodeDecodeError):
            said = None
        if status in (302, 401, 403) and (said is None or said.code in _NO_IDENTITY):
            return AuthenticationError(
                f"The server at {self.address.url} refused the token; give its own."
            )
        if said is not None:
            return error_from(said)
        if status == 404:  # noqa: PLR2004
            return ConnectError(
                f"The server at {self.address.url} does not have streamchat_nb. "
                "Install it there and restart the server.",
                code="extension_missing",
                retryable=False,
            )
        return ConnectError(f"The server answered {status}.")
