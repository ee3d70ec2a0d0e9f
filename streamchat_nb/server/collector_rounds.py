"""When the collector of garbage looks at everything: mostly when no answer streams."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CollectorRounds"]

LOOK_EACH_S = 1.0
LATEST = 20
"""So many times as much garbage may gather, where there is never a calm moment."""


class CollectorRounds:
    """Puts the collector's full rounds off until a calm moment.

    With hundreds of conversations loaded a full round stops the event loop for 50 to
    150 ms, and there is one each second while they stream. What is put off is only the
    search for cycles among what has lived long; the rounds over what is young, which
    take a few milliseconds and find most of it, come as ever. Does nothing where the
    collector was turned off. To be used on one event loop.

    Args:
        is_calm: Says whether nobody would notice a pause now.
    """

    def __init__(self, is_calm: Callable[[], bool]) -> None:
        self._is_calm = is_calm
        self._thresholds: tuple[int, int, int] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Put them off from now on."""
        young, middle, full = self._thresholds = gc.get_threshold()
        gc.set_threshold(young, middle, full * LATEST)
        if young and full:
            self._look_later()

    def stop(self) -> None:
        """Let the collector have its way again. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._thresholds is not None:
            gc.set_threshold(*self._thresholds)
            self._thresholds = None

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(LOOK_EACH_S, self._look)

    def _look(self) -> None:
        if self._thresholds is not None:
            is_due = gc.get_count()[2] > self._thresholds[2]
            if is_due and self._is_calm():
                gc.collect()
        self._look_later()
