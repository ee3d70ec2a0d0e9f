from __future__ import annotations

import pytest

from streamchat_nb.agent.retry import RetryPolicy, retry_status
from streamchat_nb.errors import ModelError


def failure(
    *, retryable: bool = True, retry_after_ms: int | None = None, code: str = "x"
) -> ModelError:
    return ModelError(
        "m", code=code, retryable=retryable, retry_after_ms=retry_after_ms
    )


def test_wait_doubles_and_has_an_end() -> None:
    policy = RetryPolicy(tries=20, first_wait_s=1, longest_wait_s=10, jitter=lambda: 1)
    waits = [policy.wait_s(failure(), failures=n) for n in range(1, 7)]
    assert waits == [1, 2, 4, 8, 10, 10]


def test_wait_has_jitter_of_half_its_length() -> None:
    policy = RetryPolicy(first_wait_s=4, jitter=lambda: 0)
    assert policy.wait_s(failure(), failures=1) == 2
    random_waits = {RetryPolicy().wait_s(failure(), failures=1) for _ in range(20)}
    assert len(random_waits) > 1
    assert all(wait is not None and 0.5 <= wait <= 1 for wait in random_waits)


@pytest.mark.parametrize(
    ("asked_ms", "wait_s"), [(0, 0), (-5, 0), (2_500, 2.5), (86_400_000, 60)]
)
def test_wait_that_the_endpoint_asks_for_is_kept_up_to_a_minute(
    asked_ms: int, wait_s: float
) -> None:
    assert RetryPolicy().wait_s(failure(retry_after_ms=asked_ms), failures=1) == wait_s


def test_wait_ends_with_the_tries() -> None:
    assert RetryPolicy().wait_s(failure(), failures=2) is not None
    assert RetryPolicy().wait_s(failure(), failures=3) is None
    assert RetryPolicy(tries=1).wait_s(failure(), failures=1) is None


def test_wait_is_none_for_what_will_not_change() -> None:
    assert RetryPolicy().wait_s(failure(retryable=False), failures=1) is None


@pytest.mark.parametrize(
    ("code", "wait_s", "label"),
    [
        ("model_overloaded", 4.2, "The model is overloaded; trying again in 4 s…"),
        ("model_unreachable", 0.2, "The model cannot be reached; trying again in 1 s…"),
        ("model_new_code", 60, "The model failed; trying again in 60 s…"),
    ],
)
def test_status_says_why_and_how_long(code: str, wait_s: float, label: str) -> None:
    status = retry_status(failure(code=code), wait_s=wait_s)
    assert status.phase == "retrying"
    assert status.label == label
    assert status.retry_in_ms == round(wait_s * 1_000)
