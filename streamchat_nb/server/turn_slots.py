"""How many turns each owner may run at once, over all conversations."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TurnSlots"]


class TurnSlots:
    """How many turns each owner may run at once.

    Args:
        most: Turns per owner.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._running: dict[str, int] = {}
        self._waiting: dict[str, deque[Callable[[], None]]] = {}

    @property
    def all_free(self) -> bool:
        """Whether no turn runs."""
        return not self._running

    def take(self, owner: str) -> bool:
        """Take a slot if one is free."""
        running = self._running.get(owner, 0)
        if running >= self._most:
            return False
        self._running[owner] = running + 1
        return True

    def wait(self, owner: str, wake: Callable[[], None]) -> None:
        """Call ``wake`` once when a slot may be free."""
        self._waiting.setdefault(owner, deque()).append(wake)

    def give_back(self, owner: str) -> None:
        """Return a slot and wake who waits for one."""
        self._running[owner] -= 1
        if not self._running[owner]:
            del self._running[owner]
        waiting = self._waiting.pop(owner, deque())
        for wake in waiting:
            wake()
