"""How fast sockets are read while the event loop lags."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING

from streamchat_nb.agent.loop_lag import LoopLag

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ReadPace"]

_LAG_THRESHOLD_S = 0.005
_SHORTEST_REST_S = 0.016
_LONGEST_REST_S = 0.050
_SLICE = 32
"""How many sockets begin again before the loop has its turn: what these bring is shown
while the next ones are read."""


class ReadPace:
    """Lets the sockets of the event loop it is made on rest after they were read.

    Not at all while the loop keeps up: what arrives is read at once. While it lags,
    16 to 50 ms: the next read then takes several parts of an answer for nearly the
    price of one, which gives the loop its time back. One timer serves all that rest;
    32 of them begin again in one turn of the loop.
    """

    def __init__(self) -> None:
        self._lag = LoopLag()
        self._resting: dict[Callable[[], None], None] = {}
        self._rested: dict[Callable[[], None], None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def rests(self, go_on: Callable[[], None]) -> bool:
        """Return whether a socket that was read just now rests.

        Args:
            go_on: Is called when it has rested; the same one until then.
        """
        lag_s = self._lag.seconds()
        if lag_s <= _LAG_THRESHOLD_S:
            return bool(self._resting) and go_on in self._resting
        self._resting[go_on] = None
        if self._timer is None:
            rest_s = min(_LONGEST_REST_S, _SHORTEST_REST_S + lag_s)
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(rest_s, self._end_rest)
        return True

    def forget(self, go_on: Callable[[], None]) -> None:
        """Let a socket be that is closed. Idempotent."""
        self._rested.pop(go_on, None)
        self._resting.pop(go_on, None)
        if self._timer is not None and not self._resting:
            self._timer.cancel()
            self._timer = None

    def _end_rest(self) -> None:
        self._timer = None
        is_under_way = bool(self._rested)
        self._rested.update(self._resting)
        self._resting = {}
        if not is_under_way:
            self._go_on()

    def _go_on(self) -> None:
        for go_on in list(islice(self._rested, _SLICE)):
            del self._rested[go_on]
            go_on()
        if self._rested:
            asyncio.get_running_loop().call_soon(self._go_on)
