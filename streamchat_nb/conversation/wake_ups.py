"""Readers that are woken after a commit: many of them hold up nobody."""

from __future__ import annotations

import asyncio
import logging
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["WakeUps"]

logger = logging.getLogger(__name__)

SLICE = 256
"""How many readers are woken, and may write, before the loop has its turn. Not a time:
that of a process that others keep from running would be over after each reader."""


class WakeUps:
    """Wakes readers in the order in which there was something for them.

    One that is woken late is woken once for all that has come meanwhile. To be used on
    one event loop.
    """

    def __init__(self) -> None:
        self._waiting: dict[Callable[[], None], None] = {}
        self._is_scheduled = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, wakes: Iterable[Callable[[], None]]) -> None:
        """Note whom to wake; those who wait already keep their place.

        Args:
            wakes: What wakes each of them. May be called a last time after its reader
                has ceased to watch.
        """
        if self._waiting:
            self._waiting.update(dict.fromkeys(wakes))
        else:
            self._waiting = dict.fromkeys(wakes)

    def run(self) -> None:
        """Wake 256 of them, and the others in the next turns of the loop."""
        waiting, self._waiting = self._waiting, {}
        if len(waiting) > SLICE:
            self._waiting = dict.fromkeys(islice(waiting, SLICE, None))
            if not self._is_scheduled:
                self._is_scheduled = True
                asyncio.get_running_loop().call_soon(self._run_again)
        for wake in islice(waiting, SLICE):
            try:
                wake()
            except Exception:
                logger.exception("A reader of a log could not be woken")

    def _run_again(self) -> None:
        self._is_scheduled = False
        self.run()
