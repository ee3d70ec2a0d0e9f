"""What the SDK and its HTTP client raise, as errors of this package.

Nothing of a request appears in a message: only what the endpoint said, without the
credentials in use, and what kind of fault the network had. Import this module
late: it needs the SDK.
"""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import anthropic  # noqa: TID253 - this module is itself imported late
import httpx2

from streamchat_nb.agent.model_errors import (
    code_for_status,
    model_error,
    parse_retry_after,
    public_reason,
    response_request_id,
)

if TYPE_CHECKING:
    from streamchat_nb.errors import ModelError

__all__ = ["SDK_ERRORS", "translate_error"]

SDK_ERRORS = (
    anthropic.AnthropicError,
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpx2.StreamError,
    OSError,
    UnicodeError,
)
"""What a request or a read of the SDK may raise for a reason outside this program."""

_NEVER_SENT = (
    httpx2.InvalidURL,
    httpx2.LocalProtocolError,
    httpx2.UnsupportedProtocol,
    UnicodeError,
)
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (ConnectionRefusedError, "The connection was refused: is the server running?"),
    (socket.gaierror, "Its host name cannot be found."),
    (ssl.SSLError, "The TLS connection to it cannot be trusted."),
    (httpx2.ProxyError, "The proxy did not let it through."),
    (httpx2.RemoteProtocolError, "The connection was closed before an answer."),
)


def translate_error(
    error: BaseException,
    *,
    secrets: tuple[str, ...] = (),
    request_id: str | None = None,
    answering: bool = False,
) -> ModelError:
    """Return the ``ModelError`` for one of ``SDK_ERRORS``.

    Args:
        error: What was raised.
        secrets: The credentials in use, to be kept out of the message.
        request_id: The endpoint's id of the request, where it is known already.
        answering: The response had begun: a fault is a truncated or stalled answer.
    """
    if isinstance(error, anthropic.APIStatusError):
        return _from_status(error, secrets)
    if isinstance(error, anthropic.CredentialsError):
        return model_error(
            "model_credential_missing", reason="The configured profile cannot be used."
        )
    cause = _network_cause(error)
    reason = _reason(cause)
    if isinstance(error, anthropic.APIResponseValidationError | httpx2.DecodingError):
        return model_error("model_stream_malformed", request_id=request_id)
    timed_out = isinstance(
        error, anthropic.APITimeoutError | httpx2.TimeoutException | TimeoutError
    )
    if answering:
        code = "model_stalled" if timed_out else "model_stream_truncated"
        return model_error(code, request_id=request_id)
    if timed_out:
        return model_error("model_timeout", request_id=request_id)
    return model_error(
        "model_unreachable",
        reason=reason,
        retryable=not isinstance(cause, _NEVER_SENT),
        request_id=request_id,
    )


def _from_status(
    error: anthropic.APIStatusError, secrets: tuple[str, ...]
) -> ModelError:
    code = code_for_status(error.status_code, error.type)
    headers = error.response.headers
    reason = ""
    if code != "model_authentication":  # such an answer may repeat the key
        reason = public_reason(error.api_message, secrets=secrets)
    reason = f"It says: {reason}" if reason else ""
    retryable = {"true": True, "false": False}.get(headers.get("x-should-retry", ""))
    if error.status_code < 400:  # noqa: PLR2004 - a redirect
        reason = "It redirects to another address: set base_url to that one."
        retryable = False
    return model_error(
        code,
        reason=reason,
        retryable=retryable,
        retry_after_ms=parse_retry_after(
            headers.get("retry-after-ms"), headers.get("retry-after")
        ),
        request_id=response_request_id(headers),
        details={"status": error.status_code},
    )


def _network_cause(error: BaseException) -> BaseException:
    """Return the HTTP client's error under the SDK's, or the error itself."""
    if isinstance(error, anthropic.APIConnectionError) and error.__cause__:
        return error.__cause__
    return error


def _reason(error: BaseException) -> str:
    """Return what is known of a network fault, from the chain of its causes."""
    seen: BaseException | None = error
    for _ in range(8):
        if seen is None:
            break
        for kind, reason in _REASONS:
            if isinstance(seen, kind):
                return reason
        seen = seen.__cause__ or seen.__context__
    return ""
