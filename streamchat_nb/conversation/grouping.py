"""Which logs commit now, and which wait for company because the loop is busy."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from streamchat_nb.loop_lag import LoopLag

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

__all__ = ["Grouping", "grouping_delay_s"]

LogT = TypeVar("LogT", bound="Hashable")

LAG_THRESHOLD_S = 0.005
"""Up to here the loop keeps up."""
MANY_READERS = 250
READER_S = 0.000_025
"""About twice the time that it takes to write to one reader."""
LEAST_DELAY_S = 0.016
MOST_DELAY_S = 0.050


def grouping_delay_s(*, lag_s: float, readers: int) -> float:
    """Return how long deltas may wait for company, in seconds.

    None while the loop keeps up and the readers are few; otherwise 16 ms, rising
    to 50 ms with the lag and with the readers (a fixed window costs latency and saves
    nothing).

    Args:
        lag_s: How long a turn of the event loop takes.
        readers: How many follow the log.
    """
    if lag_s < LAG_THRESHOLD_S and readers <= MANY_READERS:
        return 0.0
    delay_s = max(lag_s, READER_S * readers, LEAST_DELAY_S)
    return min(MOST_DELAY_S, delay_s)


class Grouping(Generic[LogT]):
    """The logs that have something to commit. To be used on one event loop.

    Those that are due in one turn of the loop are committed in the next one, together;
    so are those that wait for company.

    Args:
        commit: Is called with the logs that are due.
    """

    def __init__(self, commit: Callable[[list[LogT]], None]) -> None:
        self._commit = commit
        self._due: dict[LogT, None] = {}
        self._waiting: dict[LogT, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._lag = LoopLag()

    def __iter__(self) -> Iterator[LogT]:
        yield from self._due
        yield from self._waiting

    def __len__(self) -> int:
        return len(self._due) + len(self._waiting)

    def mark(self, log: LogT, *, readers: int, urgent: bool) -> None:
        """Note that a log has something to commit.

        Args:
            log: Which log.
            readers: How many follow it.
            urgent: Whether it must not wait for company.
        """
        if log in self._due:
            return
        delay_s = 0.0
        if not urgent:
            delay_s = grouping_delay_s(lag_s=self._lag.seconds(), readers=readers)
        if delay_s == 0.0:
            self._waiting.pop(log, None)
            self._fall_due({log: None})
            return
        self._waiting[log] = None
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(delay_s, self._end_waiting)

    def stop(self) -> None:
        """Cancel the timer; what waits is due with the next mark."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_waiting(self) -> None:
        self._timer = None
        waiting, self._waiting = self._waiting, {}
        self._fall_due(waiting)

    def _fall_due(self, logs: dict[LogT, None]) -> None:
        if logs and not self._due:
            asyncio.get_running_loop().call_soon(self._hand_over)
        self._due.update(logs)

    def _hand_over(self) -> None:
        due, self._due = list(self._due), {}
        self._commit(due)
