"""Shorter turns of this process's threads, for moments in which somebody waits.

A thread that wants to go on beside a busy one waits until that one's turn is over, 5 ms
as a rule. A call that comes over the network and goes to a thread and back waits
several times, so a busy cell would make it take 50 ms.
"""

from __future__ import annotations

import asyncio
import sys
import threading

__all__ = ["QuickTurns"]

TURN_S = 0.0005
LONGEST_S = 0.1
"""A busy cell pays for short turns: each call has them for this long, not longer."""

_lock = threading.Lock()
_askers = 0
_usual_s = 0.0


class QuickTurns:
    """Asks for short turns, for a moment each time. On one event loop."""

    def __init__(self) -> None:
        self._end: asyncio.TimerHandle | None = None

    def ask(self) -> None:
        """Have short turns for the next 0.1 s."""
        if self._end is None:
            _ask()
        else:
            self._end.cancel()
        self._end = asyncio.get_running_loop().call_later(LONGEST_S, self.end)

    def end(self) -> None:
        """Have usual turns from now on. Idempotent."""
        if self._end is not None:
            self._end.cancel()
            self._end = None
            _let_go()


def _ask() -> None:
    global _askers, _usual_s  # noqa: PLW0603 - the interval is the process's own
    with _lock:
        if _askers == 0:
            _usual_s = sys.getswitchinterval()
            sys.setswitchinterval(min(TURN_S, _usual_s))
        _askers += 1


def _let_go() -> None:
    global _askers  # noqa: PLW0603 - as above
    with _lock:
        _askers -= 1
        if _askers == 0:
            sys.setswitchinterval(_usual_s)
