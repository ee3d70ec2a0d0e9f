"""The exceptions of streamchat_nb, one tree, each with a stable ``code``.

::

    StreamchatError
    ├── UsageError            this program called the library wrongly
    ├── RefusedError          a command that was understood and declined
    │   ├── BadFrame          not a frame or a body of the protocol
    │   ├── InvalidInput      well formed, but a value cannot be used
    │   ├── TooLarge          over a limit of the server
    │   ├── NotFound          no such conversation or turn, or not yours
    │   ├── Forbidden         known, and not allowed
    │   ├── Conflict          the state moved on, or an id with another payload
    │   ├── RateLimited       too much at once, try later
    │   └── Unavailable       the server or its store cannot serve this now
    ├── AuthenticationError   no token, a wrong one or one that has expired
    ├── ConnectError          a client cannot find or reach a server
    ├── ModelError            the model's endpoint failed or broke its protocol
    ├── ToolError             a tool cannot be called or did not deliver
    │   └── LeaseLost         who ran it is gone; it may have run
    └── StoreError            events could not be written or read

Every boundary (REST body, ``error`` frame, tool result, terminal) shows the same
four things: ``code``, ``message``, ``retryable`` and optional ``details``. Messages
say what to do; they never contain a payload of the caller or a secret.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "AuthenticationError",
    "BadFrame",
    "Conflict",
    "ConnectError",
    "Forbidden",
    "InvalidInput",
    "LeaseLost",
    "ModelError",
    "NotFound",
    "RateLimited",
    "RefusedError",
    "StoreError",
    "StreamchatError",
    "TooLarge",
    "ToolError",
    "Unavailable",
    "UsageError",
]


class StreamchatError(Exception):
    """Base of all errors raised by this package.

    Args:
        message: One or two sentences for the person who reads it, saying what to do.
        code: Stable machine-readable name; the class default when ``None``.
        retryable: Whether the same request may succeed later without a change;
            the class default when ``None``.
        retry_after_ms: Wait before a retry, in milliseconds, when known.
        details: JSON-able facts (limits, ids). Never payloads or secrets.
    """

    default_code: ClassVar[str] = "error"
    default_retryable: ClassVar[bool] = False
    http_status: ClassVar[int] = 500

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        retryable: bool | None = None,
        retry_after_ms: int | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.retryable = self.default_retryable if retryable is None else retryable
        self.retry_after_ms = retry_after_ms
        self.details = details


class UsageError(StreamchatError):
    """The library was called wrongly by the program that uses it."""

    default_code = "usage"
    http_status = 500


class RefusedError(StreamchatError):
    """A command was understood and declined; nothing changed."""

    default_code = "refused"
    http_status = 400


class BadFrame(RefusedError):
    """Input that is not a frame or a body of the protocol."""

    default_code = "bad_frame"


class InvalidInput(RefusedError):
    """Well-formed input with a value that cannot be used."""

    default_code = "invalid_input"


class TooLarge(RefusedError):
    """Input over a limit; ``details`` carries the limit."""

    default_code = "too_large"
    http_status = 413


class NotFound(RefusedError):
    """No such thing, or not one that this principal may see."""

    default_code = "not_found"
    http_status = 404


class Forbidden(RefusedError):
    """Known and not allowed."""

    default_code = "forbidden"
    http_status = 403


class Conflict(RefusedError):
    """The state moved on, or an idempotency key came with another payload."""

    default_code = "conflict"
    http_status = 409


class RateLimited(RefusedError):
    """Too many requests, sockets, turns or queued messages at once."""

    default_code = "rate_limited"
    default_retryable = True
    http_status = 429


class Unavailable(RefusedError):
    """The server cannot take this now; nothing was accepted."""

    default_code = "unavailable"
    default_retryable = True
    http_status = 503


class AuthenticationError(StreamchatError):
    """Missing, wrong (``auth_invalid``) or expired (``auth_expired``) credential."""

    default_code = "auth_invalid"
    http_status = 401


class ConnectError(StreamchatError):
    """A client found no server or could not reach it."""

    default_code = "server_unreachable"
    default_retryable = True


class ModelError(StreamchatError):
    """The model's endpoint failed. ``code`` starts with ``model_``.

    Args:
        message: As in ``StreamchatError``.
        code: As in ``StreamchatError``.
        retryable: As in ``StreamchatError``.
        retry_after_ms: From the endpoint's ``retry-after``, when it sent one.
        request_id: The endpoint's id of the failed request, for its support.
        details: As in ``StreamchatError``.
    """

    default_code = "model_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        retryable: bool | None = None,
        retry_after_ms: int | None = None,
        request_id: str | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        if request_id is not None:
            details = {**(details or {}), "request_id": request_id}
        super().__init__(
            message,
            code=code,
            retryable=retryable,
            retry_after_ms=retry_after_ms,
            details=details,
        )
        self.request_id = request_id


class ToolError(StreamchatError):
    """A tool could not be called or failed.

    Raise it in a tool to choose the text that the model and the user see.
    """

    default_code = "tool_failed"


class LeaseLost(ToolError):
    """Whoever ran a tool is gone: nobody can tell whether it has run."""

    default_code = "lease_lost"


class StoreError(StreamchatError):
    """Events could not be written or read; nothing of the batch was written."""

    default_code = "store_unavailable"
    default_retryable = True
    http_status = 503
