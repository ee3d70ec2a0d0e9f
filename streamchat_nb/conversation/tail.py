"""The last events of a log, kept in memory for those who follow it."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamchat_nb.conversation.store import StoredEvent

__all__ = ["Tail"]

TAIL_EVENTS = 2_048
TAIL_BYTES = 1_048_576


class Tail:
    """The last events of a log: at most 2,048 of them and about 1 MiB.

    Attributes:
        after: None is missing here of the events after this ``seq``.
        newest: The last event, alone; none before there is one.
    """

    def __init__(self) -> None:
        self.after = 0
        self.newest: list[StoredEvent] = []
        self._events: list[StoredEvent] = []
        self._bytes = 0

    def extend(self, events: list[StoredEvent]) -> None:
        """Take the next events; forget the oldest when they are too many."""
        self._events += events
        self.newest = self._events[-1:]
        for event in events:
            self._bytes += len(event.data)
        if len(self._events) > TAIL_EVENTS or self._bytes > TAIL_BYTES:
            self._trim()

    def read(
        self, after: int, *, limit_events: int, limit_bytes: int
    ) -> list[StoredEvent]:
        """Return events after a ``seq``; the first one whatever its size."""
        events = self._events
        behind = events[-1].seq - after if events else 0
        if 0 < behind <= len(events) and events[-behind].seq == after + 1:
            first = len(events) - behind  # as nearly always: none is left out
        else:
            first = bisect_right(events, after, key=lambda event: event.seq)
        chosen: list[StoredEvent] = []
        size = 0
        for event in events[first : first + limit_events]:
            size += len(event.data)
            if chosen and size > limit_bytes:
                break
            chosen.append(event)
        return chosen

    def _trim(self) -> None:
        """Keep half of the events, and less of large ones, but always the last."""
        excess = max(0, len(self._events) - TAIL_EVENTS // 2)
        self._bytes -= sum(len(event.data) for event in self._events[:excess])
        while self._bytes > TAIL_BYTES and excess < len(self._events) - 1:
            self._bytes -= len(self._events[excess].data)
            excess += 1
        if excess:
            self.after = self._events[excess - 1].seq
            del self._events[:excess]
