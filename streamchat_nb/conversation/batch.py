"""What a log waits to write, and what of it goes into one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streamchat_nb.conversation.message_texts import message_text
from streamchat_nb.conversation.store import Append, StoredEvent
from streamchat_nb.protocol.codec import carriable, encode
from streamchat_nb.protocol.events import (
    BlockDelta,
    ConversationUpdated,
    Event,
    MessageCompleted,
    TurnFinished,
    TurnQueued,
    TurnStarted,
)

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["Batch", "Pending", "count_turns"]


class Pending(msgspec.Struct):
    """Events that commit together, and who waits for them.

    ``more`` are the texts of deltas that go on with the one in ``events``; ``shown`` is
    called when readers have been told of them.
    """

    events: list[Event]
    ts: int
    committed: asyncio.Future[int] | None
    rejectable: bool
    durable: bool
    size: int
    more: list[str] = []
    shown: Callable[[], None] | None = None

    def join(self) -> None:
        """Make one delta of those that wait together."""
        if isinstance(delta := self.events[-1], BlockDelta):
            text = "".join((delta.delta, *self.more))
            self.events[-1] = msgspec.structs.replace(delta, delta=text)
            self.more.clear()


class Batch(Append, kw_only=True):
    """What one log puts into one transaction, and what it knows of it.

    Attributes:
        groups: What was pending.
        numbered: The events, not encoded.
        turns: The open turns before the batch; another set once the batch changes them.
        waited_for: The groups that somebody waits for, who that is, and the ``seq`` of
            each one's last event.
        ends_something: Whether a message or a turn ends with one of the events: some
            of those before it need not be kept.
    """

    groups: list[Pending]
    turns: set[str]
    # Each batch is given lists of its own, as every Struct.
    events: list[StoredEvent] = []  # noqa: RUF012
    numbered: list[Event] = []  # noqa: RUF012
    waited_for: list[tuple[Pending, asyncio.Future[int], int]] = []  # noqa: RUF012
    ends_something: bool = False

    def add(self, event: Event, *, seq: int, ts: int) -> None:
        """Add an event, with its place in the log."""
        event = msgspec.structs.replace(
            event, conversation=self.conversation, seq=seq, prev=seq - 1, ts=ts
        )
        try:
            data = encode(event)
        except UnicodeEncodeError:
            event = carriable(event)
            data = encode(event)
        self.numbered.append(event)
        self.events.append(StoredEvent(seq, data))
        if isinstance(event, BlockDelta):
            return
        self.turns = set(self.turns)
        count_turns(self.turns, event)
        self.open_turns = len(self.turns)
        text = message_text(event)
        if text is not None:
            self.texts.append(text)
        match event:
            case ConversationUpdated(title=str(title)):
                self.title = title
            case MessageCompleted() | TurnFinished():
                self.ends_something = True
            case _:
                pass


def count_turns(open_turns: set[str], event: object) -> None:
    """Note in ``open_turns`` a turn that begins or ends with an event."""
    match event:
        case TurnQueued(turn=str(turn)) | TurnStarted(turn=str(turn)):
            open_turns.add(turn)
        case TurnFinished(turn=str(turn)):
            open_turns.discard(turn)
        case _:
            pass
