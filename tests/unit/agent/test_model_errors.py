from __future__ import annotations

import pytest

from streamchat_nb.agent.model_errors import (
    code_for_status,
    code_for_type,
    model_error,
    parse_retry_after,
    public_reason,
    response_request_id,
)

# As ``Model.stream`` documents them.
CODES = {
    "model_credential_missing": False,
    "model_authentication": False,
    "model_permission": False,
    "model_not_found": False,
    "model_request_invalid": False,
    "model_request_too_large": False,
    "model_rate_limited": True,
    "model_overloaded": True,
    "model_server_error": True,
    "model_unreachable": True,
    "model_timeout": True,
    "model_stalled": True,
    "model_stream_truncated": True,
    "model_stream_malformed": True,
}


@pytest.mark.parametrize(("code", "retryable"), CODES.items())
def test_model_error_each_code_has_a_text_and_a_verdict(
    code: str, *, retryable: bool
) -> None:
    error = model_error(code)
    assert (error.code, error.retryable) == (code, retryable)
    assert error.message.endswith(".")
    assert error.details is None


def test_model_error_given_facts_are_kept() -> None:
    error = model_error(
        "model_overloaded",
        reason="Really.",
        retryable=False,
        retry_after_ms=5,
        request_id="req_1",
        details={"status": 529},
    )
    assert error.message.endswith("in a moment. Really.")
    assert not error.retryable
    assert error.retry_after_ms == 5
    assert error.details == {"status": 529, "request_id": "req_1"}


@pytest.mark.parametrize(
    ("status", "error_type", "code"),
    [
        (307, None, "model_unreachable"),
        (400, "authentication_error", "model_request_invalid"),
        (401, None, "model_authentication"),
        (402, None, "model_permission"),
        (403, "not_found_error", "model_permission"),
        (404, None, "model_not_found"),
        (408, None, "model_timeout"),
        (409, None, "model_server_error"),
        (413, None, "model_request_too_large"),
        (418, None, "model_request_invalid"),
        (422, None, "model_request_invalid"),
        (422, "rate_limit_error", "model_rate_limited"),
        (429, None, "model_rate_limited"),
        (500, None, "model_server_error"),
        (500, "overloaded_error", "model_overloaded"),
        (502, "unheard_of", "model_server_error"),
        (503, None, "model_overloaded"),
        (504, None, "model_timeout"),
        (529, None, "model_overloaded"),
    ],
)
def test_code_for_status(status: int, error_type: str | None, code: str) -> None:
    assert code_for_status(status, error_type) == code


def test_code_for_type_unknown_is_the_servers_fault() -> None:
    assert code_for_type("") == "model_server_error"


@pytest.mark.parametrize(
    ("milliseconds", "seconds", "wait_ms"),
    [
        (None, None, None),
        (None, "7", 7000),
        (None, "0.5", 500),
        ("250", "7", 250),
        ("soon", "7", 7000),
        (None, "Wed, 21 Oct 2026 07:28:00 GMT", None),
        (None, "-1", None),
        (None, "nan", None),
        (None, "inf", None),
        (None, "1e300", None),
        (None, "86400", 86_400_000),
    ],
)
def test_parse_retry_after(
    milliseconds: str | None, seconds: str | None, wait_ms: int | None
) -> None:
    assert parse_retry_after(milliseconds, seconds) == wait_ms


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-ant-api03-SECRET_x-1.",
        "got Authorization: Bearer SECRET",
        "x-api-key: SECRET is wrong",
        "api_key=SECRET",
        "you sent mySECRETkey",
    ],
)
def test_public_reason_has_no_key_in_it(text: str) -> None:
    assert "SECRET" not in public_reason(text, secrets=("mySECRETkey", ""))


def test_public_reason_is_one_short_printable_line() -> None:
    reason = public_reason("a\x1b[31m\nb\u202e " + "x" * 1000)
    assert len(reason) == 300
    assert reason.startswith("a [31m b x")
    assert reason.isprintable()


@pytest.mark.parametrize("other", [None, 7, {}, ""])
def test_public_reason_of_anything_else_is_empty(other: object) -> None:
    assert public_reason(other) == ""


def test_response_request_id_takes_either_header() -> None:
    assert response_request_id({"request-id": "a", "x-request-id": "b"}) == "a"
    assert response_request_id({"x-request-id": "b"}) == "b"
    assert response_request_id({}) is None
