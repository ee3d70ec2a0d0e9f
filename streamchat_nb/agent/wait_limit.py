"""One deadline over many short waits, at the price of one timer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = ["WaitLimit"]

Result = TypeVar("Result")


class WaitLimit:
    """Limits how long one task waits in total, counted anew after ``reset``.

    ``asyncio.timeout`` sets and clears a timer each time, which costs more than
    reading one part of an answer. Here a timer that fires too early is set again.

    Args:
        limit_s: Seconds of waiting; what happens between two waits does not count.
    """

    def __init__(self, limit_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit_s = limit_s
        self._left_s = limit_s
        self._began_s = 0.0
        self._waiting: asyncio.Task[object] | None = None
        self._expired = False
        self._timer: asyncio.TimerHandle | None = None

    def reset(self) -> None:
        """Allow the whole time again, also to a wait that is under way."""
        self._left_s = self._limit_s
        self._began_s = self._loop.time()

    async def wait(self, awaitable: Awaitable[Result]) -> Result:
        """Return the result of ``awaitable``. One call at a time.

        Cancelling the task cancels the wait, and stays a cancellation.

        Raises:
            TimeoutError: The time is used up; ``awaitable`` was cancelled.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this is a coroutine
        cancelling = task.cancelling()
        self._began_s = self._loop.time()
        if self._timer is None:
            self._set_timer()
        self._waiting = task
        try:
            return await awaitable
        except asyncio.CancelledError:
            if self._expired and task.uncancel() <= cancelling:
                raise TimeoutError from None
            raise
        finally:
            self._waiting = None
            self._left_s -= self._loop.time() - self._began_s

    def close(self) -> None:
        """Forget the timer. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        self._timer = self._loop.call_at(self._began_s + self._left_s, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._waiting is None:
            return  # the next wait sets the timer
        if self._loop.time() < self._began_s + self._left_s:
            self._set_timer()
        else:
            self._expired = True
            self._waiting.cancel()
