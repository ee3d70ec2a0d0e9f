"""Heartbeat: one clock for all sockets, which sees who is still there.

A ping each 20 s keeps proxies from cutting a quiet connection, and shows a peer that
is gone. One clock that goes from socket to socket costs one timer; a clock for each
socket would be a task, a coroutine and a timer for each.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Protocol

__all__ = ["PING_INTERVAL_S", "Heartbeat", "Pinged"]

PING_INTERVAL_S = 20.0
PLACES = 20


class Pinged(Protocol):
    """Who is looked after."""

    def beat(self) -> None:
        """Send a ping, or end it where the last was not answered; must not raise."""
        ...


class Heartbeat:
    """Calls ``beat`` of all that were added, each once in an interval.

    They take their turns evenly spread, however many came at once, and the first turn
    comes after half an interval. The clock runs as long as there is anybody. All calls
    on one event loop.

    Args:
        interval_s: Seconds between two beats of the same one.
    """

    def __init__(self, *, interval_s: float = PING_INTERVAL_S) -> None:
        self._step_s = interval_s / PLACES
        self._places: list[dict[Pinged, None]] = [{} for _ in range(PLACES)]
        self._place_of: dict[Pinged, dict[Pinged, None]] = {}
        self._turn = 0
        self._offsets = itertools.cycle(range(PLACES // 2, PLACES))
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._place_of)

    def add(self, one: Pinged) -> None:
        """Look after one more."""
        place = self._places[(self._turn + next(self._offsets)) % PLACES]
        place[one] = None
        self._place_of[one] = place
        if self._timer is None:
            self._set_timer()

    def discard(self, one: Pinged) -> None:
        """Look after it no more. Idempotent."""
        place = self._place_of.pop(one, None)
        if place is not None:
            del place[one]
        if not self._place_of and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._step_s, self._beat)

    def _beat(self) -> None:
        self._set_timer()
        for one in tuple(self._places[self._turn]):
            one.beat()
        self._turn = (self._turn + 1) % PLACES
