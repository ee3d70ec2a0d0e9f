"""Which events of a log say nothing that a later one does not say.

A completed message has its whole content in ``message.completed``, and a finished
call its output in ``tool.completed``: the deltas and the progress before them need
not be kept. Those of a discarded message are all that there is of it, and stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamchat_nb.protocol.events import (
    BlockDelta,
    Event,
    MessageCompleted,
    MessageCreated,
    MessageDiscarded,
    ToolCompleted,
    ToolProgress,
    ToolRequested,
    UnknownEvent,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Compaction"]

RANGES_EACH = 1_024
"""Most ranges noted of one message or call; what would be another one is kept."""
RANGES = 8_192
"""Most ranges noted of all that are over."""

Range = tuple[int, int]
"""The first and the last ``seq`` of events that stand together."""


class Compaction:
    """Notes what can be dropped, from the events of a log in their order."""

    def __init__(self) -> None:
        self._open: dict[tuple[type, str], list[Range]] = {}
        self._over: list[Range] = []
        # Deltas that stand together: of which message, and the first one's seq.
        self._run: str | None = None
        self._run_first = 0

    def observe(self, event: Event | UnknownEvent) -> None:
        """Take the next event of the log."""
        if isinstance(event, BlockDelta) and event.message == self._run:
            return  # as nearly all are: noted when the next one is another
        self._end_run(event.prev)
        match event:
            case BlockDelta():
                # It may be several that were joined.
                self._run, self._run_first = event.message, event.prev + 1
            case ToolProgress():
                self._note((ToolProgress, event.tool_call), event.seq, event.seq)
            case MessageCreated(content=None):
                self._open[BlockDelta, event.message] = []
            case ToolRequested():
                self._open[ToolProgress, event.tool_call] = []
            case MessageCompleted():
                self._end((BlockDelta, event.message))
            case ToolCompleted():
                self._end((ToolProgress, event.tool_call))
            case MessageDiscarded():
                self._open.pop((BlockDelta, event.message), None)
            case _:
                pass

    def with_events(self, events: Iterable[Event | UnknownEvent]) -> list[Range]:
        """Return what can be dropped once ``events`` are in the log as well.

        Nothing is noted of them: they may yet fail to be written.
        """
        later = Compaction()
        later._open = {key: list(ranges) for key, ranges in self._open.items()}
        later._over = list(self._over)
        later._run, later._run_first = self._run, self._run_first
        for event in events:
            later.observe(event)
        return _joined(later._over)

    def clear(self) -> None:
        """Forget what could be dropped: it was."""
        self._over = []

    def _end_run(self, last: int) -> None:
        if self._run is not None:
            self._note((BlockDelta, self._run), self._run_first, last)
            self._run = None

    def _note(self, key: tuple[type, str], first: int, last: int) -> None:
        ranges = self._open.get(key)
        if ranges is None:
            return
        if ranges and ranges[-1][1] == first - 1:
            ranges[-1] = (ranges[-1][0], last)
        elif len(ranges) < RANGES_EACH:
            ranges.append((first, last))

    def _end(self, key: tuple[type, str]) -> None:
        self._over += self._open.pop(key, ())[: RANGES - len(self._over)]


def _joined(ranges: list[Range]) -> list[Range]:
    """Return the same in order, and with those joined that touch."""
    joined: list[Range] = []
    for first, last in sorted(ranges):
        if joined and joined[-1][1] == first - 1:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined
