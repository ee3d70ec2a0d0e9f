"""A running tool's reports, from any thread, to the loop, not too many of them."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from streamchat_nb.tools.output import clean_text

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ProgressReports"]

_INTERVAL_S = 0.05


class ProgressReports:
    """Delivers the newest report at most once per interval; the last one always.

    Reports that come faster replace each other: whatever a tool does, one of them
    is kept. Make it on the loop that ``deliver`` is to be called on.

    Args:
        deliver: Gets ``(text, fraction)`` on the loop; must not raise.
        interval_s: Least time between two deliveries, in seconds.
    """

    def __init__(
        self,
        deliver: Callable[[str, float | None], None],
        *,
        interval_s: float = _INTERVAL_S,
    ) -> None:
        self._deliver = deliver
        self._interval_s = interval_s
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._text: str | None = None
        self._fraction: float | None = None
        self._woken = False
        self._closed = False
        self._next_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def report(self, text: str, fraction: float | None) -> None:
        """Take a report, from any thread; after ``close`` it goes nowhere."""
        with self._lock:
            if self._closed:
                return
            self._text = text
            self._fraction = self._fraction if fraction is None else fraction
            if self._woken:
                return
            self._woken = True
        try:
            self._loop.call_soon_threadsafe(self._wake)
        except RuntimeError:
            # The loop is gone, and with it everybody who would have looked.
            self.close()

    def close(self) -> None:
        """Deliver what is left and stop. Idempotent; call it on the loop."""
        with self._lock:
            self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._loop.is_closed():
            self._flush()

    def _wake(self) -> None:
        wait_s = self._next_at - self._loop.time()
        if wait_s > 0:
            self._timer = self._loop.call_later(wait_s, self._flush)
        else:
            self._flush()

    def _flush(self) -> None:
        with self._lock:
            text, fraction = self._text, self._fraction
            self._text = self._fraction = None
            self._woken = False
        if text is not None:
            self._next_at = self._loop.time() + self._interval_s
            self._deliver(clean_text(text), fraction)
