"""How long a client waits before it tries again."""

from __future__ import annotations

import random

__all__ = ["pause_s"]

FIRST_S = 0.5
MOST_S = 30.0


def pause_s(attempt: int, *, least_s: float = 0.0) -> float:
    """Return a pause: longer each time and at random, as the frontend's is.

    Anything up to 0.5 s, 1 s, 2 s … 30 s, so that the clients of a server that is gone
    do not all come back at once.

    Args:
        attempt: How many attempts failed before, from 0.
        least_s: What the server asked for; some of the random goes on top.
    """
    most_s = min(MOST_S, FIRST_S * 2 ** min(attempt, 10))
    return min(MOST_S, least_s) + random.uniform(0, most_s)  # noqa: S311 - jitter
