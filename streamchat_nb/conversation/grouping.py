"""Which logs commit now, and which wait for company because their readers are many."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

__all__ = ["Grouping", "grouping_delay_s"]

LogT = TypeVar("LogT", bound="Hashable")

MANY_READERS = 250
READER_S = 0.000_025
"""About twice the time that it takes to write to one reader."""
LEAST_DELAY_S = 0.016
MOST_DELAY_S = 0.050
ALONE_S = 0.002
"""What comes later than this after a commit comes alone. Where logs follow each other
more closely, a turn of the loop brings them together, and costs less than a commit."""


def grouping_delay_s(readers: int) -> float:
    """Return how long deltas may wait for company, in seconds.

    None while the readers are few; otherwise 16 ms, rising to 50 ms with the readers.
    A loop that lags needs no wait: what arrives in one turn of it is one commit.

    Args:
        readers: How many follow the log.
    """
    if readers <= MANY_READERS:
        return 0.0
    return min(MOST_DELAY_S, max(READER_S * readers, LEAST_DELAY_S))


class Grouping(Generic[LogT]):
    """The logs that have something to commit. To be used on one event loop.

    What comes alone, while the loop is quiet, is committed where it comes. What follows
    it closely is committed in the next turn of the loop, all together; so is what is
    urgent, which seldom comes alone, and what has waited for company.

    Args:
        commit: Is called with the logs that are due.
    """

    def __init__(self, commit: Callable[[list[LogT]], None]) -> None:
        self._commit = commit
        self._due: dict[LogT, None] = {}
        self._waiting: dict[LogT, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        # Kept, as to ask for it is a call of the kernel in Python 3.11.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._alone_from_s = 0.0

    def __iter__(self) -> Iterator[LogT]:
        yield from self._due
        yield from self._waiting

    def __len__(self) -> int:
        return len(self._due) + len(self._waiting)

    def mark(self, log: LogT, *, readers: int, urgent: bool) -> None:
        """Note that a log has something to commit; it may be committed by this.

        Args:
            log: Which log.
            readers: How many follow it.
            urgent: Whether it must not wait for company.
        """
        if log in self._due:
            return
        if readers > MANY_READERS and not urgent:
            self._wait(log, grouping_delay_s(readers))
            return
        self._waiting.pop(log, None)
        if self._due:
            self._due[log] = None
        elif urgent or time.monotonic() < self._alone_from_s:
            self._fall_due({log: None})
        else:
            self._hand_over([log])

    def stop(self) -> None:
        """Cancel the timer; what waits is due with the next mark."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, log: LogT, delay_s: float) -> None:
        self._waiting[log] = None
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(delay_s, self._end_waiting)

    def _end_waiting(self) -> None:
        self._timer = None
        waiting, self._waiting = self._waiting, {}
        if self._due:
            self._due.update(waiting)
        elif waiting:
            self._fall_due(waiting)

    def _fall_due(self, logs: dict[LogT, None]) -> None:
        self._due = logs
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        self._loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        due, self._due = list(self._due), {}
        self._hand_over(due)

    def _hand_over(self, logs: list[LogT]) -> None:
        self._alone_from_s = math.inf  # what this brings about comes after it
        try:
            self._commit(logs)
        finally:
            self._alone_from_s = time.monotonic() + ALONE_S
