"""How long a client waits before it tries again."""

from __future__ import annotations

import random

__all__ = ["pause_s"]

FIRST_S = 0.5
SOON_S = 4.0
SOON_ATTEMPTS = 10
"""A quarter of a minute: who restarts is back by then."""
MOST_S = 30.0


def pause_s(attempt: int, *, least_s: float = 0.0) -> float:
    """Return a pause: longer each time, and at random.

    Anything up to 0.5 s, 1 s, 2 s and then 4 s, so that the clients of a server that
    restarts do not all come back at once, and that none comes late; up to 30 s each
    time where it stays away.

    Args:
        attempt: How many attempts failed before, from 0.
        least_s: What the server asked for; some of the random goes on top.
    """
    bound_s = SOON_S if attempt < SOON_ATTEMPTS else MOST_S
    most_s = min(bound_s, FIRST_S * 2 ** min(attempt, 10))
    return min(MOST_S, least_s) + random.uniform(0, most_s)  # noqa: S311 - jitter
