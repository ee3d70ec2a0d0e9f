"""How far an event loop is behind with what it has to do."""

from __future__ import annotations

import asyncio

__all__ = ["LoopLag"]

INTERVAL_S = 0.010
"""How often it is looked at most."""
WEIGHT = 0.2
"""How much the latest look counts in the mean."""
_UNDER_WAY_S = 60.0


class LoopLag:
    """What a callback waits for its turn: the mean of the last few looks.

    Looks only while somebody asks, at most once in 10 ms; the price of a look is one
    callback. To be made and asked on one event loop.
    """

    def __init__(self) -> None:
        # Kept, as to ask for it is a call of the kernel in Python 3.11.
        self._loop = asyncio.get_running_loop()
        self._mean_s = 0.0
        self._next_look_s = 0.0

    def seconds(self) -> float:
        """Return the lag so far, and look anew where the last look was long ago."""
        now_s = self._loop.time()
        if now_s >= self._next_look_s:
            self._next_look_s = now_s + _UNDER_WAY_S  # until this one is back
            self._loop.call_soon(self._note, now_s)
        return self._mean_s

    def _note(self, began_s: float) -> None:
        now_s = self._loop.time()
        self._next_look_s = now_s + INTERVAL_S
        self._mean_s += WEIGHT * (now_s - began_s - self._mean_s)
