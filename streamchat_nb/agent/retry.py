"""When a failed model request is tried again, and what the user is told meanwhile."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamchat_nb.protocol.events import TurnStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamchat_nb.errors import ModelError

__all__ = ["RetryPolicy", "retry_status"]

_REASONS = {
    "model_overloaded": "The model is overloaded",
    "model_rate_limited": "The model's rate limit is reached",
    "model_server_error": "The model's server failed",
    "model_stalled": "The model stopped answering",
    "model_stream_malformed": "The model's answer was garbled",
    "model_stream_truncated": "The model's answer was cut off",
    "model_timeout": "The model did not answer in time",
    "model_unreachable": "The model cannot be reached",
}


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often and after which wait a request is sent again.

    Attributes:
        tries: Requests in all, the first one included; at least 1.
        first_wait_s: Wait after the first failure, doubled with each other one.
        longest_wait_s: Longest wait, also where the endpoint asks for a longer one.
        jitter: Gives numbers from 0 to 1, so that many clients do not come back at
            the same moment: a wait is half to all of its length.
    """

    tries: int = 3
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    jitter: Callable[[], float] = random.random

    def wait_s(self, error: ModelError, *, failures: int) -> float | None:
        """Return how long to wait before the next try, ``None`` to give up.

        Args:
            error: Why the last one failed. The wait it asks for is kept.
            failures: How many have failed so far, from 1.
        """
        if not error.retryable or failures >= self.tries:
            return None
        if error.retry_after_ms is not None:
            return min(max(error.retry_after_ms, 0) / 1000, self.longest_wait_s)
        full_s = min(self.first_wait_s * 2 ** (failures - 1), self.longest_wait_s)
        return full_s * (0.5 + self.jitter() / 2)


def retry_status(error: ModelError, *, wait_s: float) -> TurnStatus:
    """Return what is shown during the wait."""
    reason = _REASONS.get(error.code, "The model failed")
    return TurnStatus(
        phase="retrying",
        label=f"{reason}; trying again in {max(1, round(wait_s))} s…",
        retry_in_ms=round(wait_s * 1000),
    )
