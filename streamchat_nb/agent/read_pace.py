"""How fast sockets are read while the event loop lags."""

from __future__ import annotations

from streamchat_nb.agent.loop_lag import LoopLag

__all__ = ["ReadPace"]

_LAG_THRESHOLD_S = 0.005
_SHORTEST_REST_S = 0.016
_LONGEST_REST_S = 0.050


class ReadPace:
    """Says how long each socket of one event loop rests after it was read.

    Not at all while the loop keeps up: what arrives is read at once. While it lags,
    16 to 50 ms: the next read then takes several parts of an answer for nearly the
    price of one, which gives the loop its time back.
    """

    def __init__(self) -> None:
        self._lag = LoopLag()

    def rest_s(self) -> float:
        """Return how long a socket that was read just now rests, in seconds."""
        lag_s = self._lag.seconds()
        if lag_s <= _LAG_THRESHOLD_S:
            return 0.0
        return min(_LONGEST_REST_S, _SHORTEST_REST_S + lag_s)
