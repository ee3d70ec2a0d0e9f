"""The short cut of deltas: taken where their bytes arrive, and no task is woken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamchat_nb.agent.model import ModelBlockDelta

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamchat_nb.agent.message_reader import MessageReader
    from streamchat_nb.agent.model import ModelEvent
    from streamchat_nb.agent.wait_limit import WaitLimit

__all__ = ["ShortCut"]


class ShortCut:
    """Takes bytes for a task that waits for them, and says whether to wake it.

    Most bytes of an answer mean nothing but more of the same block. That is given to
    ``show`` at once. Everything else is kept for the task.

    Args:
        reader: Of the response.
        show: See ``Model.stream_showing``.
        limit: Of the task's wait; what moves the answer forward starts it anew.
    """

    def __init__(
        self,
        reader: MessageReader,
        show: Callable[[ModelBlockDelta], bool],
        limit: WaitLimit,
    ) -> None:
        self._reader = reader
        self._show = show
        self._limit = limit
        self._events: list[ModelEvent] = []
        self._failure: Exception | None = None

    def take(self, chunk: bytes) -> bool:
        """Take the next bytes; return whether the task may go on waiting."""
        try:
            text = self._reader.go_on(chunk)
            if text is not None:
                is_shown = self._show(text)
                self._limit.reset()
                if not is_shown:
                    self._events = [text]
                return is_shown
            progress = self._reader.progress
            events = self._reader.feed(chunk)
            if self._reader.progress != progress:
                self._limit.reset()
            if len(events) == 1:
                (event,) = events
                if isinstance(event, ModelBlockDelta) and self._show(event):
                    events = []
            self._events = events
        except Exception as failure:  # noqa: BLE001 - the task's, not the socket's
            self._failure = failure
            return False
        return not events and not self._reader.is_at_fault

    def kept(self) -> list[ModelEvent]:
        """Return what the bytes meant after which the task was woken.

        Raises:
            ModelError: They are at fault.
        """
        if self._failure is not None:
            raise self._failure
        events, self._events = self._events, []
        return events
