"""What can go wrong with a model: one table of codes, and the ways into it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from streamchat_nb.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "code_for_status",
    "code_for_type",
    "model_error",
    "parse_retry_after",
    "public_reason",
    "response_request_id",
]


class _Kind(NamedTuple):
    retryable: bool
    message: str


_KINDS = {
    "model_credential_missing": _Kind(
        False,
        "There is no credential for the model. Set ANTHROPIC_API_KEY and start the "
        "server again, or set base_url to an endpoint that needs none.",
    ),
    "model_authentication": _Kind(
        False,
        "The model's endpoint did not accept the credential. Check "
        "ANTHROPIC_API_KEY for Anthropic, ANTHROPIC_AUTH_TOKEN for another endpoint.",
    ),
    "model_permission": _Kind(
        False,
        "The model's endpoint does not allow this request with this credential. "
        "Check the account's plan, its credit and its access to the model.",
    ),
    "model_not_found": _Kind(
        False,
        "The endpoint does not know this model or address. Check the model's name "
        "and base_url.",
    ),
    "model_request_invalid": _Kind(
        False, "The model's endpoint refused the request as not valid."
    ),
    "model_request_too_large": _Kind(
        False,
        "The conversation is too large for the model's endpoint. Start a new "
        "conversation or send less.",
    ),
    "model_rate_limited": _Kind(
        True, "The model's endpoint takes no more requests for now. Try again later."
    ),
    "model_overloaded": _Kind(
        True, "The model's endpoint is overloaded. Try again in a moment."
    ),
    "model_server_error": _Kind(
        True, "The model's endpoint failed on its side. Try again in a moment."
    ),
    "model_unreachable": _Kind(
        True,
        "The model's endpoint cannot be reached. Check the network, the proxy "
        "settings and base_url.",
    ),
    "model_timeout": _Kind(
        True, "The model's endpoint did not answer in time. Try again in a moment."
    ),
    "model_stalled": _Kind(
        True, "The model's answer stopped coming. Try again in a moment."
    ),
    "model_stream_truncated": _Kind(
        True, "The model's answer ended before it was complete."
    ),
    "model_stream_malformed": _Kind(
        True, "The model's endpoint sent something that is not a valid answer."
    ),
    "model_cassette_mismatch": _Kind(
        False, "The cassette has no answer to this request."
    ),
    "model_cassette_invalid": _Kind(
        False,
        "The cassette cannot be read. Mend it, or delete it and record it again.",
    ),
    "model_cassette_unwritable": _Kind(
        False, "The answer cannot be recorded in the cassette."
    ),
}

_CODES_BY_TYPE = {
    "api_error": "model_server_error",
    "authentication_error": "model_authentication",
    "billing_error": "model_permission",
    "conflict_error": "model_server_error",
    "gateway_timeout_error": "model_timeout",
    "invalid_request_error": "model_request_invalid",
    "not_found_error": "model_not_found",
    "overloaded_error": "model_overloaded",
    "permission_error": "model_permission",
    "rate_limit_error": "model_rate_limited",
    "request_too_large": "model_request_too_large",
    "timeout_error": "model_timeout",
}

_CODES_BY_STATUS = {
    400: "model_request_invalid",
    401: "model_authentication",
    402: "model_permission",
    403: "model_permission",
    404: "model_not_found",
    407: "model_unreachable",
    408: "model_timeout",
    409: "model_server_error",
    413: "model_request_too_large",
    429: "model_rate_limited",
    503: "model_overloaded",
    504: "model_timeout",
    529: "model_overloaded",
}

_SECRETS = re.compile(
    r"(?i)\bsk-[\w-]{4,}|\bbearer\s+\S+|\b(?:x-)?api[-_]key\s*[:=]\s*\S+"
)
_REASON_CHARACTERS = 300


def model_error(
    code: str,
    *,
    reason: str = "",
    retryable: bool | None = None,
    retry_after_ms: int | None = None,
    request_id: str | None = None,
    details: dict[str, Any] | None = None,
) -> ModelError:
    """Make the error of a code, with the text and the verdict that belong to it.

    Args:
        code: One of the codes that ``Model.stream`` documents.
        reason: What is known beyond the code, a sentence for the user, safe to show.
        retryable: Overrides the verdict of the code.
        retry_after_ms: The endpoint's own wait, milliseconds.
        request_id: The endpoint's id of the request.
        details: JSON-able facts.
    """
    kind = _KINDS[code]
    return ModelError(
        f"{kind.message} {reason}".rstrip(),
        code=code,
        retryable=kind.retryable if retryable is None else retryable,
        retry_after_ms=retry_after_ms,
        request_id=request_id,
        details=details,
    )


def code_for_type(error_type: str) -> str:
    """Return the code for the ``type`` in an error body of the Messages API."""
    return _CODES_BY_TYPE.get(error_type, "model_server_error")


def code_for_status(status: int, error_type: str | None = None) -> str:
    """Return the code for an HTTP status of 300 and more.

    Args:
        status: The HTTP status.
        error_type: The ``type`` in the body. It decides only where the status does
            not: gateways are careless with it.
    """
    if status in _CODES_BY_STATUS:
        return _CODES_BY_STATUS[status]
    if status < 400:  # noqa: PLR2004 - a redirect: not followed, it would carry the key
        return "model_unreachable"
    if error_type in _CODES_BY_TYPE:
        return _CODES_BY_TYPE[error_type]
    return "model_server_error" if status >= 500 else "model_request_invalid"  # noqa: PLR2004


def parse_retry_after(milliseconds: str | None, seconds: str | None) -> int | None:
    """Return the wait that an endpoint asks for, in milliseconds, if it is a number.

    Args:
        milliseconds: The header ``retry-after-ms``.
        seconds: The header ``retry-after``; a date is not understood.
    """
    for text, factor in ((milliseconds, 1.0), (seconds, 1000.0)):
        try:
            wait_ms = float(text or "") * factor
        except ValueError:
            continue
        if 0 <= wait_ms < 1e12:  # noqa: PLR2004 - also refuses nan and inf
            return round(wait_ms)
    return None


def response_request_id(headers: Mapping[str, str]) -> str | None:
    """Return the endpoint's id of a request, by whichever header names it."""
    return headers.get("request-id") or headers.get("x-request-id")


def public_reason(text: object, *, secrets: tuple[str, ...] = ()) -> str:
    """Return an endpoint's own words in one short line, without any key in them.

    Args:
        text: What the endpoint said; anything but a text gives nothing.
        secrets: Credentials in use, removed wherever they appear.
    """
    if not isinstance(text, str):
        return ""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[removed]")
    text = _SECRETS.sub("[removed]", text)
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(line) > _REASON_CHARACTERS:
        line = line[: _REASON_CHARACTERS - 1] + "…"
    return line
