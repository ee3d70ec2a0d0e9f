"""Plain requests to the server's routes, with one shape of errors."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import msgspec
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

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
    from streamchat_nb.client.discovery import ServerAddress
    from streamchat_nb.protocol.frames import ErrorFrame

__all__ = ["HttpApi", "error_from"]

TIMEOUT_S = 30.0
_CLASSES: dict[str, type[StreamchatError]] = {
    "auth_invalid": AuthenticationError,
    "auth_expired": AuthenticationError,
    "auth_required": AuthenticationError,
    "conflict": Conflict,
    "forbidden": Forbidden,
    "idempotency_mismatch": Conflict,
    "invalid_input": InvalidInput,
    "not_found": NotFound,
    "queue_full": RateLimited,
    "rate_limited": RateLimited,
    "store_unavailable": Unavailable,
    "too_large": TooLarge,
    "turn_active": Conflict,
    "unavailable": Unavailable,
}


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
    """Requests to one server.

    Args:
        address: The server.
    """

    def __init__(self, address: ServerAddress) -> None:
        self.address = address
        self._xsrf = secrets.token_hex(16)
        self._http: AsyncHTTPClient = SimpleAsyncHTTPClient(force_instance=True)

    @property
    def headers(self) -> dict[str, str]:
        """What proves who we are; a server without a token wants an XSRF pair."""
        if self.address.token:
            return {"Authorization": f"token {self.address.token}"}
        return {"Cookie": f"_xsrf={self._xsrf}", "X-XSRFToken": self._xsrf}

    async def request(
        self, method: str, path: str, body: object | None = None
    ) -> dict[str, Any]:
        """Send a JSON request below ``api`` and return the JSON answer.

        Raises:
            StreamchatError: The server refused; class and code are its own.
            ConnectError: It cannot be reached, or did not answer in 30 s.
        """
        request = HTTPRequest(
            self.address.api + path,
            method=method,
            headers={"Content-Type": "application/json", **self.headers},
            body=None if body is None else msgspec.json.encode(body),
            allow_nonstandard_methods=True,
            request_timeout=TIMEOUT_S,
            connect_timeout=TIMEOUT_S,
            follow_redirects=False,
        )
        try:
            response = await self._http.fetch(request)
        except HTTPClientError as error:
            raise self._refused(error) from None
        except OSError as error:
            raise ConnectError(
                f"The server at {self.address.url} cannot be reached "
                f"({type(error).__name__}); is it running?"
            ) from None
        try:
            return msgspec.json.decode(response.body or b"{}", type=dict[str, Any])
        except msgspec.DecodeError:
            raise ConnectError(
                f"What answers at {self.address.url} is not streamchat_nb; is there a "
                "proxy or a login page before it?"
            ) from None

    def close(self) -> None:
        """Release connections. Idempotent."""
        self._http.close()

    def _refused(self, error: HTTPClientError) -> StreamchatError:
        if error.response is None:
            return ConnectError(f"The server at {self.address.url} did not answer.")
        if error.code == 404 and b'"code"' not in error.response.body:  # noqa: PLR2004
            return ConnectError(
                f"The server at {self.address.url} does not have streamchat_nb. "
                "Install it there and restart the server.",
                code="extension_missing",
                retryable=False,
            )
        if error.code in (302, 401, 403):
            return AuthenticationError(
                f"The server at {self.address.url} refused the token; give its own."
            )
        try:
            return error_from(msgspec.json.decode(error.response.body, type=ErrorBody))
        except msgspec.DecodeError:
            return ConnectError(f"The server answered {error.code}.")
