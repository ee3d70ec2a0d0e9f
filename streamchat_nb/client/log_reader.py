"""Reading one delivery of a conversation: what begins, fits, is missing or is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from streamchat_nb.conversation.snapshot import join_parts
from streamchat_nb.conversation.state import ConversationState
from streamchat_nb.errors import BadFrame
from streamchat_nb.protocol.codec import decode_event
from streamchat_nb.protocol.frames import (
    FrameBase,
    Live,
    Presence,
    Snapshot,
    Subscribed,
    Unsubscribed,
)

if TYPE_CHECKING:
    from streamchat_nb.client.event_page import EventPage
    from streamchat_nb.client.followed_log import FollowedLog
    from streamchat_nb.protocol.commands import CommandId
    from streamchat_nb.protocol.events import Event, UnknownEvent
    from streamchat_nb.protocol.frames import Frame

__all__ = ["LogReader", "Reading"]

Reading = Literal["read", "gap", "deleted", "failed"]
"""What came of something received; ``gap``: follow again from the cursor."""


class LogReader:
    """Brings one delivery of a conversation into its fold.

    Everything before the ``subscribed`` that it was asked for is of an older delivery
    and is dropped.

    Args:
        log: What is delivered.
        re: Id of the command that asked for the delivery.
    """

    def __init__(self, log: FollowedLog, re: CommandId) -> None:
        self.log = log
        self._re = re
        self._has_begun = False
        self._parts: list[ConversationState] = []
        self._in_snapshot = False

    def take(self, frame: Frame | Event | UnknownEvent) -> Reading:
        """Take the next frame or event; frames of another purpose change nothing."""
        if isinstance(frame, Subscribed):
            if frame.re == self._re:
                self._has_begun = True
                self._in_snapshot = frame.mode == "snapshot"
            return "read"
        if not self._has_begun:
            return "read"
        match frame:
            case Snapshot():
                return self._take_part(frame)
            case Live():
                self.log.take_live(frame.seq)
            case Presence():
                self.log.take_presence(frame.participants)
            case Unsubscribed():
                return frame.reason
            case FrameBase():
                pass
            case _:
                fits = self._in_snapshot or self.log.take_event(frame)
                return "read" if fits else "gap"
        return "read"

    def _take_part(self, frame: Snapshot) -> Reading:
        if frame.part != len(self._parts) + 1:
            return "gap"
        self._parts.append(_state_of(frame.state))
        if frame.part == frame.parts:
            state = join_parts(self._parts)
            self._parts = []
            self._in_snapshot = False
            self.log.take_state(frame.log, state)
        return "read"

    def take_page(self, page: EventPage) -> Reading:
        """Take a page of events, or the state that came in its place."""
        log = self.log
        if page.mode == "snapshot":
            state = _state_of(page.snapshot)
            log.take_state(page.log, state)
            log.take_live(state.seq)
            return "read"
        cursor = log.cursor
        if cursor is None or page.log != cursor.log:
            return "gap"
        for raw in page.events:
            if not log.take_event(decode_event(bytes(raw))):
                return "gap"
        log.take_live(page.head)
        return "read"


def _state_of(data: msgspec.Raw) -> ConversationState:
    try:
        return msgspec.json.decode(data, type=ConversationState)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadFrame(
            "The server sent a state that this version does not understand."
        ) from None
