"""How fast sockets are read while the event loop lags."""

from __future__ import annotations

import asyncio

__all__ = ["ReadPace"]

_LAG_THRESHOLD_S = 0.005
_WEIGHT = 0.2
_PROBE_INTERVAL_S = 0.010
_SHORTEST_REST_S = 0.016
_LONGEST_REST_S = 0.050


class ReadPace:
    """Says how long each socket of one event loop rests after it was read.

    Not at all while the loop keeps up: what arrives is read at once. While it lags,
    16 to 50 ms: the next read then takes several parts of an answer for nearly the
    price of one, which gives the loop its time back.

    The lag is what a callback waits for its turn, seen at most every 10 ms and
    averaged over the last few times.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lag_s = 0.0
        self._rest_s = 0.0
        self._next_probe = 0.0

    def rest_s(self) -> float:
        """Return how long a socket that was read just now rests, in seconds."""
        now = self._loop.time()
        if now >= self._next_probe:
            self._next_probe = now + 60.0  # until this one is back
            self._loop.call_soon(self._landed, now)
        return self._rest_s

    def _landed(self, began: float) -> None:
        now = self._loop.time()
        self._next_probe = now + _PROBE_INTERVAL_S
        self._lag_s += _WEIGHT * (now - began - self._lag_s)
        self._rest_s = (
            min(_LONGEST_REST_S, _SHORTEST_REST_S + self._lag_s)
            if self._lag_s > _LAG_THRESHOLD_S
            else 0.0
        )
